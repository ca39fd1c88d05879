"""The settings as the rest of the app is given them: plain values, no environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.alert.filters import Condition, Filter
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup


@dataclass(frozen=True, slots=True)
class Row:
    """One setting read back: its variable, its value with secrets masked, and where that came from."""

    variable: str
    shown: str
    source: str


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """One destination. ``values`` are by field name (``WEBHOOK_URL``); a secret may still be a reference."""

    kind: str
    name: str
    values: Mapping[str, str] = field(repr=False)
    filter: Filter = field(default_factory=Filter)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What the audit of the alarm path goes by; the URL may still be a reference."""

    standard: str = "cis_5"
    heartbeat_url: str | None = field(default=None, repr=False)
    auto_repair: bool = False


@dataclass(frozen=True, slots=True)
class DurableSettings:
    """The resources of durable delivery, by name."""

    queue: str
    table: str
    burst_seconds: int = 60
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnrichmentSettings:
    """How look-ups are made."""

    timeout: float = 3.0
    role: str | None = None
    with_config: bool = False
    account_names: Mapping[str, str] = field(default_factory=dict)
    owner_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, or (from a SettingsError) the sound part of them.

    ``enrichment`` is None where look-ups are off.
    """

    destinations: tuple[DestinationSettings, ...] = ()
    ignore_when: Condition | None = None
    watch: tuple[EventGroup, ...] = DEFAULT_WATCH
    log_level: str = "info"
    audit: AuditSettings = field(default_factory=AuditSettings)
    durable: DurableSettings | None = None
    enrichment: EnrichmentSettings | None = None
    rows: tuple[Row, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def describe(self) -> tuple[Row, ...]:
        """Each setting with its value, secrets masked, and its origin."""
        return self.rows


class SettingsError(ValueError):
    """Settings have faults: ``faults`` has a sentence for each, ``sound`` is what can be used all the same."""

    def __init__(self, faults: Iterable[str], sound: Settings) -> None:
        self.faults = tuple(faults)
        self.sound = sound
        super().__init__("\n".join(self.faults))
