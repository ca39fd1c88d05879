"""What a service has open for each security group: remembered when it is opened, closed when the rules are gone.

An incident is written down before it is posted, and as posted afterwards. Who closes its last rule closes the
incident; where that change was delivered first, the incident is closed by its own delivery. A function that ends in
between leaves at most an incident that is posted or closed a second time, which services with incidents fold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.contract import DeliveryError, Receipt, RevisionTable
from chalicelib.destinations.delivery_ids import incident_key, safe_id
from chalicelib.destinations.rule_states import event_time, rule_changes, rule_key
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import is_attempt, is_closing
from chalicelib.state.errors import StateError, VersionConflict

FORM = 1
KEPT_SECONDS = 90 * 86_400
# Who noted an incident and did not say that it was posted has ended by then, and may have posted it.
POSTED_AFTER_SECONDS = 900.0
# An incident about more rules than these is not remembered: a person closes it.
MOST_RULES = 1_000
# Rules that are not those of an open incident: a change may be delivered before the one that it reverts.
MOST_CLOSED = 1_000
MOST_RESOLVING = 100
# An item has at most 400 KB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_BYTES = 300_000
_ROUNDS = 8


class Incident(NamedTuple):
    """One incident: the rules that it is about, with their ids, when it was noted, and what closing it takes."""

    rules: Mapping[str, str | None]
    noted_at: float
    posted: bool = False
    content: str = ""


class GroupIncidents(NamedTuple):
    """The incidents of one group by their keys, and the latest change of each rule: when, and whether it opened it.

    ``resolving`` are deliveries that did nothing but close incidents, so that a repeated one opens none.
    """

    incidents: Mapping[str, Incident] = MappingProxyType({})
    latest: Mapping[str, tuple[float, bool]] = MappingProxyType({})
    deleted: bool = False
    resolving: tuple[str, ...] = ()

    def with_changes(self, alert: Alert) -> GroupIncidents:
        """With the rules that an alert opened and closed."""
        latest = dict(self.latest)
        changes = [(_digest(key), state.at, state.severity is not None) for key, state in rule_changes(alert)]
        changes += [(digest, event_time(alert), False) for digest in self._replaced_by(alert)]
        for digest, at, is_open in changes:
            if at >= latest.get(digest, (0.0, False))[0]:
                latest[digest] = (at, is_open)
        gone = alert.event.name == "DeleteSecurityGroup" and not is_attempt(alert)
        return self._replace(latest=latest, deleted=self.deleted or gone).bounded()

    def with_closings(self, alert: Alert, key: str) -> GroupIncidents:
        """With what an alert closes, and the alert noted where it does nothing else."""
        group = self.with_changes(alert)
        if not is_closing(alert) or key in group.resolving:
            return group
        closed = {digest for each in group.incidents.values() if group.is_closed(each) for digest in each.rules}
        if not any(_digest(rule_key(rule)) in closed for rule in alert.changes.removed):
            return group
        return group._replace(resolving=(*group.resolving, key)[-MOST_RESOLVING:])

    def with_alert(self, alert: Alert, key: str, content: str, now: float) -> GroupIncidents:
        """With the incident that an alert opens noted, or with the alert noted as one that only closes others."""
        group, rules = self.with_closings(alert, key), _exposed(alert)
        if key in group.resolving or not 0 < len(rules) <= MOST_RULES:
            return group
        return group._replace(incidents={**group.incidents, key: Incident(rules, now, content=content)})

    def with_posted(self, key: str) -> GroupIncidents:
        """With an incident noted as open at the service."""
        if key not in self.incidents:
            return self
        return self._replace(incidents={**self.incidents, key: self.incidents[key]._replace(posted=True)})

    def without(self, keys: Mapping[str, Incident]) -> GroupIncidents:
        """Without incidents that were closed."""
        return self._replace(incidents={key: each for key, each in self.incidents.items() if key not in keys})

    def due(self, now: float) -> dict[str, Incident]:
        """The incidents that are to be closed at the service."""
        return {
            key: each
            for key, each in self.incidents.items()
            if self.is_closed(each) and (each.posted or now - each.noted_at > POSTED_AFTER_SECONDS)
        }

    def is_closed(self, incident: Incident) -> bool:
        """Whether every rule that it is about is gone, whether or not the service knows it."""
        return self.deleted or all(not self.latest.get(digest, (0.0, True))[1] for digest in incident.rules)

    def bounded(self) -> GroupIncidents:
        """With no more changes than those of open incidents and the latest of others."""
        needed = {digest for each in self.incidents.values() for digest in each.rules}
        others = sorted((item for item in self.latest.items() if item[0] not in needed), key=lambda item: -item[1][0])
        kept = {digest: self.latest[digest] for digest in needed if digest in self.latest}
        return self._replace(latest=kept | dict(others[:MOST_CLOSED]))

    def _replaced_by(self, alert: Alert) -> list[str]:
        """Rules of incidents that a call modified by their ids, where the record does not say what they were."""
        if is_attempt(alert):
            return []
        replaced = {item.after.id: _digest(rule_key(item.after)) for item in alert.changes.modified if not item.before}
        known = ((digest, rule_id) for each in self.incidents.values() for digest, rule_id in each.rules.items())
        return [digest for digest, rule_id in known if rule_id and replaced.get(rule_id, digest) != digest]


Open = Callable[[], Receipt]
Close = Callable[[str, Incident], None]


class IncidentBook(NamedTuple):
    """One destination's incidents in the state table; in direct delivery there is none, and nothing is remembered."""

    destination: str
    table: RevisionTable | None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send(self, alert: Alert, post: Open, close: Close, content: str = "") -> Receipt:
        """Open the alert's incident, or close those that it ends where it does nothing else.

        Raises:
            DeliveryError: it was not delivered.
        """
        key = incident_key(alert)
        try:
            group = self._change(alert, lambda known: known.with_alert(alert, key, content, self._seconds()))
        except StateError:
            # On any fault of the state: send.
            return post()
        if key in group.resolving:
            self._close(alert, group, close)
            return Receipt(key)
        receipt = post()
        try:
            self._close(alert, self._change(alert, lambda known: known.with_posted(key)), close)
        except StateError:
            # It is posted. Who closes its rules finds it noted.
            return receipt
        return receipt

    def resolve(self, alert: Alert, close: Close) -> Receipt:
        """Close the incidents that an alert ends, and open none.

        Raises:
            DeliveryError: not all of them were closed.
        """
        key = incident_key(alert)
        try:
            self._close(alert, self._change(alert, lambda known: known.with_closings(alert, key)), close)
        except StateError as error:
            reason = str(error)
        else:
            return Receipt(key)
        raise DeliveryError(reason, permanent=False)

    def _close(self, alert: Alert, group: GroupIncidents, close: Close) -> None:
        due = group.due(self._seconds())
        for key, incident in due.items():
            close(key, incident)
        if due:
            self._change(alert, lambda known: known.without(due))

    def _change(self, alert: Alert, change: Callable[[GroupIncidents], GroupIncidents]) -> GroupIncidents:
        """The group's incidents, changed and written down.

        Raises:
            StateError: they could not be read or written.
        """
        group = alert.security_group
        if self.table is None or group is None or not group.id:
            return GroupIncidents()
        pk, sk = f"incidents#{self.destination}", safe_id(f"{alert.account.id or ''}-{alert.region or ''}-{group.id}")
        for _ in range(_ROUNDS):
            item = self.table.get(pk, sk) or {}
            known = _decode(str(item.get("incidents", "")))
            changed = change(known)
            if changed == known:
                return changed
            seen = int(item.get("revision", 0))
            written = {"pk": pk, "sk": sk, "revision": seen + 1, "incidents": _encode(changed)}
            try:
                self.table.put_revision({**written, "expires_at": int(self._seconds()) + KEPT_SECONDS}, seen)
            except VersionConflict:
                continue
            return changed
        raise StateError("the incidents of a group are written by many at once", "VersionConflict")

    def _seconds(self) -> float:
        return self.now().timestamp()


def _exposed(alert: Alert) -> dict[str, str | None]:
    """The rules that an alert's incident is about: those that expose something, else all that it opens."""
    opened = {key: Severity(state.severity) for key, state in rule_changes(alert) if state.severity is not None}
    worst = [key for key, severity in opened.items() if severity.rank > Severity.LOW.rank] or list(opened)
    rules = (*alert.changes.added, *(item.after for item in alert.changes.modified))
    ids = {rule_key(rule): rule.id for rule in rules}
    return {_digest(key): ids.get(key) for key in worst}


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _encode(group: GroupIncidents) -> str:
    """The incidents as text; where they are too many for an item, the oldest are forgotten."""
    while True:
        incidents: dict[str, Any] = {key: each._asdict() for key, each in group.incidents.items()}
        document = {"form": FORM, **group._asdict(), "incidents": incidents, "latest": dict(group.latest)}
        text = json.dumps(document, separators=(",", ":"))
        if len(text) <= MOST_BYTES or not incidents:
            return text
        oldest = min(group.incidents.items(), key=lambda item: item[1].noted_at)
        group = group.without(dict([oldest])).bounded()


def _decode(text: str) -> GroupIncidents:
    """The incidents of such a text; none where it is none, or of a form that is not known."""
    try:
        document = json.loads(text)
        if document["form"] != FORM:
            return GroupIncidents()
        return GroupIncidents(
            {key: Incident(**each) for key, each in document["incidents"].items()},
            {digest: (float(at), bool(is_open)) for digest, (at, is_open) in document["latest"].items()},
            bool(document["deleted"]),
            tuple(map(str, document["resolving"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return GroupIncidents()
