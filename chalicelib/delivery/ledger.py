"""The ledger: what has become of each alert at each destination.

A sender claims the delivery first, and records its outcome afterwards. Between a
destination's acceptance and that write lies the one moment in which a process that dies makes an
alert arrive twice; nobody but the destination could know better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.state.codec import FORM_VERSION, StateItem, number_in
from chalicelib.state.state_table import StateTable

KEPT = timedelta(days=30)
# What Lambda lets a function run at most, and some. A longer lease is none that was written here.
MAX_LEASE_SECONDS = 960.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """The delivery is the caller's until the lease ends.

    ``attempts`` counts this one, ``unanswered`` those that the destination may have taken without answering.
    ``unfinished`` is how many attempts before it, without a break, ended in neither a delivery nor an error: the
    function was killed. ``turn_at`` is the turn reserved for it at a busy destination (turns.py), in seconds since
    the epoch.
    """

    attempts: int
    unfinished: int
    reason: str | None
    turn_at: float | None = None
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class AlreadyDelivered:
    """The destination has it."""

    reference: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody else is at it, for this many seconds at most."""

    seconds: float


Claim = Claimed | AlreadyDelivered | Held


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger in the state table; every method raises StateError where the table fails."""

    table: StateTable
    now: Callable[[], datetime]

    def knows(self, delivery: str, destination: str) -> bool:
        """Whether a delivery was ever attempted."""
        return self.table.get(_pk(delivery), destination) is not None

    def claim(self, delivery: str, destination: str, owner: str, lease_seconds: float) -> Claim:
        """Claim a delivery before sending; ``owner`` may claim again what it holds, having missed the answer."""
        now = self.now().timestamp()
        item = self.table.update(
            _pk(delivery),
            destination,
            "SET #state = :sending, lease_until = :until, #owner = :owner, expires_at = :expires, form_version = :form "
            "ADD attempts :one, unfinished :one",
            "attribute_not_exists(pk) OR #state IN (:failed, :dead) "
            "OR (#state = :sending AND (lease_until < :now OR lease_until > :latest OR #owner = :owner))",
            names=("state", "owner"),
            owner=owner,
            sending="sending",
            failed="failed",
            dead="dead",
            now=now,
            latest=now + MAX_LEASE_SECONDS,
            form=FORM_VERSION,
            until=now + lease_seconds,
            expires=self._expires_at(),
            one=1,
        )
        if item is not None:
            attempts, unfinished = (int(number_in(item, name) or 1) for name in ("attempts", "unfinished"))
            unanswered = int(number_in(item, "unanswered") or 0)
            return Claimed(attempts, unfinished - 1, _text(item, "reason"), number_in(item, "turn_at"), unanswered)
        return self._taken(self.table.get(_pk(delivery), destination) or {}, now)

    def _taken(self, item: StateItem, now: float) -> Claim:
        if item.get("state") == "delivered":
            return AlreadyDelivered(_text(item, "receipt"))
        lease_until = number_in(item, "lease_until") or now
        return Held(min(MAX_LEASE_SECONDS, max(1.0, lease_until - now)))

    def delivered(self, delivery: str, destination: str, reference: str | None) -> None:
        """The destination has taken it."""
        self._finish(delivery, destination, "delivered", receipt=reference or "")

    def failed(self, delivery: str, destination: str, reason: str, *, unanswered: int = 0) -> None:
        """It was not taken, or ``unanswered`` times may have been, and will be tried again."""
        self._finish(delivery, destination, "failed", unanswered, reason=reason)

    def waiting(self, delivery: str, destination: str, turn_at: float, reason: str | None = None) -> None:
        """It waits for its turn; without a ``reason`` nothing was attempted, and the claim does not count."""
        self.table.update(
            _pk(delivery),
            destination,
            "SET #state = :failed, unfinished = :none, turn_at = :turn, expires_at = :expires"
            + (", reason = :reason" if reason else "")
            + ("" if reason else " ADD attempts :less"),
            "#state <> :delivered",
            names=("state",),
            failed="failed",
            delivered="delivered",
            none=0,
            turn=turn_at,
            expires=self._expires_at(),
            **({"reason": reason} if reason else {"less": -1}),
        )

    def dead(self, delivery: str, destination: str, reason: str) -> None:
        """It was given up and is in the dead-letter queue."""
        self._finish(delivery, destination, "dead", reason=reason)

    def _finish(self, delivery: str, destination: str, state: str, unanswered: int = 0, **said: str) -> None:
        ((name, text),) = said.items()
        # A late writer must not undo what another has done.
        condition = "" if state == "delivered" else "#state <> :delivered"
        unless = {"delivered": "delivered"} if condition else {}
        self.table.update(
            _pk(delivery),
            destination,
            f"SET #state = :state, finished_at = :now, unfinished = :none, expires_at = :expires, "
            f"unanswered = :unanswered, {name} = :text",
            condition,
            names=("state",),
            state=state,
            now=self.now().timestamp(),
            none=0,
            expires=self._expires_at(),
            unanswered=unanswered,
            text=text,
            **unless,
        )

    def _expires_at(self) -> int:
        return int((self.now() + KEPT).timestamp())


def _pk(delivery: str) -> str:
    return f"delivery#{delivery}"


def _text(item: StateItem, name: str) -> str | None:
    value = item.get(name)
    return str(value) if value else None
