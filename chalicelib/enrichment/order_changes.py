"""In which order the changes of one second happened: CloudTrail's times are whole seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import groupby

from chalicelib.enrichment.replay_changes import PastChange, different, replay
from chalicelib.security_groups.lookup_result import Rules
from chalicelib.security_groups.rules import RuleIdentity, SecurityGroupRule

_Order = tuple[PastChange, ...]
# A rule as far as a change names it: by its id, by what it allows.
_Names = set[str | RuleIdentity]

_ORDERS_TRIED = 100


def placed(history: _Order, past: PastChange) -> _Order:
    """The history with one more change: the last of its second, as far as no rule is touched before it was or after."""
    before = tuple(known for known in history if known.event_time < past.event_time)
    same = tuple(known for known in history if known.event_time == past.event_time)
    return (*before, *_inserted(same, past), *history[len(before) + len(same) :])


def fitting(base: Rules, history: _Order, live: Rules) -> _Order | None:
    """The history in an order of its seconds that gives exactly the live rules; None where none was found.

    What decides about a rule is the last change of it. So of the rules that come out wrong, one change at a time is
    made the last of its second; where fewer come out wrong, the search goes on first.
    """
    tried, wrong = {_ids(history)}, different(replay(base, history), live)
    waiting = [(len(wrong), 0, wrong, history)]
    while waiting:
        _, _, wrong, best = heappop(waiting)
        if not wrong:
            return best
        for order in _with_another_last(best, _names(wrong)):
            if _ids(order) not in tried and len(tried) < _ORDERS_TRIED:
                tried.add(_ids(order))
                left = different(replay(base, order), live)
                heappush(waiting, (len(left), len(tried), left, order))
    return None


def _with_another_last(history: _Order, wrong: _Names) -> Iterator[_Order]:
    """The history with one change of a wrong rule made the last of its second; the latest seconds first."""
    seconds = [tuple(group) for _, group in groupby(history, key=lambda past: past.event_time)]
    for number in reversed(range(len(seconds))):
        second = seconds[number]
        for place in range(len(second) - 1):
            if not wrong.isdisjoint(_touched(second[place])):
                moved = _inserted((*second[:place], *second[place + 1 :]), second[place])
                yield tuple(past for each in (*seconds[:number], moved, *seconds[number + 1 :]) for past in each)


def _inserted(second: _Order, past: PastChange) -> _Order:
    """A second's changes with one more in the last place that it may take."""
    place = max(_last(second, past), _first(second, past))
    return (*second[:place], past, *second[place:])


def _first(second: _Order, past: PastChange) -> int:
    """The first place that a change may take: not before one that made a rule which it takes or changes."""
    touched = past.touched_ids
    made = (i + 1 for i, known in enumerate(second) if touched & {rule.id for rule in known.added if rule.id})
    return max(made, default=0)


def _last(second: _Order, past: PastChange) -> int:
    """The last place: not after one that took a rule which it makes or changes, nor one that changed what it makes."""
    made = {rule.id for rule in past.added if rule.id}
    ids = past.touched_ids | made
    taken = (
        i
        for i, known in enumerate(second)
        if made & known.touched_ids or ids & {*known.gone, *(rule.id for rule in known.removed if rule.id)}
    )
    return min(taken, default=len(second))


def _touched(past: PastChange) -> _Names:
    changed = [rule for item in past.modified for rule in (item.before, item.after) if rule is not None]
    return _names((*past.added, *past.removed, *changed)) | {name for name in past.touched_ids if name is not None}


def _names(rules: Iterable[SecurityGroupRule]) -> _Names:
    return {name for rule in rules for name in (rule.id, rule.identity) if name is not None}


def _ids(history: _Order) -> tuple[str, ...]:
    return tuple(past.event_id for past in history)
