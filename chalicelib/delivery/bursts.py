"""Bursts: one principal's further changes within a window are told together; the first goes out at once.

What was decided for an alert is written down with the alert's id, so that the same event delivered
again is decided the same way. That note also says, to the reconciliation, that the change was seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.alert.model import Account, Alert, AlertKind, Changes, Exposure, Severity, Undo
from chalicelib.delivery.alert_archive import pack, unpack
from chalicelib.delivery.envelope import BurstEnd
from chalicelib.delivery.queue import Queue, QueueError
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.rules import RuleIdentity, SecurityGroupRule
from chalicelib.state.codec import StateItem
from chalicelib.state.table import StateTable, check, put_write
from chalicelib.text import number_of

KEPT = timedelta(days=30)
# Two functions that meet at the same burst make one of them look again.
ROUNDS = 10
SENT, FOLDED, SUPPRESSED = "sent", "folded", "suppressed"
# How many groups one alert names: Slack has room for some 300.
NAMED = 250


@dataclass(frozen=True, slots=True)
class Bursts:
    """The bursts in the state table; a window of no seconds folds nothing."""

    table: StateTable
    queue: Queue
    seconds: int
    now: Callable[[], datetime]

    def admit(self, alert: Alert) -> bool:
        """Whether the alert is to be sent by itself; if not, it is folded and will be told at its window's end.

        Raises:
            StateError: that could not be decided.
            QueueError: it is folded, but nothing will end the window: decide again.
        """
        burst = self._burst_of(alert)
        if burst is None:
            self.note(alert, SENT)
            return True
        for _ in range(ROUNDS):
            noted = self.table.get(_note_key(alert), "decision")
            if noted is not None:
                return self._as_noted(burst, noted)
            window = self.table.get(_pk(burst), "window")
            if window is None or window["closed"] or float(window["ends_at"]) <= self.now().timestamp():
                if self._open(alert, burst):
                    return True
            elif self._fold(alert, burst, window):
                self._schedule(burst, str(window["id"]), float(window["ends_at"]))
                return False
        return True

    def note(self, alert: Alert, decision: str) -> None:
        """Write down what was decided for an alert, unless something is written.

        Raises:
            StateError: it could not be written.
        """
        self.table.put(self._note(alert, decision), "attribute_not_exists(pk)")

    def seen(self, alert: Alert) -> bool:
        """Whether anything was decided for this alert.

        Raises:
            StateError: that could not be read.
        """
        return self.table.get(_note_key(alert), "decision") is not None

    def is_to_be_sent(self, alert: Alert) -> bool:
        """Whether it was decided that this alert is told, by itself or at its window's end.

        Raises:
            StateError: that could not be read.
        """
        noted = self.table.get(_note_key(alert), "decision")
        return noted is not None and str(noted["outcome"]) in (SENT, FOLDED)

    def end(self, burst: str, window: str) -> list[Alert]:
        """Close a window and give what was folded in it; the same again when it is asked again.

        Raises:
            StateError: the table could not be read or written.
        """
        self.table.update(
            _pk(burst), "window", "SET closed = :yes", "#id = :window", names=("id",), yes=True, window=window
        )
        folded = self.table.query(f"{_pk(burst)}#{window}")
        packed = [item.get("alert") for item in folded]
        return [unpack(content) for content in packed if isinstance(content, bytes)]

    def _burst_of(self, alert: Alert) -> str | None:
        foldable = alert.kind is AlertKind.SECURITY_GROUP_CHANGE and alert.severity is not Severity.CRITICAL
        if not foldable or self.seconds <= 0 or alert.principal is None:
            return None
        who = f"{alert.account.id}/{alert.principal.arn or alert.principal.name}"
        return hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _as_noted(self, burst: str, noted: StateItem) -> bool:
        if noted["outcome"] == FOLDED:
            self._schedule(burst, str(noted["window"]), float(noted["ends_at"]))
        return bool(noted["outcome"] != FOLDED)

    def _open(self, alert: Alert, burst: str) -> bool:
        now = self.now()
        window: StateItem = {
            "pk": _pk(burst),
            "sk": "window",
            "id": hashlib.sha256(delivery_id(alert).encode()).hexdigest()[:32],
            "ends_at": now.timestamp() + self.seconds,
            "closed": False,
            "expires_at": self._expires_at(),
        }
        return self.table.write_all(
            put_write(self._note(alert, SENT), "attribute_not_exists(pk)"),
            put_write(
                window,
                "attribute_not_exists(pk) OR ends_at <= :now OR closed = :yes",
                now=now.timestamp(),
                yes=True,
            ),
        )

    def _fold(self, alert: Alert, burst: str, window: StateItem) -> bool:
        note: StateItem = {**self._note(alert, FOLDED), "window": window["id"], "ends_at": window["ends_at"]}
        folded: StateItem = {
            "pk": f"{_pk(burst)}#{window['id']!s}",
            "sk": delivery_id(alert),
            "alert": pack(alert),
            "expires_at": self._expires_at(),
        }
        return self.table.write_all(
            put_write(note, "attribute_not_exists(pk)"),
            check(_pk(burst), "window", "id = :id AND closed = :no", id=window["id"], no=False),
            put_write(folded),
        )

    def _schedule(self, burst: str, window: str, ends_at: float) -> None:
        message = BurstEnd(burst, window, datetime.fromtimestamp(ends_at, UTC))
        failures = self.queue.send([message])
        if failures:
            raise QueueError(failures[0])

    def _note(self, alert: Alert, outcome: str) -> StateItem:
        return {
            "pk": _note_key(alert),
            "sk": "decision",
            "outcome": outcome,
            "noted_at": self.now().timestamp(),
            "expires_at": self._expires_at(),
        }

    def _expires_at(self) -> int:
        return int((self.now() + KEPT).timestamp())


def follow_ups(folded: Sequence[Alert], window: str) -> list[Alert]:
    """The alerts for what was folded: they count the changes and name every group once, the worst first.

    Nearly always it is one; what a message of any destination has no room to name goes into another.
    """
    if len(folded) == 1:
        return list(folded)
    groups = sorted(_by_group(folded).items(), key=lambda item: -_worst(item[1]).severity.rank)
    return [_follow_up(groups[at : at + NAMED], window) for at in range(0, len(groups), NAMED)]


def _follow_up(groups: Sequence[tuple[str, list[Alert]]], window: str) -> Alert:
    folded = [alert for _, alerts in groups for alert in alerts]
    exposures = tuple(_of_group(name, alerts) for name, alerts in groups)
    last = max(folded, key=lambda alert: alert.occurred_at or datetime.min.replace(tzinfo=UTC))
    who = last.principal.name if last.principal else "somebody"
    count = f"{number_of(len(folded), 'more change')} of {number_of(len(groups), 'security group')}"
    # Destinations with other filters get other changes, and so another alert.
    told = hashlib.sha256("\n".join([window, *sorted(map(delivery_id, folded))]).encode()).hexdigest()[:32]
    return Alert(
        id=f"burst-{told}",
        kind=AlertKind.SECURITY_GROUP_CHANGE,
        severity=exposures[0].severity,
        title=f"{count} by {who}",
        summary=f"{count} by {who} followed within a minute or so of the alert before; each group is named below.",
        occurred_at=last.occurred_at,
        account=_account(folded),
        region=last.region if len({alert.region for alert in folded}) == 1 else None,
        principal=last.principal,
        exposures=exposures,
        undo=_undo(folded),
        unknowns=tuple(dict.fromkeys(item for alert in folded for item in alert.unknowns))[:50],
    )


def _account(folded: Iterable[Alert]) -> Account:
    """The account of them all, with its name where one of them knows it."""
    accounts = sorted({alert.account for alert in folded}, key=lambda account: account.name is None)
    return accounts[0] if len({account.id for account in accounts}) == 1 else Account(None)


def _by_group(folded: Iterable[Alert]) -> dict[str, list[Alert]]:
    """What was done to each group, under what the group is called: its id first, which no list cuts off."""
    groups: dict[str | None, list[Alert]] = {}
    for alert in folded:
        group = alert.security_group
        groups.setdefault((group.id or group.name) if group else None, []).append(alert)
    return {_called(key, alerts): alerts for key, alerts in groups.items()}


def _called(key: str | None, alerts: Iterable[Alert]) -> str:
    if key is None:
        return "an unnamed group"
    names = (alert.security_group.name for alert in alerts if alert.security_group and alert.security_group.name)
    name = next(names, key)
    # What stands before the first colon is the group, whatever it is called (see message_parts.in_brief).
    return (key if name == key else f"{key} ({name})").replace(": ", ":")


def _worst(alerts: Iterable[Alert]) -> Alert:
    return max(alerts, key=lambda alert: alert.severity.rank)


def _of_group(name: str, alerts: Sequence[Alert]) -> Exposure:
    worst = _worst(alerts)
    controls = dict.fromkeys(control for alert in alerts for each in alert.exposures for control in each.controls)
    reason = worst.exposures[0].reason if worst.exposures else str(worst.event.name or "changed")
    return Exposure(worst.severity, f"{name}: {number_of(len(alerts), 'change')}; {reason}", tuple(controls))


def _undo(folded: Sequence[Alert]) -> Undo:
    """The last change is undone first."""
    for name, alerts in _by_group(folded).items():
        if (reason := _why_not_in_a_row(alerts)) is not None:
            return Undo(None, reason.format(printable(name, 100)))
    commands: list[str] = []
    notes: list[str] = []
    for alert in sorted(folded, key=lambda a: a.occurred_at or datetime.min.replace(tzinfo=UTC), reverse=True):
        if alert.undo.commands is None:
            return Undo(None, f"of one change it is not known: {alert.undo.reason}")
        commands += alert.undo.commands
        notes += [alert.undo.reason] if alert.undo.commands and alert.undo.reason else []
    return Undo(tuple(commands), " ".join(dict.fromkeys(notes)) or None)


def _why_not_in_a_row(alerts: Sequence[Alert]) -> str | None:
    """Why the changes of one group cannot be undone one after the other; None where they can."""
    if len(alerts) > 1 and any(alert.event.name == "DeleteSecurityGroup" for alert in alerts):
        return "{} was changed and deleted, and what it was changed by cannot be undone once it is back under a new id"
    touched: set[tuple[datetime | None, RuleIdentity]] = set()
    for alert in alerts:
        own = {(alert.occurred_at, rule.identity) for rule in _touched(alert.changes)}
        if touched & own:
            return "which of the changes of {} in one second came first is not known"
        touched |= own
    return None


def _touched(changes: Changes) -> Iterator[SecurityGroupRule]:
    yield from (*changes.added, *changes.removed)
    for item in changes.modified:
        yield from filter(None, (item.before, item.after))


def _pk(burst: str) -> str:
    return f"burst#{burst}"


def _note_key(alert: Alert) -> str:
    return f"alert#{delivery_id(alert)}"
