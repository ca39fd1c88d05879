"""Who, from where, in which account, which group: the facts beside an alert's diff, each with its label."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from chalicelib.alert.model import AlarmPath, Alert, Attached, Attachment, Event, Principal, SecurityGroup
from chalicelib.rendering.lines import is_attempt, quoted, utc, value
from chalicelib.security_groups.changes import VPC_ENDPOINT

_MFA = {True: "MFA", False: "no MFA", None: "MFA not recorded"}


class Fact(NamedTuple):
    """One thing to know: a label of ours and lines of values; ``moment`` is the time that the lines give in UTC."""

    label: str
    lines: tuple[str, ...]
    moment: datetime | None = None


def facts(alert: Alert) -> Iterator[Fact]:
    """Who, from where, in which account, which group, when; only what is known."""
    if alert.principal:
        yield Fact("Who", tuple(_who(alert.principal)))
        yield Fact("From", tuple(_from(alert.principal)))
    where = [*_account(alert), *(value(item) for item in (alert.region, _vpc(alert.security_group)) if item)]
    if where:
        yield Fact("Where", (where[0], *([", ".join(where[1:])] if where[1:] else [])))
    if alert.security_group:
        group = tuple(_group(alert.security_group))
        yield from [Fact("Group", group)] if group else []
        if alert.security_group.attached:
            yield Fact("Attached to", tuple(_attached(alert.security_group.attached)))
    if alert.attachment:
        yield Fact("Groups of", tuple(_attachment(alert, alert.attachment)))
    if alert.changes.rules_after is not None:
        yield Fact("Rules now", (f"{alert.changes.rules_after:,}",))
    if alert.occurred_at:
        yield Fact("When", (utc(alert.occurred_at),), alert.occurred_at)
    called = tuple(_call(alert.event))
    if called:
        yield Fact("Call", called)
    if alert.alarm_path:
        yield Fact("Alarm path", tuple(_alarm_path(alert.alarm_path)))


def _call(event: Event) -> Iterator[str]:
    if event.name:
        yield value(event.name)
    if event.id:
        yield f"event {value(event.id, 80)}"


def _alarm_path(path: AlarmPath) -> Iterator[str]:
    yield value(path.status)
    if path.checked_at:
        yield f"checked {utc(path.checked_at)}"


def _who(principal: Principal) -> Iterator[str]:
    yield value(principal.name)
    details = [principal.type]
    if principal.permission_set:
        details.append(f"permission set {principal.permission_set}")
    elif principal.role:
        details.append(f"role {principal.role}")
    if principal.session_name and principal.session_name not in principal.name:
        details.append(f"session {principal.session_name}")
    yield value(", ".join(details))
    if principal.cross_account:
        yield f"from another account: {value(principal.account_id or 'not known')}"
    if principal.on_behalf_of:
        yield f"on behalf of {value(principal.on_behalf_of)}"


def _from(principal: Principal) -> Iterator[str]:
    yield value(principal.source_ip or "address not recorded")
    invoked = [f"through {principal.invoked_by}"] if principal.invoked_by else []
    yield value(", ".join([principal.client, *invoked, _MFA[principal.mfa]]))
    if principal.access_key_id:
        yield f"key {value(principal.access_key_id)}"


def _attachment(alert: Alert, item: Attachment) -> Iterator[str]:
    yield f"{value(item.resource_type)} {value(item.resource_id)}"
    named = ", ".join(item.groups_after or ())
    if is_attempt(alert):
        yield f"asked for: {value(named or 'none that is named')}"
        return
    before = item.groups_before
    if before is None and item.resource_type == VPC_ENDPOINT:
        yield from _endpoint_groups(named, changed=not alert.changes.before_known)
        return
    yield f"before: {value('not known' if before is None else ', '.join(before) or 'none')}"
    yield f"now: {value(named or 'none')}"


def _endpoint_groups(added: str, *, changed: bool) -> Iterator[str]:
    """The call names what it adds and takes away, and nothing of what stays."""
    if changed:
        yield "before: not known"
        yield f"now: {value(f'{added} among them' if added else 'not known')}"
    else:
        yield "not changed"


def _account(alert: Alert) -> list[str]:
    account = alert.account
    if account.id is None:
        return []
    return [value(f"{account.name} ({account.id})" if account.name else account.id)]


def _vpc(group: SecurityGroup | None) -> str | None:
    return group.vpc_id if group else None


def _group(group: SecurityGroup) -> Iterator[str]:
    known = [value(item) for item in (group.name, group.id) if item]
    if known:
        yield " ".join([known[0], *(f"({item})" for item in known[1:])])
    if group.description:
        yield quoted(group.description)
    if group.owner:
        yield f"owner {value(group.owner)}"


def _attached(attached: Attached) -> Iterator[str]:
    if attached.public_addresses:
        yield f"public address {value(', '.join(attached.public_addresses))}"
    named = [*attached.instances, *attached.services] or list(attached.interfaces)
    yield value(", ".join(named)) if named else "nothing"
