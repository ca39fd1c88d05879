"""An alert made to fit: rule lists are cut first, and what had to go is said in its ``unknowns``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from chalicelib.alert.model import Alert, Principal, SecurityGroup, Undo, to_json
from chalicelib.rendering.lines import rule_count, value
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
    total = rule_count(alert.changes)
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
    changes = alert.changes
    kept = changes._replace(
        added=changes.added[:most],
        removed=changes.removed[:most],
        modified=changes.modified[:most],
        attempted=changes.attempted[:most],
    )
    left = rule_count(changes) - rule_count(kept)
    said = [f"{number_of(left, 'more rule')}: left out to fit into {place}"] if left else []
    more = len(alert.exposures) - most
    said += [f"{number_of(more, 'more exposure')}: left out to fit into {place}"] if more > 0 else []
    worst = sorted(alert.exposures, key=lambda item: -item.severity.rank)[:most]
    return replace(alert, changes=kept, exposures=tuple(worst), unknowns=(*alert.unknowns, *map(other, said)))


def _without_undo(alert: Alert, place: str) -> Alert:
    if not alert.undo.commands:
        return alert
    return replace(alert, undo=Undo(None, f"the commands are too long for {place}"))


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
        account=replace(alert.account, id=alert.account.id and value(alert.account.id), name=None),
        region=alert.region and value(alert.region),
        event=replace(
            alert.event,
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
