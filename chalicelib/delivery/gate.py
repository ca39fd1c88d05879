"""What stands between an alert and the queue in durable delivery: silences, then bursts."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.alert.model import Alert
from chalicelib.delivery.bursts import SUPPRESSED, Bursts
from chalicelib.delivery.direct import NotDecided
from chalicelib.delivery.queue import QueueError
from chalicelib.delivery.silences import Silences
from chalicelib.observability.logs import Log
from chalicelib.state.errors import StateError


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides whether an alert is sent now. Where the state table fails, it is: one too many beats one too few."""

    silences: Silences
    bursts: Bursts

    def holds_back(self, alert: Alert, log: Log) -> str | None:
        """What holds the alert back, with its name for the log; None where it is to be sent now.

        Raises:
            NotDecided: the event has to come again.
        """
        return self._silenced(alert, log) or self._folded(alert, log)

    def pass_by(self, alert: Alert, log: Log) -> None:
        """Note an alert that nobody wants, so that it does not count as one that never came."""
        try:
            self.bursts.note(alert, SUPPRESSED)
        except StateError as error:
            log.warning("alert could not be noted", reason=str(error))

    def _silenced(self, alert: Alert, log: Log) -> str | None:
        try:
            silence = self.silences.holding(alert)
            # What was queued for one destination before the silence began may be missing at another.
            if silence is None or self.bursts.is_to_be_told(alert):
                return None
            # Not counted means not listable, and what nobody can list must not be held back.
            self.silences.count(silence, alert)
            self.bursts.note(alert, SUPPRESSED)
        except (StateError, ValueError) as error:
            log.warning("silences could not be read, sending", reason=str(error))
            return None
        return f"silence {silence.id}"

    def _folded(self, alert: Alert, log: Log) -> str | None:
        try:
            return None if self.bursts.admit(alert) else "burst"
        except StateError as error:
            log.warning("burst could not be judged, sending", reason=str(error))
            return None
        except QueueError as error:
            raise NotDecided(str(error)) from error
