"""The reconciliation: live rules against what alerts have told, region by region.

What differs was changed without anybody being told. CloudTrail is asked first: a call it knows of
that made no alert is alerted as late, in full; what remains is a drift. A difference has to last
before it counts, because events may still be under way.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib import judgement
from chalicelib.alerts import Alert, encode_rule
from chalicelib.catalog import EventGroup, lookup
from chalicelib.changes import NotWatched
from chalicelib.delivery.owed import Owed
from chalicelib.delivery.state import StateTable
from chalicelib.destinations.ids import delivery_id
from chalicelib.drift import Drift, drift_alert
from chalicelib.enrichment.history import same_rules
from chalicelib.enrichment.known import GroupInfo, Rules
from chalicelib.enrichment.snapshot_store import Snapshots
from chalicelib.enrichment.snapshots import GroupKey, Snapshot, observed
from chalicelib.enrichment.wire import read_groups, with_tags
from chalicelib.event_history import EventHistory, NoHistory
from chalicelib.logs import Log
from chalicelib.principals import read_principal
from chalicelib.records import parse_time, read_record, text
from chalicelib.rule_wire import read_rule_set
from chalicelib.rules import diff

# CloudTrail shows an event in LookupEvents within 15 minutes or so.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
GRACE = timedelta(minutes=20)
# How far back a call is looked for that explains a difference.
LOOK_BACK = timedelta(hours=26)
KEPT = timedelta(days=30)
# In the place of a digest: the group is as it should be.
NO_DIFFERENCE = "-"


@dataclass(frozen=True, slots=True)
class Live:
    """A group as it is now."""

    info: GroupInfo
    rules: Rules


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep of a region found: alerts told late, drifts, and differences that may still explain themselves."""

    groups: int = 0
    late: int = 0
    drifts: int = 0
    suspected: int = 0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Sweeps the regions of one account.

    ``client`` gives a client of a service in a region. ``watch`` are the groups of events that are alerted on.
    ``alert_of`` makes the alert of a record and remembers it in the snapshots; ``seen`` says whether an alert
    was decided on before; ``tell`` gets an alert to the destinations, and raises where it could not.
    """

    account_id: str
    snapshots: Snapshots
    table: StateTable
    client: Callable[[str, str], Any]
    watch: Collection[EventGroup]
    alert_of: Callable[[Mapping[str, Any]], Alert]
    seen: Callable[[Alert], bool]
    tell: Callable[[Alert], None]
    log: Log
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep

    def sweep(self, region: str) -> Sweep:
        """Compare every group of a region, tell what nobody was told, and take the live rules over.

        The first sweep of a region tells nothing: it takes down how things are.
        """
        owed = self._owed(region)
        # Whether these were seen says nothing: the sweep that failed had noted them as sent.
        late = sum(self._tell(owed, key, self.alert_of(raw)) for key, raw in owed.all().items())
        live = live_groups(self.client("ec2", region))
        known = {each.key.group_id: each for each in self.snapshots.of_region(self.account_id, region)}
        swept = self.table.get(f"reconcile#{self.account_id}#{region}", "swept") is not None
        suspected = self._suspected(region)
        total = Sweep(groups=len(live), late=late)
        for group_id in sorted({*live, *(key for key, each in known.items() if each.deleted_at is None)}):
            key = GroupKey(self.account_id, region, group_id)
            snapshot = known.get(group_id)
            if not self._differs(snapshot, live.get(group_id), swept=swept):
                self._take_down(key, snapshot, live.get(group_id))
                if group_id in suspected:
                    self._suspect(key, None)
                continue
            total = self._explain(key, snapshot, live.get(group_id), total)
        self._note_sweep(region)
        self.log.info("region reconciled", region=region, groups=total.groups, late=total.late, drifts=total.drifts)
        return total

    def _differs(self, snapshot: Snapshot | None, live: Live | None, *, swept: bool) -> bool:
        unknown = snapshot is None or snapshot.deleted_at is not None
        if live is None:
            return not unknown
        if snapshot is None or unknown:
            return swept
        return snapshot.rules is not None and not same_rules(snapshot.settled(live.rules).rules or (), live.rules)

    def _take_down(self, key: GroupKey, snapshot: Snapshot | None, live: Live | None) -> None:
        """Begin the snapshot of a group of which nothing is known yet, or learn what the live rules say beside it."""
        if live is None:
            return
        if snapshot is None or snapshot.rules is None or observed(snapshot, live.rules, self.now()) != snapshot:
            self._observe(key, live)

    def _explain(self, key: GroupKey, snapshot: Snapshot | None, live: Live | None, total: Sweep) -> Sweep:
        if not self._has_lasted(key, snapshot, live):
            return replace(total, suspected=total.suspected + 1)
        records, unasked = self._records(key)
        under_way = [raw for raw in records if self._is_under_way(raw)]
        late = sum(self._tell_late(self._owed(key.region), raw) for raw in records if raw not in under_way)
        snapshot = self.snapshots.get(key)
        if not self._differs(snapshot, live, swept=True):
            return replace(total, late=total.late + late)
        if under_way:
            return replace(total, late=total.late + late, suspected=total.suspected + 1)
        if late and (snapshot is None or snapshot.rules is None):
            # Without snapshots being made of records, the late alert has told all there is to tell.
            self._observe(key, live)
            return replace(total, late=total.late + late)
        self.tell(drift_alert(replace(self._drift(key, snapshot, live, records), unasked=unasked)))
        self._observe(key, live)
        return replace(total, late=total.late + late, drifts=total.drifts + 1)

    def _records(self, key: GroupKey) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """What was done to the group, the oldest first; and why that is not known, or not all of it."""
        history = EventHistory(lambda: self.client("cloudtrail", key.region), key.region, sleep=self.sleep)
        try:
            found = history.of_resource(key.group_id, self.now() - LOOK_BACK)
        except NoHistory as error:
            self.log.warning("event history could not be read", group=key.group_id, reason=str(error))
            return [], str(error)
        return found.records, None if found.complete else "CloudTrail names more calls on this group than are read"

    def _drift(self, key: GroupKey, snapshot: Snapshot | None, live: Live | None, records: Iterable[Any]) -> Drift:
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

    def _has_lasted(self, key: GroupKey, snapshot: Snapshot | None, live: Live | None) -> bool:
        """Whether the same difference was there a while ago; if not, it is taken down from now on."""
        digest = _digest(snapshot, live)
        item = self.table.get(_suspects(key.account_id, key.region), key.group_id)
        if item is not None and item["digest"] == digest:
            return self.now().timestamp() - float(item["first_at"]) >= GRACE.total_seconds()
        self._suspect(key, digest)
        return False

    def _suspect(self, key: GroupKey, digest: str | None) -> None:
        """Take down that a group differs by this from now on, or that it does no more."""
        now = self.now()
        self.table.put(
            {
                "pk": _suspects(key.account_id, key.region),
                "sk": key.group_id,
                "digest": digest or NO_DIFFERENCE,
                "first_at": now.timestamp(),
                "expires_at": int((now + KEPT).timestamp()),
            }
        )

    def _suspected(self, region: str) -> set[str]:
        """The groups that differed when last looked at."""
        items = self.table.query(_suspects(self.account_id, region))
        return {str(item["sk"]) for item in items if item["digest"] != NO_DIFFERENCE}

    def _is_under_way(self, raw: Mapping[str, Any]) -> bool:
        """Whether the record's event may still come: it is fresh, and nobody was told."""
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

    def _owed(self, region: str) -> Owed:
        return Owed(self.table, f"owed#{self.account_id}#{region}", self.now)

    def _tell_late(self, owed: Owed, raw: Mapping[str, Any]) -> int:
        try:
            plain = judgement.alert_of(raw)
        except NotWatched:
            return 0
        if not self._is_watched(raw):
            # Nobody is to be told of it; that the snapshots know of it is all.
            self.alert_of(raw)
            return 0
        if self.seen(plain):
            return 0
        key = delivery_id(plain)
        owed.note(key, raw)
        return self._tell(owed, key, self.alert_of(raw))

    def _tell(self, owed: Owed, key: str, alert: Alert) -> int:
        minutes = f"{(self.now() - alert.occurred_at).total_seconds() / 60:.0f} min" if alert.occurred_at else "long"
        self.tell(replace(alert, summary=f"Told {minutes} late: its event never arrived. {alert.summary}"))
        owed.settle(key)
        return 1

    def _observe(self, key: GroupKey, live: Live | None) -> None:
        """Take over how things are, now that it was told."""
        now = self.now()

        def change(current: Snapshot | None) -> Snapshot | None:
            if live is None:
                return current and replace(current, deleted_at=now)
            begun = current or Snapshot(key)
            revived = replace(begun, deleted_at=None, name=live.info.name, vpc_id=live.info.vpc_id)
            return observed(revived, live.rules, now)

        self.snapshots.update(key, change)

    def _note_sweep(self, region: str) -> None:
        pk = f"reconcile#{self.account_id}#{region}"
        self.table.put({"pk": pk, "sk": "swept", "swept_at": self.now().timestamp()})


def live_groups(ec2: Any) -> dict[str, Live]:
    """Every group of a region with its rules, ids included."""
    groups: dict[str, GroupInfo] = {}
    for page in ec2.get_paginator("describe_security_groups").paginate():
        groups |= read_groups(page)
    items: dict[str, list[Any]] = {}
    for page in ec2.get_paginator("describe_security_group_rules").paginate():
        for item in page["SecurityGroupRules"]:
            items.setdefault(item["GroupId"], []).append(item)
    return {key: Live(info, with_tags(read_rule_set(items.get(key, [])).rules)) for key, info in groups.items()}


def _digest(snapshot: Snapshot | None, live: Live | None) -> str:
    """The same for the same difference, whatever else is in the group."""
    known = snapshot.rules if snapshot is not None and snapshot.deleted_at is None else None
    if live is None:
        return _hashed(["gone"])
    found = diff(known or (), live.rules)
    sides = {"+": found.added, "-": found.removed, "=": [item.after for item in found.modified]}
    rules = [f"{sign}{json.dumps(encode_rule(rule), sort_keys=True)}" for sign, each in sides.items() for rule in each]
    return _hashed(["new" if known is None else "other", *sorted(rules)])


def _hashed(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _suspects(account_id: str, region: str) -> str:
    return f"suspect#{account_id}#{region}"


def _call(raw: Mapping[str, Any]) -> str:
    record = read_record(raw)
    return f"{text(raw.get('eventName'))} by {read_principal(record).name} at {text(raw.get('eventTime'))}"
