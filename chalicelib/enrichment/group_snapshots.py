"""What a group was before each of its latest changes: a base of rules and the changes received since.

The snapshot is made of events, not of live rules: it holds what alerts have reported, so that a live
group which differs from it has changed without an alert. Events may come late, twice or in
the wrong order; each takes the place that its time gives it, and the rules are played forward again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.enrichment.order_changes import fitting, placed
from chalicelib.enrichment.replay_changes import DRIFT, PastChange, is_certain, replay, replay_with_certainty
from chalicelib.security_groups.lookup_result import Rules
from chalicelib.security_groups.rules import ALL_PROTOCOLS, Direction, Peer, PeerType, SecurityGroupRule, Tags, diff

# EventBridge retries an event for a day and Lambda for six hours: what is older than this comes no more.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
HISTORY_KEPT = timedelta(hours=25)
MAX_HISTORY = 200


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Which group: ids of security groups are unique in a region only."""

    account_id: str
    region: str
    group_id: str


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """A group as far as events were received for it.

    ``base`` are its rules before the first change in ``history``, None where they were never known;
    ``base_time`` is the moment up to which the base holds all changes; it may hold some of a little
    later, so that only for events after ``known_since`` it is known what was before. ``rule_tags`` are
    the rules' own tags by rule id, as last looked up: no watched call changes them. ``revision`` counts
    writes.
    """

    key: GroupKey
    base: Rules | None = None
    base_time: datetime | None = None
    known_since: datetime | None = None
    history: tuple[PastChange, ...] = ()
    name: str | None = None
    vpc_id: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    rule_tags: Mapping[str, Tags] = field(default_factory=dict)
    account_name: str | None = None
    deleted_at: datetime | None = None
    revision: int = 0

    @property
    def rules(self) -> Rules | None:
        """The group's rules after all that is known to have happened."""
        return None if self.base is None else self._tagged(replay(self.base, self.to_play(self.history)))

    def rules_before(self, event_id: str, event_time: datetime) -> Rules | None:
        """The rules just before a change; None where the snapshot does not reach back so far."""
        if self.base is None or self.known_since is None or event_time < self.known_since:
            return None
        rules, certain = replay_with_certainty(self.base, self.to_play(self.earlier(event_id, event_time)))
        return self._tagged(rules) if certain else None

    @property
    def is_certain(self) -> bool:
        """Whether the rules after all that happened are known for sure."""
        return self.base is not None and is_certain(self.base, self.to_play(self.history))

    def _tagged(self, rules: Rules) -> Rules:
        return tuple(rule._replace(tags=self.rule_tags.get(rule.id or "", rule.tags)) for rule in rules)

    def earlier(self, event_id: str, event_time: datetime) -> tuple[PastChange, ...]:
        """The changes before this one, whether it is in the history or has yet to find its place."""
        place = next((i for i, past in enumerate(self.history) if past.event_id == event_id), None)
        if place is not None:
            return self.history[:place]
        return tuple(past for past in self.history if past.event_time <= event_time)

    def to_play(self, history: Iterable[PastChange]) -> Iterable[PastChange]:
        """Without those that the base holds already and that are only remembered."""
        return (past for past in history if self.base_time is None or past.event_time >= self.base_time)

    def settled(self, live: Rules | None) -> GroupSnapshot:
        """The snapshot with the changes of each second in an order that gives the live rules, where there is one."""
        if live is None or self.base is None:
            return self
        to_play = tuple(self.to_play(self.history))
        order = fitting(self.base, to_play, live)
        remembered = self.history[: len(self.history) - len(to_play)]
        return self if order is None else replace(self, history=(*remembered, *order))


def first_seen(key: GroupKey, past: PastChange, before: Rules, observed_at: datetime) -> GroupSnapshot:
    """The snapshot of a group of which nothing was known until this change.

    ``before`` are live rules with the change undone: what was done since is in them, until
    ``observed_at``, and not reported yet.
    """
    return GroupSnapshot(key, base=before, base_time=past.event_time, known_since=observed_at, history=(past,))


def created(key: GroupKey, past: PastChange, live: Rules | None) -> GroupSnapshot:
    """The snapshot of a new group: all egress is allowed, whatever was done to it in the meantime.

    What was done to the default rules since is in the events of that.
    """
    default = tuple(rule._replace(description=None) for rule in live or () if is_default(rule))
    if all(rule.identity != DEFAULT_EGRESS.identity for rule in default):
        default = (DEFAULT_EGRESS,)
    return GroupSnapshot(key, base=default, base_time=past.event_time, known_since=past.event_time, history=(past,))


# https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
DEFAULT_EGRESS = SecurityGroupRule(Direction.EGRESS, ALL_PROTOCOLS, None, None, Peer(PeerType.IPV4, "0.0.0.0/0"))


def is_default(rule: SecurityGroupRule) -> bool:
    """Whether a new group may have been given this rule by AWS; a VPC with IPv6 adds one for ``::/0``."""
    same = rule._replace(peer=DEFAULT_EGRESS.peer) if rule.peer.value == "::/0" else rule
    return same.identity == DEFAULT_EGRESS.identity


def fold(snapshot: GroupSnapshot, past: PastChange, live: Rules | None = None) -> GroupSnapshot:
    """The snapshot with one more change in its place; a change that is in it already changes nothing.

    CloudTrail's times are whole seconds. Among changes of one second the order of arrival counts,
    unless another one gives exactly the live rules.
    """
    if any(known.event_id == past.event_id for known in snapshot.history):
        return snapshot
    return replace(snapshot, history=placed(snapshot.history, past)).settled(live)


def trimmed(snapshot: GroupSnapshot, now: datetime) -> GroupSnapshot:
    """The snapshot with what is too old to matter played into its base."""
    kept = [past for past in snapshot.history if past.event_time >= now - HISTORY_KEPT][-MAX_HISTORY:]
    return shortened(snapshot, len(kept))


def shortened(snapshot: GroupSnapshot, length: int) -> GroupSnapshot:
    """The snapshot with only its latest changes still kept one by one."""
    cut = len(snapshot.history) - length
    if cut <= 0:
        return snapshot
    old, kept = snapshot.history[:cut], snapshot.history[cut:]
    rules, certain = replay_with_certainty(snapshot.base or (), snapshot.to_play(old))
    base = rules if certain and snapshot.base is not None else None
    since = max(filter(None, (snapshot.base_time, old[-1].event_time)))
    known = max(filter(None, (snapshot.known_since, since)))
    cut_short = replace(snapshot, base=base, base_time=since, known_since=known, history=kept)
    return _without_forgotten(cut_short)


def observed(snapshot: GroupSnapshot, live: Rules, at: datetime, until: datetime) -> GroupSnapshot:
    """The snapshot brought to the live rules, as the reconciliation does after it reported the difference.

    The difference becomes a change of its own: what was before it is still known, and an event
    of it that comes late after all changes nothing. The live rules hold all changes up to ``at``, and may
    hold some of a little later, until ``until``.
    """
    second = at.replace(microsecond=0)
    snapshot = with_rule_tags(snapshot.settled(live), live)
    rules = snapshot.rules
    found = diff(rules or (), live)
    if rules is None or not (found or snapshot.is_certain):
        return replace(snapshot, base=live, base_time=second, known_since=until)
    if not found:
        return snapshot
    drift = PastChange(
        f"drift-{at.isoformat()}",
        second,
        DRIFT,
        "unknown",
        added=found.added,
        removed=found.removed,
        modified=found.modified,
    )
    return fold(snapshot, drift, live)


def overtaken(snapshot: GroupSnapshot, seen: GroupSnapshot) -> GroupSnapshot:
    """Merge drift found in an older snapshot into the current one."""
    known = {past.event_id for past in snapshot.history}
    for past in seen.history:
        if past.event_name == DRIFT and past.event_id not in known:
            snapshot = fold(snapshot, past)
    return snapshot


def with_rule_tags(snapshot: GroupSnapshot, rules: Iterable[SecurityGroupRule]) -> GroupSnapshot:
    """The snapshot with the own tags of these rules, as far as they carry them."""
    seen = {rule.id: rule.tags for rule in rules if rule.id is not None and rule.tags is not None}
    return replace(snapshot, rule_tags={**snapshot.rule_tags, **seen})


def _without_forgotten(snapshot: GroupSnapshot) -> GroupSnapshot:
    """Without the tags of rules that are neither there nor in the history."""
    past = (rule for each in snapshot.history for rule in (*each.added, *each.removed))
    ids = {rule.id for rule in (*(snapshot.base or ()), *past)}
    ids |= {rule_id for each in snapshot.history for rule_id in each.touched_ids}
    return replace(snapshot, rule_tags={key: tags for key, tags in snapshot.rule_tags.items() if key in ids})


def rebased(
    snapshot: GroupSnapshot, past: PastChange, before: Rules, live: Rules, observed_at: datetime
) -> GroupSnapshot:
    """The snapshot rebuilt from live rules with a change reverted, after losing consistency."""
    begun = replace(snapshot, base=before, base_time=past.event_time, known_since=observed_at)
    return begun.settled(live)


def resolved(snapshot: GroupSnapshot, past: PastChange) -> GroupSnapshot:
    """The snapshot with a change of its history made more complete."""
    history = tuple(past if known.event_id == past.event_id else known for known in snapshot.history)
    return replace(snapshot, history=history)
