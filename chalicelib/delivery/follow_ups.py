"""A burst's follow-up: one alert for what was folded, with every group and every distinct reason above low."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from chalicelib.alert.model import Account, Alert, AlertKind, Changes, Exposure, Severity, Undo
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.rules import RuleIdentity, SecurityGroupRule
from chalicelib.text import number_of

# How many groups and further reasons one alert names: Slack has room for some 300.
NAMED = 250
# Ids of changes that could not be read, in one alert.
_IDS = 50


def follow_ups(folded: Sequence[Alert], window: str) -> list[Alert]:
    """The alerts for what was folded: they count the changes and name every group once, the worst first.

    Nearly always it is one; what a message of any destination has no room to name goes into another.
    """
    if len(folded) == 1:
        return list(folded)
    groups = sorted(by_group(folded).items(), key=lambda item: -_worst(item[1]).severity.rank)
    return [_follow_up(part, window) for part in parts(groups)]


GroupedAlerts = list[tuple[str, list[Alert]]]


def parts(groups: GroupedAlerts) -> Iterator[GroupedAlerts]:
    """The groups, as many together as one alert has room to name with all their reasons."""
    part: GroupedAlerts = []
    named = 0
    for name, alerts in groups:
        needed = len(of_group(name, alerts))
        if part and named + needed > NAMED:
            yield part
            part, named = [], 0
        part.append((name, alerts))
        named += needed
    if part:
        yield part


def unreadable(ids: Sequence[str], window: str, ended_at: datetime, held: str = "of a burst") -> Alert:
    """The alert for changes that were held back and whose items cannot be read: they are named by their ids."""
    count = number_of(len(ids), "change")
    named = ", ".join(printable(each, 100) for each in ids[:_IDS])
    left = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    digest = hashlib.sha256("\n".join([window, *sorted(ids)]).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Alert(
        id=f"burst-unreadable-{digest}",
        kind=AlertKind.DELIVERY_PROBLEM,
        severity=Severity.HIGH,
        title=f"{count} {held} could not be read from the state table",
        summary=f"{count} {held} could not be read back, so what was done is not known here: another "
        f"version of sgwatch, or somebody else, wrote the items. Look the events up in CloudTrail: {named}{left}.",
        occurred_at=ended_at.replace(microsecond=0),
        account=Account(None),
        region=None,
        exposures=(Exposure(Severity.HIGH, f"Held back and not readable: {named}{left}."),),
        undo=Undo(None, "what was changed could not be read"),
    )


def _follow_up(groups: GroupedAlerts, window: str) -> Alert:
    folded = [alert for _, alerts in groups for alert in alerts]
    exposures = worst_first(exposure for name, alerts in groups for exposure in of_group(name, alerts))
    last = max(folded, key=lambda alert: alert.occurred_at or datetime.min.replace(tzinfo=UTC))
    who = last.principal.name if last.principal else "somebody"
    count = f"{number_of(len(folded), 'more change')} of {number_of(len(groups), _kind(folded))}"
    # Destinations with other filters get other changes, and so another alert.
    content = hashlib.sha256("\n".join([window, *sorted(map(delivery_id, folded))]).encode()).hexdigest()[:32]
    return Alert(
        id=f"burst-{content}",
        kind=AlertKind.SECURITY_GROUP_CHANGE,
        severity=exposures[0].severity,
        title=f"{count} by {who}",
        summary=f"{count} by {who} followed within a minute or so of the alert before; each group is named below.",
        occurred_at=last.occurred_at,
        account=account_of(folded),
        region=last.region if len({alert.region for alert in folded}) == 1 else None,
        principal=last.principal,
        exposures=exposures,
        undo=_undo(folded),
        unknowns=tuple(dict.fromkeys(item for alert in folded for item in alert.unknowns))[:50],
    )


def account_of(folded: Iterable[Alert]) -> Account:
    """The account of them all, with its name where one of them knows it."""
    accounts = sorted({alert.account for alert in folded}, key=lambda account: account.name is None)
    return accounts[0] if len({account.id for account in accounts}) == 1 else Account(None)


def by_group(folded: Iterable[Alert]) -> dict[str, list[Alert]]:
    """What was done to each group, under what the group is called: its id first, which no list cuts off.

    A prefix list, and a resource that was given other groups, stands for itself.
    """
    groups: dict[str | None, list[Alert]] = {}
    for alert in folded:
        groups.setdefault(_subject(alert), []).append(alert)
    return {_called(key, alerts): alerts for key, alerts in groups.items()}


def _subject(alert: Alert) -> str | None:
    """What the alert is about, by its id where it has one."""
    if alert.attachment is not None:
        return f"{alert.attachment.resource_type} {alert.attachment.resource_id or 'not named'}"
    if alert.security_group is not None:
        return alert.security_group.id or alert.security_group.name
    if alert.prefix_list is not None:
        return f"prefix list {alert.prefix_list.id}" if alert.prefix_list.id else printable(alert.title, 200)
    return None


def _kind(folded: Iterable[Alert]) -> str:
    """What the alerts are about, in a word."""
    kinds = {
        "resource" if alert.attachment else "prefix list" if alert.prefix_list else "security group" for alert in folded
    }
    return kinds.pop() if len(kinds) == 1 else "resource"


def _called(key: str | None, alerts: Iterable[Alert]) -> str:
    if key is None:
        return "an unnamed group"
    name = next(filter(None, map(_name, alerts)), key)
    # What stands before the first colon is the group, whatever it is called (see message_parts.in_brief).
    return (key if name == key else f"{key} ({name})").replace(": ", ":")


def _name(alert: Alert) -> str | None:
    if alert.attachment is not None:
        return None
    named = alert.security_group or alert.prefix_list
    return named.name if named is not None else None


def _worst(alerts: Iterable[Alert]) -> Alert:
    return max(alerts, key=lambda alert: alert.severity.rank)


def of_group(name: str, alerts: Sequence[Alert]) -> list[Exposure]:
    """What was done to one group: the worst reason with the number of changes, then every other reason above low."""
    worst = _worst(alerts)
    found = sorted((each for alert in alerts for each in alert.exposures), key=lambda each: -each.severity.rank)
    reasons: dict[str, Exposure] = {}
    for each in found:
        reasons.setdefault(each.reason, each)
    first, *others = reasons.values() or [Exposure(worst.severity, str(worst.event.name or "changed"))]
    notable = [each for each in others if each.severity.rank > Severity.LOW.rank]
    mild = dict.fromkeys(control for each in found if each not in notable for control in each.controls)
    head = Exposure(worst.severity, f"{name}: {number_of(len(alerts), 'change')}; {first.reason}", tuple(mild))
    return [head, *(Exposure(each.severity, f"{name}: {each.reason}", each.controls) for each in notable)]


def worst_first(exposures: Iterable[Exposure]) -> tuple[Exposure, ...]:
    """The exposures by their severity."""
    return tuple(sorted(exposures, key=lambda each: -each.severity.rank))


def _undo(folded: Sequence[Alert]) -> Undo:
    """The last change is undone first."""
    for name, alerts in by_group(folded).items():
        if (reason := _why_not_in_a_row(alerts)) is not None:
            return Undo(None, reason.format(printable(name, 100)))
    commands: list[str] = []
    notes: list[str] = []
    for alert in sorted(folded, key=lambda a: a.occurred_at or datetime.min.replace(tzinfo=UTC), reverse=True):
        if alert.undo.commands is None:
            return Undo(None, f"of one change it is not known: {alert.undo.reason}")
        commands += alert.undo.commands
        notes += [alert.undo.reason] if alert.undo.commands and alert.undo.reason else []
    return Undo(tuple(commands), " ".join(dict.fromkeys(notes)) or None)


def _why_not_in_a_row(alerts: Sequence[Alert]) -> str | None:
    """Why the changes of one group cannot be undone one after the other; None where they can."""
    if len(alerts) > 1 and any(alert.event.name == "DeleteSecurityGroup" for alert in alerts):
        return "{} was changed and deleted, and what it was changed by cannot be undone once it is back under a new id"
    if len(alerts) > 1 and any(alert.prefix_list is not None for alert in alerts):
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RestoreManagedPrefixListVersion.html
        return "{} was changed more than once, and what is restored counts as another version of it"
    touched: set[tuple[datetime | None, RuleIdentity | None]] = set()
    for alert in alerts:
        own: set[tuple[datetime | None, RuleIdentity | None]]
        own = {(alert.occurred_at, rule.identity) for rule in _touched(alert.changes)}
        own |= {(alert.occurred_at, None)} if alert.attachment is not None else set()
        if touched & own:
            return "which of the changes of {} in one second came first is not known"
        touched |= own
    return None


def _touched(changes: Changes) -> Iterator[SecurityGroupRule]:
    yield from (*changes.added, *changes.removed)
    for item in changes.modified:
        yield from filter(None, (item.before, item.after))
