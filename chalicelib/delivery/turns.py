"""Turns at a busy destination: each waiting alert reserves its own, and comes back then.

A destination that asked to wait (429 with Retry-After) has an item in the state table: when the next free
turn is, how far apart turns are, until when nothing is to be sent, and who is sending. Turns move closer
together with each success and apart with each refusal. A critical alert reserves none: it is sent at
once, and while it has to wait, milder ones leave it the next turn. At most half of the deliver
function's executions send to one destination, and two of those are kept for critical alerts.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.deployment import DELIVER_CONCURRENCY
from chalicelib.named_tuple import NamedTuple
from chalicelib.state.codec import FORM_VERSION, StateItem, number_in
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable

PK = "turns"
SLOTS = DELIVER_CONCURRENCY // 2
SLOTS_FOR_CRITICAL = 2
# A slot is free again after this long at the latest: the deliver function runs for 30 s.
SLOT_SECONDS = 40.0
# Slack takes one message a second: https://docs.slack.dev/apis/web-api/rate-limits/
FIRST_INTERVAL, MIN_INTERVAL, MAX_INTERVAL = 1.0, 0.02, 60.0
FASTER, SLOWER = 0.98, 1.2
# Turns of those that wait for a slot, where it is not known how long sending takes.
SLOT_INTERVAL, MIN_SLOT_INTERVAL = 0.2, 0.005
# For so long milder alerts leave the next turn to a critical one that was refused.
YIELD_SECONDS = 3.0
MAX_PAUSE_SECONDS = 3_600.0
# Further away no turn is: SQS can hold a message back for 12 hours.
MAX_AHEAD_SECONDS = 43_000.0
# SQS knows whole seconds only, so a message may come back a little early.
EARLY_SECONDS = 0.5
_ROUNDS = 4
_BETWEEN = "BETWEEN :first AND :latest"


class Sending(NamedTuple):
    """The alert may be sent now; ``slot`` is given back with ``Turns.done``, None where the table failed."""

    slot: int | None
    began_at: float


class Waiting(NamedTuple):
    """The alert's turn is at this time (seconds since the epoch)."""

    turn_at: float


class _DestinationState(NamedTuple):
    """A destination's item, with what could not have been written here left out."""

    next_at: float
    interval: float | None
    send_seconds: float | None
    paused_until: float
    yield_until: float
    free: tuple[int, ...]

    @property
    def step(self) -> float:
        """How far apart turns are: as the destination takes them, and as slots become free."""
        per_slot = SLOT_INTERVAL if self.send_seconds is None else self.send_seconds / (SLOTS - SLOTS_FOR_CRITICAL)
        return max(self.interval or 0.0, per_slot, MIN_SLOT_INTERVAL)


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns in the state table. Where the table fails, an alert is sent."""

    table: StateTable
    now: Callable[[], datetime]
    shuffle: Callable[[list[int]], None] = random.shuffle

    def take(self, destination: str, *, critical: bool, turn_at: float | None) -> Sending | Waiting:
        """A place among those who send now, or a turn; ``turn_at`` is the one that was reserved before."""
        try:
            return self._take(destination, critical, turn_at)
        except StateError:
            return Sending(None, self._seconds())

    def _take(self, destination: str, critical: bool, turn_at: float | None) -> Sending | Waiting:
        now = self._seconds()
        if not critical and turn_at is not None and EARLY_SECONDS < turn_at - now < MAX_AHEAD_SECONDS:
            return Waiting(turn_at)
        for _ in range(_ROUNDS):
            state = self._state(destination, now)
            if critical and state.paused_until > now:
                self._set(destination, yield_until=state.paused_until + YIELD_SECONDS)
                return Waiting(state.paused_until)
            if not critical and self._has_to_wait(state, now, turn_at):
                return Waiting(self._reserve(destination, state, now))
            free = [slot for slot in state.free if critical or slot >= SLOTS_FOR_CRITICAL]
            if not free:
                break
            self.shuffle(free)
            if self._hold(destination, free[0], now):
                return Sending(free[0], now)
        return Waiting(now + 1.0 if critical else self._reserve(destination, self._state(destination, now), now))

    def _has_to_wait(self, state: _DestinationState, now: float, turn_at: float | None) -> bool:
        if max(state.paused_until, state.yield_until) > now:
            return True
        return turn_at is None and state.next_at > now

    def done(self, destination: str, sending: Sending, *, taken: bool) -> None:
        """Give the slot back after an attempt; where turns are reserved, a success moves them closer together."""
        if sending.slot is None:
            return
        now = self._seconds()
        try:
            state = self._state(destination, now)
            fields = {_slot(sending.slot): 0.0, "send_seconds": _average(state.send_seconds, now - sending.began_at)}
            if taken and state.interval is not None:
                fields["turn_interval"] = max(MIN_INTERVAL, state.interval * FASTER)
            self._set(destination, **fields)
        except StateError:
            return

    def refused(self, destination: str, sending: Sending, retry_after: float, *, critical: bool) -> float:
        """The destination is busy: pause for as long as it asked, and give the alert's next turn."""
        now = self._seconds()
        paused_until = now + min(retry_after, MAX_PAUSE_SECONDS)
        try:
            state = self._state(destination, now)
            fields = {"paused_until": paused_until, "turn_interval": _slower(state.interval, retry_after)}
            if critical:
                fields["yield_until"] = paused_until + YIELD_SECONDS
            self._set(destination, **fields, **({} if sending.slot is None else {_slot(sending.slot): 0.0}))
            if critical:
                return paused_until
            return self._reserve(destination, self._state(destination, now), now)
        except StateError:
            return paused_until

    def _reserve(self, destination: str, state: _DestinationState, now: float) -> float:
        """The next free turn; nobody else has it."""
        step = state.step
        first = max(now, state.paused_until, state.yield_until)
        latest = now + MAX_AHEAD_SECONDS
        for _ in range(_ROUNDS):
            item = self._update(
                destination,
                "next_at = next_at + :step",
                f"next_at {_BETWEEN}",
                step=step,
                first=first,
                latest=latest,
            )
            if item is not None:
                return (number_in(item, "next_at") or first) - step
            free = f"attribute_not_exists(next_at) OR NOT (next_at {_BETWEEN})"
            item = self._update(destination, "next_at = :next", free, next=first + step, first=first, latest=latest)
            if item is not None:
                return first
        return first + step

    def _hold(self, destination: str, slot: int, now: float) -> bool:
        name, latest = _slot(slot), now + SLOT_SECONDS + 1
        free = f"attribute_not_exists({name}) OR NOT ({name} {_BETWEEN})"
        held = self._update(destination, f"{name} = :until", free, until=now + SLOT_SECONDS, first=now, latest=latest)
        return held is not None

    def _set(self, destination: str, **fields: float) -> None:
        self._update(destination, ", ".join(f"{name} = :{name}" for name in fields), "", **fields)

    def _update(self, destination: str, assignments: str, condition: str, **values: float) -> StateItem | None:
        stamped = f"SET form_version = :form, {assignments}"
        return self.table.update(PK, destination, stamped, condition, (), form=FORM_VERSION, **values)

    def _state(self, destination: str, now: float) -> _DestinationState:
        item = self.table.get(PK, destination) or {}
        paused = _until(item, "paused_until", now, MAX_PAUSE_SECONDS + 1)
        return _DestinationState(
            next_at=_until(item, "next_at", now, MAX_AHEAD_SECONDS),
            interval=_bounded(number_in(item, "turn_interval"), MIN_INTERVAL, MAX_INTERVAL),
            send_seconds=_bounded(number_in(item, "send_seconds"), 0.0, SLOT_SECONDS),
            paused_until=paused,
            yield_until=_until(item, "yield_until", now, MAX_PAUSE_SECONDS + YIELD_SECONDS + 1),
            free=tuple(slot for slot in range(SLOTS) if not _until(item, _slot(slot), now, SLOT_SECONDS + 1)),
        )

    def _seconds(self) -> float:
        return self.now().timestamp()


def _slot(number: int) -> str:
    return f"slot_{number}"


def _slower(interval: float | None, retry_after: float) -> float:
    """Further apart, but no further than the destination itself asked to wait."""
    most = max(MIN_INTERVAL, min(MAX_INTERVAL, retry_after))
    return min(most, FIRST_INTERVAL if interval is None else interval * SLOWER)


def _average(known: float | None, latest: float) -> float:
    """A moving average, the latest for a fifth of it."""
    return latest if known is None else 0.8 * known + 0.2 * latest


def _bounded(value: float | None, least: float, most: float) -> float | None:
    return None if value is None else min(most, max(least, value))


def _until(item: StateItem, name: str, now: float, longest: float) -> float:
    """A time that has not come yet; 0 where it has, or where it is further away than it can be."""
    moment = number_in(item, name) or 0.0
    return moment if now < moment <= now + longest else 0.0
