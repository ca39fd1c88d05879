"""The reconciliation: live rules against what alerts have reported, region by region.

What differs was changed without an alert. CloudTrail is asked first: a call it knows of
that made no alert is alerted as late, in full; what remains is a drift. A difference has to last
before it counts, because events may still be under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.alert import build as judgement
from chalicelib.alert.model import Alert, with_note
from chalicelib.cloudtrail.catalog import EventGroup, lookup
from chalicelib.cloudtrail.event_history import EventHistory, NoHistory
from chalicelib.cloudtrail.principals import read_principal
from chalicelib.cloudtrail.records import parse_time, read_record, text
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import GroupKey, GroupSnapshot, observed, overtaken
from chalicelib.enrichment.parse_answers import read_groups, with_tags
from chalicelib.enrichment.replay_changes import same_rules
from chalicelib.observability.logs import Log
from chalicelib.reconciliation.drift import Drift, drift_alert
from chalicelib.reconciliation.outbox import Outbox
from chalicelib.reconciliation.suspicion import GRACE, Suspicions, difference
from chalicelib.security_groups.changes import NotWatched
from chalicelib.security_groups.lookup_result import GroupInfo, Rules
from chalicelib.security_groups.wire_rules import read_rule_set
from chalicelib.state.codec import StateItem, number_in
from chalicelib.state.state_table import StateTable

# How far back a call is looked for that explains a difference.
LOOK_BACK = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Live:
    """A group as it was when it was looked at; no change after ``looked_at`` is certain to be in its rules."""

    info: GroupInfo
    rules: Rules
    looked_at: datetime


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep of a region found: alerts sent late, drifts, and differences that may still explain themselves."""

    groups: int = 0
    late: int = 0
    drifts: int = 0
    suspected: int = 0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Sweeps the regions of one account.

    ``client`` gives a client of a service in a region. ``watch`` are the groups of events that are alerted on.
    ``alert_of`` makes the alert of a record and remembers it in the snapshots; ``seen`` says whether an alert
    was decided on before; ``send`` gets an alert to the destinations, and raises where it could not.
    """

    account_id: str
    snapshots: Snapshots
    table: StateTable
    client: Callable[[str, str], Any]
    watch: Collection[EventGroup]
    alert_of: Callable[[Mapping[str, Any]], Alert]
    seen: Callable[[Alert], bool]
    send: Callable[[Alert], None]
    log: Log
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep

    def sweep(self, region: str) -> Sweep:
        """Compare every group of a region, report what no alert reported, and take the live rules over.

        The first sweep of a region reports nothing: it records how things are.
        """
        outbox = self._outbox(region)
        # Whether these were seen says nothing: the sweep that failed had noted them as sent.
        late = sum(self._send_late(outbox, key, self.alert_of(raw)) for key, raw in outbox.unsent().items())
        swept = self._was_swept(region)
        live = live_groups(self.client("ec2", region), self.now())
        known = {each.key.group_id: each for each in self.snapshots.of_region(self.account_id, region)}
        suspicions = self._suspicions(region)
        suspected = suspicions.groups()
        total = Sweep(groups=len(live), late=late)
        for group_id in sorted({*live, *(key for key, each in known.items() if each.deleted_at is None)}):
            key = GroupKey(self.account_id, region, group_id)
            snapshot = known.get(group_id)
            if not self._differs(snapshot, live.get(group_id), swept=swept):
                self._take_down(key, snapshot, live.get(group_id))
                if group_id in suspected:
                    suspicions.drop(group_id)
                continue
            total = self._explain(key, snapshot, live.get(group_id), total)
        self._note_sweep(region)
        self.log.info("region reconciled", region=region, groups=total.groups, late=total.late, drifts=total.drifts)
        return total

    def _differs(self, snapshot: GroupSnapshot | None, live: Live | None, *, swept: bool) -> bool:
        unknown = snapshot is None or snapshot.deleted_at is not None
        if live is None:
            return not unknown
        if snapshot is None or unknown:
            return swept
        return snapshot.rules is not None and not same_rules(snapshot.settled(live.rules).rules or (), live.rules)

    def _take_down(self, key: GroupKey, snapshot: GroupSnapshot | None, live: Live | None) -> None:
        """Begin the snapshot of a group of which nothing is known yet, or learn what the live rules say beside it."""
        if live is None:
            return
        if snapshot is None or snapshot.rules is None or self._as_observed(snapshot, live) != snapshot:
            self._observe(key, live, snapshot)

    def _explain(self, key: GroupKey, snapshot: GroupSnapshot | None, live: Live | None, total: Sweep) -> Sweep:
        suspicion = self._suspicions(key.region).look(key.group_id, _difference(snapshot, live))
        if not suspicion.has_lasted:
            return replace(total, suspected=total.suspected + 1)
        records, unasked = self._records(key)
        under_way = [raw for raw in records if self._is_under_way(raw)]
        received = {past.event_id for past in snapshot.history} if snapshot else set()
        late = sum(self._send_if_unreported(key.region, raw, received) for raw in records if raw not in under_way)
        snapshot, total = self.snapshots.get(key), replace(total, late=total.late + late)
        if not self._differs(snapshot, live, swept=True):
            return total
        if late and (snapshot is None or snapshot.rules is None) and not under_way:
            # Without snapshots being made of records, the late alert has reported everything.
            self._observe(key, live, snapshot)
            return total
        if not suspicion.may_be_reported(_difference(snapshot, live), under_way=bool(under_way)):
            return replace(total, suspected=total.suspected + 1)
        self.send(drift_alert(replace(self._drift(key, snapshot, live, records), unasked=unasked)))
        self._observe(key, live, snapshot)
        return replace(total, drifts=total.drifts + 1)

    def _records(self, key: GroupKey) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """What was done to the group, the oldest first; and why that is not known, or not all of it."""
        history = EventHistory(lambda: self.client("cloudtrail", key.region), key.region, sleep=self.sleep)
        try:
            found = history.of_resource(key.group_id, self.now() - LOOK_BACK)
        except NoHistory as error:
            self.log.warning("event history could not be read", group=key.group_id, reason=str(error))
            return [], str(error)
        return found.records, None if found.complete else "CloudTrail names more calls on this group than are read"

    def _drift(self, key: GroupKey, snapshot: GroupSnapshot | None, live: Live | None, records: Iterable[Any]) -> Drift:
        known = live.info if live else snapshot
        before = snapshot.rules if snapshot is not None and snapshot.deleted_at is None else None
        return Drift(
            key=key,
            name=known.name if known else None,
            vpc_id=known.vpc_id if known else None,
            before=before,
            after=live.rules if live else None,
            found_at=self.now(),
            calls=tuple(_call(raw) for raw in records),
            revision=snapshot.revision if snapshot else 0,
        )

    def _is_under_way(self, raw: Mapping[str, Any]) -> bool:
        """Whether the record's event may still come: it is fresh, and no alert reported it."""
        happened_at = parse_time(raw.get("eventTime"))
        if happened_at is None or self.now() - happened_at >= GRACE or not self._is_watched(raw):
            return False
        try:
            return not self.seen(judgement.alert_of(raw))
        except NotWatched:
            return False

    def _is_watched(self, raw: Mapping[str, Any]) -> bool:
        event = lookup(text(raw.get("eventSource")), text(raw.get("eventName")))
        return event is not None and event.group in self.watch

    def _suspicions(self, region: str) -> Suspicions:
        return Suspicions(self.table, f"suspect#{self.account_id}#{region}", self.now)

    def _outbox(self, region: str) -> Outbox:
        return Outbox(self.table, f"owed#{self.account_id}#{region}", self.now, self.log)

    def _send_if_unreported(self, region: str, raw: Mapping[str, Any], received: Collection[str]) -> int:
        try:
            plain = judgement.alert_of(raw)
        except NotWatched:
            return 0
        if not self._is_watched(raw):
            # Its group of events is not watched: the snapshots record it, and no alert is sent.
            self.alert_of(raw)
            return 0
        if self.seen(plain):
            if plain.id not in received and "errorCode" not in raw:
                # Its alert was sent, and the snapshot could not be written.
                self.alert_of(raw)
            return 0
        if self._is_before_all(region, plain):
            return 0
        outbox, key = self._outbox(region), delivery_id(plain)
        outbox.add(key, raw)
        return self._send_late(outbox, key, self.alert_of(raw))

    def _send_late(self, outbox: Outbox, key: str, alert: Alert) -> int:
        minutes = f"{(self.now() - alert.occurred_at).total_seconds() / 60:.0f} min" if alert.occurred_at else "long"
        self.send(with_note(alert, f"Reported {minutes} late: the event was never delivered."))
        outbox.mark_sent(key)
        return 1

    def _observe(self, key: GroupKey, live: Live | None, compared: GroupSnapshot | None) -> None:
        """Take over how things were when they were compared with this snapshot, now that it was reported."""
        now = self.now()

        def change(current: GroupSnapshot | None) -> GroupSnapshot | None:
            if live is None:
                return current and replace(current, deleted_at=now)
            seen = self._as_observed(compared or GroupSnapshot(key), live)
            if (current.revision if current else 0) == (compared.revision if compared else 0):
                return seen
            # Another change was reported in the meantime, which the live rules do not hold.
            return current and overtaken(current, seen)

        self.snapshots.update(key, change)

    def _as_observed(self, snapshot: GroupSnapshot, live: Live) -> GroupSnapshot:
        revived = replace(snapshot, deleted_at=None, name=live.info.name, vpc_id=live.info.vpc_id)
        return observed(revived, live.rules, live.looked_at, self.now())

    def _was_swept(self, region: str) -> bool:
        """Whether a sweep came to its end before; when the first begins, that is recorded."""
        pk = f"reconcile#{self.account_id}#{region}"
        swept = self.table.get(pk, "swept") is not None
        if not swept:
            began: StateItem = {"pk": pk, "sk": "first", "began_at": int(self.now().timestamp())}
            self.table.put(began, "attribute_not_exists(pk)")
        return swept

    def _is_before_all(self, region: str, alert: Alert) -> bool:
        """Whether the call is older than the first sweep, which recorded what it had done and reported nothing."""
        first = self.table.get(f"reconcile#{self.account_id}#{region}", "first")
        began_at = number_in(first, "began_at") if first is not None else None
        # A first sweep in the future was none.
        if began_at is None or began_at > self.now().timestamp() or alert.occurred_at is None:
            return False
        return alert.occurred_at.timestamp() < began_at

    def _note_sweep(self, region: str) -> None:
        pk = f"reconcile#{self.account_id}#{region}"
        self.table.put({"pk": pk, "sk": "swept", "swept_at": self.now().timestamp()})


def live_groups(ec2: Any, now: datetime) -> dict[str, Live]:
    """Every group of a region with its rules, ids included, looked at from now on."""
    groups: dict[str, GroupInfo] = {}
    for page in ec2.get_paginator("describe_security_groups").paginate():
        groups |= read_groups(page)
    items: dict[str, list[Any]] = {}
    for page in ec2.get_paginator("describe_security_group_rules").paginate():
        for item in page["SecurityGroupRules"]:
            items.setdefault(item["GroupId"], []).append(item)
    return {key: Live(info, with_tags(read_rule_set(items.get(key, [])).rules), now) for key, info in groups.items()}


def _difference(snapshot: GroupSnapshot | None, live: Live | None) -> frozenset[str]:
    known = snapshot.rules if snapshot is not None and snapshot.deleted_at is None else None
    return difference(known, live.rules if live else None)


def _call(raw: Mapping[str, Any]) -> str:
    record = read_record(raw)
    return f"{text(raw.get('eventName'))} by {read_principal(record).name} at {text(raw.get('eventTime'))}"
