"""Who, from where, in which account, which group: the facts beside an alert's diff, each with its label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.alert.model import (
    AlarmPath,
    Alert,
    Attached,
    Attachment,
    ChangedPrefixList,
    Event,
    PrefixListUse,
    Principal,
    SecurityGroup,
)
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import is_attempt, quoted, utc, value
from chalicelib.security_groups.changes import NOT_NAMED, VPC_ENDPOINT

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
    if alert.prefix_list:
        yield from _of_prefix_list(alert.prefix_list)
    if alert.changes.rules_after is not None:
        yield Fact("Rules now", (f"{alert.changes.rules_after:,}",))
    yield from _of_call(alert)


def _of_call(alert: Alert) -> Iterator[Fact]:
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
    # A service that calls for somebody stands in the place of the address, too.
    is_said = principal.invoked_by in (None, principal.source_ip)
    invoked = [] if is_said else [f"through {principal.invoked_by}"]
    yield value(", ".join([principal.client, *invoked, _MFA[principal.mfa]]))
    if principal.access_key_id:
        yield f"key {value(principal.access_key_id)}"


def _attachment(alert: Alert, item: Attachment) -> Iterator[str]:
    is_named = item.resource_id != NOT_NAMED
    yield f"{value(item.resource_type)} {value(item.resource_id) if is_named else 'that the record does not name'}"
    if is_attempt(alert):
        # Alerts of a release before name the groups that the call asked for.
        yield from _listed("asked for: ", item.groups_after or ())
        return
    before, after = item.groups_before, item.groups_after
    if before is None and after is None and alert.changes.before_known:
        yield "not changed"
        return
    yield from _listed("before: ", ("not known",) if before is None else before or ("none",))
    # A call names the groups that it adds to an endpoint, and nothing of what stays.
    among = " (among others)" if before is None and item.resource_type == VPC_ENDPOINT and after else ""
    yield from _listed(f"now{among}: ", ("not known",) if after is None else after or ("none",))


# A line of so many ids is shown whole wherever it is shown.
_IDS_A_LINE = 4
_LINES = 5


def _listed(label: str, items: Sequence[str]) -> Iterator[str]:
    """The items on as many lines as they take, none of them cut; of very many their number."""
    starts = range(0, len(items), _IDS_A_LINE)
    for start in starts[:_LINES]:
        ids = ", ".join(value(item) for item in items[start : start + _IDS_A_LINE])
        yield f"{label if start == 0 else ''}{ids}"
    left = len(items) - _IDS_A_LINE * _LINES
    if left > 0:
        yield f"and {left:,} more"


def _of_prefix_list(item: ChangedPrefixList) -> Iterator[Fact]:
    named, users = tuple(_prefix_list(item)), tuple(_listed("", [_user(use) for use in item.used_by]))
    if named:
        yield Fact("Prefix list", named)
    if users:
        yield Fact("Used by", users)


def _prefix_list(item: ChangedPrefixList) -> Iterator[str]:
    known = [value(text) for text in (item.name, item.id) if text]
    if known:
        yield " ".join([known[0], *(f"({text})" for text in known[1:])])
    if item.owner_id:
        yield f"owner {value(item.owner_id)}"
    if item.version is not None:
        yield f"version {item.version} before"


def _user(use: PrefixListUse) -> str:
    return f"{use.group_name} ({use.group_id})" if use.group_name else use.group_id


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
        yield from _listed("public address ", attached.public_addresses)
    named = [*attached.instances, *attached.services] or list(attached.interfaces)
    yield from _listed("", named or ("nothing",))
