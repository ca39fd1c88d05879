"""An alert in sections, in the order in which they are read, before any destination's markup.

What happened and how bad it is, the diff, why, the way back, who and where, the rest. Every destination, the
terminal and the report walk ``sections``, so that none has an order of its own and none says a thing twice. The
summary of an alert made of a record puts its caller, call and worst reason into two sentences, for those who show
nothing else; here they have sections of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.alert.model import Alert
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.facts import Fact, facts
from chalicelib.rendering.lines import (
    changes_title,
    diff_entries,
    outcome_sentence,
    range_entries,
    reasons,
    rule_count,
    undo_elsewhere,
    unshowable,
)
from chalicelib.text import visible


class Paragraph(NamedTuple):
    """A sentence or two below the headline."""

    text: str


class Diff(NamedTuple):
    """The rules, or a prefix list's ranges; ``entries`` may be read once and are made as they are read."""

    title: str
    entries: Iterator[str]
    total: int
    noun: str = "rule"


class Reasons(NamedTuple):
    """Why the alert has its severity, worst first."""

    title: str
    items: tuple[str, ...]


class WayBack(NamedTuple):
    """The undo: a note, which comes before the commands, and the commands where they can be shown."""

    title: str
    note: str
    commands: tuple[str, ...]


class Circumstances(NamedTuple):
    """Who and where."""

    facts: tuple[Fact, ...]


class NotKnown(NamedTuple):
    """What could not be learned."""

    title: str
    items: tuple[str, ...]


class Link(NamedTuple):
    """A page of the AWS console."""

    label: str
    url: str


class Links(NamedTuple):
    """Where to go on."""

    links: tuple[Link, ...]


Section = Paragraph | Diff | Reasons | WayBack | Circumstances | NotKnown | Links


def sections(alert: Alert) -> Iterator[Section]:
    """The sections below the headline that have something in them; what others chose is visible in them."""
    yield from _opening(alert)
    total = rule_count(alert.changes)
    if total:
        yield Diff(changes_title(alert), diff_entries(alert), total)
    if alert.prefix_list and (ranges := len(alert.prefix_list.added) + len(alert.prefix_list.removed)):
        yield Diff(changes_title(alert), range_entries(alert), ranges, "range")
    if alert.exposures:
        yield Reasons(f"Why {alert.severity}", tuple(reasons(alert)))
    yield from _way_back(alert)
    known = tuple(facts(alert))
    if known:
        yield Circumstances(known)
    if alert.unknowns:
        yield NotKnown("Not known", tuple(visible(item.text) for item in alert.unknowns))
    links = tuple(_links(alert))
    if links:
        yield Links(links)


def _opening(alert: Alert) -> Iterator[Paragraph]:
    outcome = outcome_sentence(alert.event)
    if outcome:
        yield Paragraph(outcome)
    if alert.event.name is not None and alert.exposures:
        yield from (Paragraph(visible(note)) for note in alert.notes)
    elif alert.summary and alert.summary != alert.title:
        yield Paragraph(visible(alert.summary))


def _way_back(alert: Alert) -> Iterator[WayBack]:
    undo = alert.undo
    reason = visible(undo.reason) if undo.reason else ""
    if undo.commands is None:
        yield WayBack("Undo not known", reason or "no reason given", ())
    elif undo.commands:
        hidden = unshowable(undo, {})
        yield way_back_elsewhere(alert, hidden) if hidden else WayBack("Undo", reason, undo.commands)


def way_back_elsewhere(alert: Alert, why: str) -> WayBack:
    """The way back where its commands cannot be shown, for the reason given."""
    reason = [visible(alert.undo.reason)] if alert.undo.reason else []
    return WayBack("Undo", " ".join([*reason, undo_elsewhere(alert, why)]), ())


def _links(alert: Alert) -> Iterator[Link]:
    group = alert.security_group.url if alert.security_group else None
    if group:
        yield Link("Open the security group", visible(group))
    if alert.event.url:
        yield Link("Open the CloudTrail event", visible(alert.event.url))
