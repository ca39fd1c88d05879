"""What the metric filters of a region publish to an alarm's metrics for one record, and for whatever comes beside it.

All filters of a log group read each of its records: one that matches publishes its value, one that does not its
default value (filters with dimensions have none). A metric is its account, region, namespace, name and dimensions.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from chalicelib.alarm_path.alarms.metric_series import UNSURE, Value
from chalicelib.alarm_path.alarms.scenes import Background
from chalicelib.alarm_path.alarms.simulation import Records, Tried
from chalicelib.alarm_path.alarms.timeline import FILTER_INTERVAL, LogEvent, Publication, period_of
from chalicelib.alarm_path.checks.dimensions import published_dimensions, reads_published
from chalicelib.alarm_path.checks.filter_checks import published_number, publishes_nothing
from chalicelib.alarm_path.patterns.evaluate import Verdict
from chalicelib.alarm_path.patterns.joint_verdicts import (
    all_tried,
    is_refused,
    joint_verdicts,
    matches_everything,
    unrelated_verdicts,
)
from chalicelib.alarm_path.patterns.trial import Verdicts
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm, MetricQuery
from chalicelib.alarm_path.snapshot.model import MetricFilter
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Status

# Of filters of which it is not known whether they match, so many are tried both ways.
_MOST_OPEN = 3

# What a metric that is never negative may hold beside nothing: its ends.
_COUNTS = (0.0, 1e9)


@dataclass(frozen=True, slots=True)
class Feeds:
    """The metric filters of one region by metric, and the log groups that receive the trails' records."""

    account: str
    publishers: Mapping[tuple[str, str], Sequence[MetricFilter]]
    groups: frozenset[str]

    def to(self, alarm: MetricAlarm, item: MetricFilter) -> AlarmFeed:
        """What feeds an alarm, seen from one of the filters that do."""
        keys = dict.fromkeys(query.key for query in alarm.watched if self._is_here(query))
        filters = tuple(found for key in keys for found in self.publishers.get(key, ()))
        outside = tuple(
            query for query in alarm.watched if not self._is_here(query) or query.key not in self.publishers
        )
        reading: dict[tuple[str, str], list[MetricQuery]] = {}
        for query in alarm.watched:
            if query not in outside:
                reading.setdefault(query.key, []).append(query)
        units = {key: {found.unit for found in self.publishers.get(key, ())} for key in keys}
        mixed = frozenset(key for key, found in units.items() if len(found) > 1)
        groups = self.groups | {item.log_group}
        return AlarmFeed(alarm, item, filters, self.account, groups, outside, self, reading, mixed)

    def _is_here(self, query: MetricQuery) -> bool:
        return query.account_id in {None, self.account}

    def is_count(self, query: MetricQuery) -> bool:
        """Whether a metric that no filter here publishes is never negative.

        AWS's own metrics are counts and measures; a metric of another account by a name that filters here publish
        counts there what it counts here.
        """
        published = self.publishers.get(query.key, ())
        values = [published_number(found.value) for found in published] + [found.default or 0.0 for found in published]
        alike = bool(published) and all(value is not None and value >= 0 for value in values)
        return query.namespace.startswith("AWS/") or query.statistic == "SampleCount" or alike


@dataclass(frozen=True, slots=True)
class Found:
    """The records of an event that a filter matches, by the numbers of what is published for them.

    ``complete`` is False where there are more combinations of matching filters than were tried.
    """

    certain: tuple[int, ...]
    doubtful: tuple[int, ...]
    complete: bool


@dataclass(slots=True)
class SharedFeed:
    """What all feeds of an alarm have in common that are seen from the same place.

    A hundred filters may feed it, each with as many combinations of those that match together, so each combination is
    worked out once: ``kinds`` holds those of an event with, for each filter and verdict, the places of those in which
    it gets that, and ``settled`` what comes of one. What is published for a log event has a number. ``neutral`` is what
    each filter makes of a record that is none of the watched calls, ``by_pattern`` the places of those with a pattern.
    """

    texts: tuple[str, ...] | None = None
    neutral: tuple[Verdict, ...] | None = None
    by_pattern: dict[str, list[int]] = field(default_factory=dict)
    known: dict[tuple[int, Verdict, str | None], tuple[Publication, ...]] = field(default_factory=dict)
    kinds: dict[str, tuple[list[Verdicts], dict[tuple[int, Verdict], list[int]]]] = field(default_factory=dict)
    settled: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    numbers: dict[LogEvent, int] = field(default_factory=dict)
    tried: Tried = field(default_factory=Tried)
    background: Background | None = None

    def number(self, log_event: LogEvent) -> int:
        """The number of what is published for a log event."""
        return self.numbers.setdefault(log_event, len(self.numbers))

    def published(self, numbers: Iterable[int]) -> tuple[LogEvent, ...]:
        """What has these numbers."""
        events = tuple(self.numbers)
        return tuple(events[number] for number in numbers)


@dataclass(frozen=True, slots=True)
class AlarmFeed:
    """An alarm with all filters that publish to its metrics; ``item`` is the one whose match has to raise it."""

    alarm: MetricAlarm
    item: MetricFilter
    filters: tuple[MetricFilter, ...]
    account: str
    groups: frozenset[str]
    outside: tuple[MetricQuery, ...]
    feeds: Feeds
    reading: Mapping[tuple[str, str], Sequence[MetricQuery]]
    mixed_units: frozenset[tuple[str, str]]
    shared: SharedFeed = field(default_factory=SharedFeed)

    def found(self, event: str) -> Found:
        """The records of an event that the filter matches."""
        certain: dict[int, None] = {}
        doubtful: dict[int, None] = {}
        complete = all(all_tried(self._texts, one) for one in EVENTS)
        for numbers, is_whole in self._options(event):
            complete = complete and is_whole
            (certain if len(numbers) == 1 else doubtful).update(dict.fromkeys(numbers))
        return Found(tuple(certain), tuple(doubtful), complete)

    def records(self, found: Found) -> Records:
        """These records with what the filters publish for them, and what may come beside them."""
        if self.shared.background is None:
            self.shared.background = self._background()
        certain, doubtful = self.shared.published(found.certain), self.shared.published(found.doubtful)
        return Records(certain, doubtful, self.shared.background, found.complete, self.shared.tried)

    def _options(self, event: str) -> Iterator[tuple[tuple[int, ...], bool]]:
        """What may be published for each kind of record that the filter matches, and whether all of that was tried."""
        own = self._own_place
        kinds, places = self._kinds(event)
        matching = places.get((own, Verdict.MATCH), ())
        if not matching or any(self._is_narrowed(found) for found in self.filters):
            for verdicts in self._matching(event):
                yield self._numbered(verdicts, own, event), verdicts.count(Verdict.UNKNOWN) <= _MOST_OPEN
            return
        for place in matching:
            if (event, place) not in self.shared.settled:
                self.shared.settled[event, place] = self._numbered(kinds[place], own, event)
            yield self.shared.settled[event, place], kinds[place].count(Verdict.UNKNOWN) <= _MOST_OPEN

    def _numbered(self, verdicts: Verdicts, own: int, event: str) -> tuple[int, ...]:
        return tuple(self.shared.number(self._publish(option, event)) for option in _settled(verdicts, own))

    def _kinds(self, event: str) -> tuple[list[Verdicts], dict[tuple[int, Verdict], list[int]]]:
        """The combinations of verdicts of an event, and for each filter the places of those in which it may match."""
        if event not in self.shared.kinds:
            kinds = sorted(joint_verdicts(self._texts, event))
            places: dict[tuple[int, Verdict], list[int]] = {}
            for place, verdicts in enumerate(kinds):
                for index, verdict in enumerate(verdicts):
                    if verdict is not Verdict.NO_MATCH:
                        places.setdefault((index, verdict), []).append(place)
            self.shared.kinds[event] = kinds, places
        return self.shared.kinds[event]

    @staticmethod
    def _is_narrowed(found: MetricFilter) -> bool:
        """Whether a filter reads transformed or selected log events."""
        return found.on_transformed or bool(found.criteria)

    def _background(self) -> Background:
        """What may come beside the record."""
        neutral = self._neutrals
        usual = self._published([neutral], None)
        kinds = {*unrelated_verdicts(self._texts)} | set(self._solo(neutral))
        calls = self._published((_sure(self._only_here(kind, neutral)) for kind in kinds), None)
        usual += tuple(self._of_other_group(group, Verdict.NO_MATCH) for group in self._other_groups)
        calls += tuple(self._of_other_group(group, Verdict.MATCH) for group in self._other_groups)
        changes = tuple(
            dict.fromkeys(
                found
                for event in EVENTS
                for found in self._published(map(_sure, joint_verdicts(self._texts, event)), event)
            )
        )
        quiet = {found for found in usual if found}
        return Background(
            tuple(found for found in usual if found),
            self._resting(usual),
            tuple(dict.fromkeys(found for found in calls if found and found not in quiet)),
            changes,
            self._outside(),
        )

    def _resting(self, usual: Iterable[LogEvent]) -> tuple[LogEvent, ...]:
        """What comes all the time; an alarm that one filter alone feeds, and that others raise too, over-matches."""
        alone = len(self.filters) == 1
        found = (LogEvent(item for item in kind if not (alone and item.matched)) for kind in usual)
        return tuple(kind for kind in found if kind)

    @property
    def unmatched_events(self) -> tuple[str, ...]:
        """The events to try where the filter matches none: one, unless dimensions differ from event to event."""
        return EVENTS if any(found.dimensions for found in self.filters) else EVENTS[:1]

    @property
    def seen_from(self) -> str:
        """What of the filter the background depends on: its log group, and its name where its value is assumed."""
        assumed = self.item.name if published_number(self.item.value) is None else ""
        return f"{self.item.log_group}\0{assumed}"

    @property
    def _texts(self) -> tuple[str, ...]:
        """The patterns by filter; of a filter on another log group one that no record here meets."""
        if self.shared.texts is None:
            self.shared.texts = tuple(found.pattern if self._here(found) else "" for found in self.filters)
        return self.shared.texts

    @property
    def _own_place(self) -> int:
        return self.filters.index(self.item)

    @property
    def _other_groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(found.log_group for found in self.filters if not self._here(found)))

    def _here(self, found: MetricFilter) -> bool:
        return found.log_group in self.groups

    @property
    def _neutrals(self) -> tuple[Verdict, ...]:
        if self.shared.neutral is None:
            self.shared.neutral = tuple(
                Verdict.of(self._here(found) and matches_everything(found.pattern)) for found in self.filters
            )
        return self.shared.neutral

    def _solo(self, neutral: Sequence[Verdict]) -> Iterator[Verdicts]:
        """For a filter about other calls alone, a record that it matches."""
        kinds = [unrelated_verdicts(self._texts), *(joint_verdicts(self._texts, event) for event in EVENTS)]
        seen = [any(column) for column in zip(*(verdicts for kind in kinds for verdicts in kind), strict=True)]
        for place, found in enumerate(self.filters):
            if self._here(found) and not seen[place] and not is_refused(found.pattern):
                yield (*neutral[:place], Verdict.MATCH, *neutral[place + 1 :])

    def _only_here(self, verdicts: Verdicts, neutral: Sequence[Verdict]) -> Verdicts:
        pairs = zip(self.filters, verdicts, neutral, strict=True)
        return tuple(verdict if self._here(found) else other for found, verdict, other in pairs)

    def _matching(self, event: str) -> Iterator[Verdicts]:
        """The combinations in which the filter matches, or may; where it never does, as if it did."""
        own, (kinds, places) = self._own_place, self._kinds(event)
        found = places.get((own, Verdict.MATCH)) or places.get((own, Verdict.UNKNOWN))
        if found is None:
            yield self._assumed()
            return
        for place in found:
            yield tuple(self._scoped(index, verdict, own) for index, verdict in enumerate(kinds[place]))

    def _scoped(self, index: int, verdict: Verdict, own: int) -> Verdict:
        """Whether a filter that reads transformed or selected log events matches is not known here."""
        found = self.filters[index]
        if not self._here(found):
            return Verdict.NO_MATCH
        return min(verdict, Verdict.UNKNOWN) if index != own and self._is_narrowed(found) else verdict

    def _assumed(self) -> Verdicts:
        if not self.shared.by_pattern:
            for index, found in enumerate(self.filters):
                if self._here(found):
                    self.shared.by_pattern.setdefault(found.pattern, []).append(index)
        verdicts = list(self._neutrals)
        for index in self.shared.by_pattern[self.item.pattern]:
            verdicts[index] = Verdict.MATCH
        return tuple(verdicts)

    def _published(self, kinds: Iterable[Verdicts], event: str | None) -> tuple[LogEvent, ...]:
        return tuple(dict.fromkeys(self._publish(verdicts, event) for verdicts in kinds))

    def _publish(self, verdicts: Verdicts, event: str | None) -> LogEvent:
        """What the filters of the trails' log groups publish for one log event there, in an order of its own."""
        here = [(place, verdict) for place, verdict in enumerate(verdicts) if self._here(self.filters[place])]
        return _ordered(item for place, verdict in here for item in self._of_filter(place, verdict, event))

    def _of_other_group(self, group: str, verdict: Verdict) -> LogEvent:
        places = [place for place, found in enumerate(self.filters) if found.log_group == group]
        return _ordered(item for place in places for item in self._of_filter(place, verdict, None))

    def _publisher(self, place: int) -> int:
        """Which filter publishes, where that matters: whether its match and its default fall into one minute."""
        matters = self.filters[place].default is not None and period_of(self.alarm) <= FILTER_INTERVAL
        return place if matters else -1

    def _of_filter(self, place: int, verdict: Verdict, event: str | None) -> tuple[Publication, ...]:
        key = (place, verdict, event)
        if key not in self.shared.known:
            self.shared.known[key] = tuple(self._publications(*key))
        return self.shared.known[key]

    def _publications(self, place: int, verdict: Verdict, event: str | None) -> Iterator[Publication]:
        found = self.filters[place]
        for query in self.reading.get((found.namespace, found.metric), ()):
            if query.unit not in {None, found.unit}:
                continue
            if verdict is Verdict.MATCH:
                yield from self._match(query, place, event)
            elif found.default is not None and not found.dimensions and self._reads(query, found, event):
                yield Publication(query.id, self._publisher(place), self._default(query, found), matched=False)

    def _reads(self, query: MetricQuery, found: MetricFilter, event: str | None) -> bool:
        return reads_published(query, published_dimensions(found, event, self.account), self.account) is not Status.FAIL

    def _match(self, query: MetricQuery, place: int, event: str | None) -> Iterator[Publication]:
        found = self.filters[place]
        reads = reads_published(query, published_dimensions(found, event, self.account), self.account)
        value = self._value(found) if reads is Status.PASS and not self._mixed_units(query) else None
        if reads is not Status.FAIL:
            yield Publication(query.id, self._publisher(place), value, matched=True)

    def _value(self, found: MetricFilter) -> float | None:
        number = published_number(found.value)
        # Beside a filter that publishes nothing, the alarm's own faults show on the usual 1.
        assumed = number is None and found == self.item and publishes_nothing(found)
        return 1.0 if assumed else number

    def _default(self, query: MetricQuery, found: MetricFilter) -> float | None:
        return None if self._mixed_units(query) else found.default

    def _mixed_units(self, query: MetricQuery) -> bool:
        """AWS: where a metric has several units and the alarm names none, its behavior is not defined."""
        return query.unit is None and query.key in self.mixed_units

    def _outside(self) -> tuple[Mapping[str, Value], ...]:
        unsure: dict[str, Value] = {query.id: UNSURE for query in self.outside if not self.feeds.is_count(query)}
        counts = [query.id for query in self.outside if query.id not in unsure]
        ends: tuple[Value, ...] = (None, *(_COUNTS if counts else ()))
        return tuple({**unsure, **dict.fromkeys(counts, end)} for end in ends)


def _ordered(items: Iterable[Publication]) -> LogEvent:
    """Log events for which the same is published are the same, whichever filters publish it."""
    return LogEvent(sorted(items, key=lambda item: (item.query, item.publisher, item.matched, str(item.value))))


def _sure(verdicts: Verdicts) -> Verdicts:
    return tuple(Verdict.of(verdict is Verdict.MATCH) for verdict in verdicts)


def _settled(verdicts: Verdicts, own: int) -> Iterator[Verdicts]:
    """The combination with each unknown verdict both ways; the filter's own is taken as a match."""
    open_places = [place for place, verdict in enumerate(verdicts) if verdict is Verdict.UNKNOWN and place != own]
    both = (Verdict.NO_MATCH, Verdict.MATCH)
    for chosen in product(both, repeat=min(len(open_places), _MOST_OPEN)):
        known = dict(zip(open_places, chosen, strict=False)) | {own: Verdict.MATCH}
        yield tuple(known.get(place, _sure((verdict,))[0]) for place, verdict in enumerate(verdicts))


def without_filter(alarm: MetricAlarm, values: Iterable[float], defaults: Iterable[float | None]) -> Iterator[Records]:
    """Records of a filter that nobody saw: each value that it could publish, with each default value."""
    for value, default in product(values, defaults):
        match = LogEvent(Publication(query.id, 0, value, matched=True) for query in alarm.watched)
        others = match if default is not None else LogEvent()
        other = LogEvent(replace(item, value=default, matched=False) for item in others)
        yield Records((match,), (), Background(*(((other,) if other else (),) * 2)))
