"""What stands between an alert and the queue in durable delivery: silences, then bursts.

The state table is not trusted: whatever goes wrong with it, the alert is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.alert.model import Alert
from chalicelib.delivery.bursts import SUPPRESSED, Bursts
from chalicelib.delivery.decision import GateDecision
from chalicelib.delivery.direct import NotDecided
from chalicelib.delivery.queue import QueueError
from chalicelib.delivery.silences import Silences
from chalicelib.observability.logs import ALERT_SUPPRESSED, Log
from chalicelib.state.errors import StateError


def _uncounted() -> None:
    """The ``count_fault`` of those who count no faults."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides whether an alert is sent now; ``count_fault`` is called where the state did not allow to decide."""

    silences: Silences
    bursts: Bursts
    count_fault: Callable[[], None] = _uncounted

    def check(self, alert: Alert, log: Log) -> GateDecision:
        """What is to be done with an alert that somebody wants; what holds it back is logged.

        Raises:
            NotDecided: the event has to come again.
        """
        if self.silenced(alert, log):
            return GateDecision.SILENCE
        return GateDecision.FOLD if self._folded(alert, log) else GateDecision.SEND

    def record_unwanted(self, alert: Alert, log: Log) -> None:
        """Record an alert that no destination wants, so that the reconciliation does not report its change."""
        try:
            self.bursts.note(alert, SUPPRESSED)
        except StateError as error:
            log.warning("alert could not be recorded", reason=str(error))

    def silenced(self, alert: Alert, log: Log) -> bool:
        """Whether a silence holds the alert back, which is counted and logged then."""
        try:
            silence = self.silences.matching(alert)
            # What was queued for one destination before the silence began may be missing at another.
            if silence is None or self.bursts.is_to_be_sent(alert):
                return False
            # An alert that is not counted could not be listed, and what cannot be listed must not be held back.
            self.silences.count(silence, alert)
            self.bursts.note(alert, SUPPRESSED)
        except Exception as error:  # noqa: BLE001 - an item that somebody else wrote may break anything, and must not hold an alert back
            self._fault("silences could not be read, sending", error, log)
            return False
        log.info(ALERT_SUPPRESSED, by=f"silence {silence.id}", severity=alert.severity)
        return True

    def _folded(self, alert: Alert, log: Log) -> bool:
        try:
            folded = not self.bursts.admit(alert)
        except QueueError as error:
            raise NotDecided(str(error)) from error
        except Exception as error:  # noqa: BLE001 - as above
            self._fault("burst could not be judged, sending", error, log)
            return False
        if folded:
            log.info("alert folded", by="burst", severity=alert.severity)
        return folded

    def _fault(self, phrase: str, error: Exception, log: Log) -> None:
        log.warning(phrase, reason=str(error) if isinstance(error, StateError) else type(error).__name__)
        self.count_fault()
