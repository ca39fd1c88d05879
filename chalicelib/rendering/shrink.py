"""An alert made to fit: rule lists are cut first, and what had to go is said in its ``unknowns``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from chalicelib.alert.model import Alert, ChangedPrefixList, Changes, Principal, SecurityGroup, Undo, to_json
from chalicelib.exposure.list_entries import widest_first
from chalicelib.rendering.lines import rule_count, rule_ranks, value
from chalicelib.security_groups.unknowns import other
from chalicelib.text import number_of


def shrink(alert: Alert, room: int, place: str) -> Alert:
    """The alert, cut until its JSON (ASCII, no spaces) has at most that many bytes.

    ``place`` is what it has to fit into, with its article. Whatever the record held, the last
    resort is a few thousand bytes long.
    """
    for candidate in _ever_smaller(alert, place):
        if len(json.dumps(to_json(candidate), separators=(",", ":"))) <= room:
            break
    return candidate


def _ever_smaller(alert: Alert, place: str) -> Iterator[Alert]:
    yield alert
    total = rule_count(alert.changes) + _range_count(alert.prefix_list)
    if not total:
        # The alert of a burst names its groups in its exposures: they are worth more than how to undo it.
        alert = _without_undo(alert, place)
        yield alert
        total = len(alert.exposures)
    for most in (1_000, 300, 100, 30, 10):
        if total > most:
            yield _with_fewer_rules(alert, most, place)
    shortened = _without_undo(_with_fewer_rules(alert, 10, place), place)
    yield shortened
    yield _with_short_texts(shortened, place)


def _with_fewer_rules(alert: Alert, most: int, place: str) -> Alert:
    changes, entries = _fewer_rules(alert, most), _fewer_ranges(alert.prefix_list, most)
    left = {
        "more rule": rule_count(alert.changes) - rule_count(changes),
        "more range": _range_count(alert.prefix_list) - _range_count(entries),
        "more exposure": len(alert.exposures) - most,
    }
    said = [f"{number_of(count, noun)}: left out to fit into {place}" for noun, count in left.items() if count > 0]
    worst = sorted(alert.exposures, key=lambda item: -item.severity.rank)[:most]
    unknowns = (*alert.unknowns, *map(other, said))
    return alert._replace(changes=changes, prefix_list=entries, exposures=tuple(worst), unknowns=unknowns)


def _fewer_rules(alert: Alert, most: int) -> Changes:
    """The worst rules of each list, in its order."""
    ranks = rule_ranks(alert)
    changes = alert.changes
    return changes._replace(
        added=_worst(changes.added, most, lambda rule: ranks.get(rule, -1)),
        removed=_worst(changes.removed, most, lambda rule: ranks.get(rule, -1)),
        modified=_worst(changes.modified, most, lambda item: ranks.get(item.after, -1)),
        attempted=_worst(changes.attempted, most, lambda rule: ranks.get(rule, -1)),
    )


_Item = TypeVar("_Item")


def _worst(items: Sequence[_Item], most: int, rank: Callable[[_Item], int]) -> tuple[_Item, ...]:
    places = sorted(range(len(items)), key=lambda place: -rank(items[place]))[:most]
    return tuple(items[place] for place in sorted(places))


def _fewer_ranges(entries: ChangedPrefixList | None, most: int) -> ChangedPrefixList | None:
    """The widest ranges, in the call's order."""
    if entries is None:
        return None
    every = (*(item.cidr for item in entries.added), *entries.removed)
    widest = {cidr: -place for place, cidr in enumerate(widest_first(every))}
    return entries._replace(
        added=_worst(entries.added, most, lambda item: widest[item.cidr]),
        removed=_worst(entries.removed, most, lambda cidr: widest[cidr]),
        used_by=entries.used_by[:most],
    )


def _range_count(entries: ChangedPrefixList | None) -> int:
    return len(entries.added) + len(entries.removed) if entries else 0


def _without_undo(alert: Alert, place: str) -> Alert:
    if not alert.undo.commands:
        return alert
    return alert._replace(undo=Undo(None, f"the commands are too long for {place}"))


def _with_short_texts(alert: Alert, place: str) -> Alert:
    """The last resort, for a record of absurd texts: only what identifies the alert, and that cut."""
    said = f"all but the headline, the call, who and which group: left out to fit into {place}"
    who, group = alert.principal, alert.security_group
    return Alert(
        id=value(alert.id),
        kind=alert.kind,
        severity=alert.severity,
        title=value(alert.title, 500),
        summary=value(alert.summary, 500),
        occurred_at=alert.occurred_at,
        account=alert.account._replace(id=alert.account.id and value(alert.account.id), name=None),
        region=alert.region and value(alert.region),
        event=alert.event._replace(
            name=alert.event.name and value(alert.event.name),
            source=None,
            id=alert.event.id and value(alert.event.id),
            request_id=None,
            error_code=alert.event.error_code and value(alert.event.error_code),
            error_message=None,
            url=None,
        ),
        principal=who and Principal(value(who.type), value(who.name), source_ip=who.source_ip and value(who.source_ip)),
        security_group=group and SecurityGroup(id=group.id and value(group.id), name=group.name and value(group.name)),
        undo=Undo(None, f"the commands are too long for {place}"),
        unknowns=(other(said),),
    )
