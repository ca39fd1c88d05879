"""What the gate of durable delivery decides for an alert."""

from __future__ import annotations

from enum import Enum


class GateDecision(Enum):
    """Send it now, fold it into its burst's follow-up, or hold it back for a silence."""

    SEND = "send"
    FOLD = "fold"
    SILENCE = "silence"
