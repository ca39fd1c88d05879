"""The alert about a drift: a group whose live rules differ from what alerts have reported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from chalicelib.alert.model import Account, Alert, AlertKind, Changes, SecurityGroup, Undo
from chalicelib.aws import console_links as console
from chalicelib.cloudtrail.catalog import WatchedEvent, lookup
from chalicelib.enrichment.group_snapshots import GroupKey
from chalicelib.exposure.judge import Exposure, judge
from chalicelib.security_groups.changes import Change, Outcome
from chalicelib.security_groups.lookup_result import ResolvedChange, Rules
from chalicelib.security_groups.phrases import group_phrase, printable
from chalicelib.security_groups.rules import Direction, SecurityGroupRule, diff
from chalicelib.security_groups.severity import Severity, severity_of
from chalicelib.security_groups.unknowns import Unknown, other
from chalicelib.text import number_of
from chalicelib.undo.from_lookups import restore
from chalicelib.undo.opening import rules_warning


@dataclass(frozen=True, slots=True)
class Drift:
    """A change without a received event: ``before`` is None for an unknown group, ``after`` for a deleted one.

    ``calls`` are what CloudTrail knows to have happened to the group lately, in words, and ``unasked`` why
    it could not be asked; ``revision`` is the snapshot's, so that the same difference at another time is another drift.
    """

    key: GroupKey
    name: str | None
    vpc_id: str | None
    before: Rules | None
    after: Rules | None
    found_at: datetime
    calls: tuple[str, ...] = ()
    revision: int = 0
    unasked: str | None = None


def drift_alert(drift: Drift) -> Alert:
    """The alert of a drift."""
    group = group_phrase(drift.name, drift.key.group_id)
    change = _change(drift, "ModifySecurityGroupRules", _changes(drift))
    exposures = _exposures(drift, change)
    what = _what(drift, change.changes)
    return Alert(
        id=_id(drift),
        kind=AlertKind.DRIFT,
        severity=severity_of(exposures),
        title=f"Untracked change on {group}: {what}",
        summary=f"No CloudTrail event was received for this change: {what}. "
        f"Found by comparing the live rules of {group} with those last reported.",
        occurred_at=drift.found_at.replace(microsecond=0),
        account=Account(drift.key.account_id),
        region=drift.key.region,
        security_group=SecurityGroup(
            id=drift.key.group_id,
            name=drift.name,
            vpc_id=drift.vpc_id,
            url=console.security_group_url(drift.key.group_id, drift.key.region),
        ),
        changes=change.changes,
        exposures=exposures,
        undo=_undo(drift, change.changes),
        unknowns=_unknowns(drift),
    )


def _changes(drift: Drift) -> Changes:
    if drift.after is None:
        return Changes(removed=drift.before or ())
    found = diff(drift.before or (), drift.after)
    return Changes(found.added, found.removed, found.modified, rules_after=len(drift.after))


def _exposures(drift: Drift, change: Change) -> tuple[Exposure, ...]:
    if drift.after is None:
        return (Exposure(Severity.MEDIUM, "The group was deleted, and no CloudTrail event was received for it."),)
    silent = Exposure(Severity.LOW, "The rules changed, and no CloudTrail event was received for it.")
    known = ResolvedChange(change, drift.before, is_whole=drift.before is not None, after=drift.after)
    judged = judge(known, by_root=False, account_id=drift.key.account_id) if _rules(change.changes) else ()
    return tuple(sorted((*judged, silent), key=lambda exposure: -exposure.severity.rank))


def _rules(changes: Changes) -> int:
    return len(changes.added) + len(changes.removed) + len(changes.modified)


def _what(drift: Drift, changes: Changes) -> str:
    if drift.after is None:
        return "the group was deleted"
    counted = {"added": changes.added, "removed": changes.removed, "changed": changes.modified}
    said = [f"{number_of(len(rules), 'rule')} {how}" for how, rules in counted.items() if rules]
    made = "a group created without a received event" if drift.before is None else ""
    return ", ".join([*([made] if made else []), *said]) or "the group exists"


def _undo(drift: Drift, changes: Changes) -> Undo:
    """What was added goes, what was removed comes back, what was modified is as before."""
    if drift.after is None or drift.before is None:
        return Undo(None, "a group created or deleted without a received event may be wanted")
    parts = [
        *_per_direction(drift, "Authorize", changes.added),
        *_per_direction(drift, "Revoke", changes.removed),
        *([_change(drift, "ModifySecurityGroupRules", Changes(modified=changes.modified))] if changes.modified else []),
    ]
    commands: list[str] = []
    for part in parts:
        undone = restore(part, drift.key.region)
        if undone.commands is None:
            return undone
        commands += undone.commands
    return Undo(tuple(commands), rules_warning(changes))


def _per_direction(drift: Drift, verb: str, rules: tuple[SecurityGroupRule, ...]) -> list[Change]:
    found = []
    for direction in Direction:
        own = tuple(rule for rule in rules if rule.direction is direction)
        changes = Changes(added=own) if verb == "Authorize" else Changes(removed=own)
        if own:
            found.append(_change(drift, f"{verb}SecurityGroup{direction.capitalize()}", changes))
    return found


def _change(drift: Drift, name: str, changes: Changes) -> Change:
    event: WatchedEvent | None = lookup("ec2.amazonaws.com", name)
    if event is None:
        raise AssertionError(f"{name} is in the catalog")
    made = Change(event, Outcome.SUCCEEDED, drift.key.group_id, drift.name, drift.vpc_id)
    return made._replace(changes=changes)


def _unknowns(drift: Drift) -> tuple[Unknown, ...]:
    if drift.unasked is not None:
        return (other(f"who did it: {drift.unasked}"),)
    if not drift.calls:
        return (other("who did it: CloudTrail names no call on this group in the last day"),)
    said = "; ".join(printable(call, 200) for call in drift.calls[-5:])
    return (other(f"who did it: none of the calls that CloudTrail names explains it ({said})"),)


def _id(drift: Drift) -> str:
    """The same for the same difference, so that a repeated sweep reports it once."""
    key = drift.key
    rules = sorted(repr(rule) for rule in drift.after) if drift.after is not None else ["gone"]
    text = "\n".join([key.account_id, key.region, key.group_id, str(drift.revision), *rules])
    return "drift-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
