"""What a change has to do with those before it: the same principal within the hour, or a revert."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from chalicelib.enrichment.replay_changes import DRIFT, PastChange
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.rules import RuleIdentity, SecurityGroupRule
from chalicelib.text import number_of

WITHIN = timedelta(hours=1)
_RuleContents = frozenset[tuple[RuleIdentity, str | None]]


def remarks(change: PastChange, earlier: Iterable[PastChange]) -> tuple[str, ...]:
    """Sentences on the changes of the same group before this one, oldest first in ``earlier``."""
    past = [item for item in earlier if item.event_id != change.event_id and item.event_name != DRIFT]
    undone = next((item for item in reversed(past) if undoes(change, item)), None)
    if undone is not None:
        return (f"This undoes {_whose(undone, change)} change of {_at(undone, change)}.",)
    recent = [
        item for item in past if item.principal == change.principal and change.event_time - item.event_time <= WITHIN
    ]
    if not recent:
        return ()
    names = ", ".join(dict.fromkeys(printable(item.event_name, 60) for item in recent[-3:]))
    counted = number_of(len(recent), "change")
    return (f"{printable(change.principal, 100)} made {counted} to this group in the hour before ({names}).",)


def undoes(change: PastChange, past: PastChange) -> bool:
    """Whether the change is exactly the opposite of an earlier one."""
    parts = (*change.added, *change.removed, *change.modified)
    if not parts or not (_is_whole(change) and _is_whole(past)):
        return False
    return _effect(change) == tuple(reversed(_effect(past)))


def _is_whole(change: PastChange) -> bool:
    """Whether all that it did is known, the previous state of modified rules included."""
    before_missing = any(item.before is None for item in change.modified)
    return not (change.gone or change.described or change.is_partial or before_missing)


def _effect(change: PastChange) -> tuple[_RuleContents, _RuleContents]:
    """The rules removed and added, net."""
    previous = [item.before for item in change.modified if item.before is not None]
    less = (*change.removed, *previous)
    more = (*change.added, *(item.after for item in change.modified))
    return _contents(less), _contents(more)


def _contents(rules: Iterable[SecurityGroupRule]) -> _RuleContents:
    return frozenset((rule.identity, rule.description) for rule in rules)


def _whose(past: PastChange, change: PastChange) -> str:
    return "their own" if past.principal == change.principal else f"{printable(past.principal, 100)}'s"


def _at(past: PastChange, change: PastChange) -> str:
    if past.event_time.date() == change.event_time.date():
        return f"{past.event_time:%H:%M}"
    return f"{past.event_time:%Y-%m-%d %H:%M}"
