"""The settings as the rest of the app is given them: plain values, no environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from chalicelib.alert.filters import Condition, Filter
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.named_tuple import NamedTuple
from chalicelib.settings.table import default_of

if TYPE_CHECKING:
    from chalicelib.alert.quiet_hours import QuietHours, TimeOfDay

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Row(NamedTuple):
    """One setting read back: its variable, its value with secrets masked, and where that came from."""

    variable: str
    shown: str
    source: str


class DestinationSettings(NamedTuple):
    """One destination. ``values`` are by field name (``WEBHOOK_URL``) and may still be references.

    ``digest`` is when what is below the filter's severity is sent, None where it is dropped.
    """

    kind: str
    name: str
    values: Mapping[str, str]
    filter: Filter
    digest: TimeOfDay | None = None
    quiet_hours: QuietHours | None = None

    def __repr__(self) -> str:
        return f"DestinationSettings(kind={self.kind!r}, name={self.name!r}, filter={self.filter!r})"


class AuditSettings(NamedTuple):
    """What the audit of the alarm path goes by; the URL may still be a reference."""

    standard: str = default_of("AUDIT_STANDARD")
    heartbeat_url: str | None = None
    auto_repair: bool = default_of("AUTO_REPAIR")

    def __repr__(self) -> str:
        return f"AuditSettings(standard={self.standard!r}, auto_repair={self.auto_repair!r})"


class DurableSettings(NamedTuple):
    """The resources of durable delivery, by name."""

    queue: str
    table: str
    burst_seconds: int = default_of("BURST_WINDOW")
    regions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class EnrichmentSettings(NamedTuple):
    """How look-ups are made."""

    timeout: float = default_of("ENRICH_TIMEOUT")
    role: str | None = None
    with_config: bool = default_of("ENRICH_CONFIG")
    account_names: Mapping[str, str] = _NOTHING
    owner_tags: tuple[str, ...] = default_of("OWNER_TAGS")
    external_id: str | None = None


class HttpSettings(NamedTuple):
    """How HTTPS destinations are reached; both may still be references."""

    proxy_url: str | None = None
    ca_bundle: str | None = None

    def __repr__(self) -> str:
        return "HttpSettings()"


class Settings(NamedTuple):
    """All settings, or (from a SettingsError) the sound part of them.

    ``enrichment`` is None where look-ups are off.
    """

    destinations: tuple[DestinationSettings, ...] = ()
    ignore_when: Condition | None = None
    watch: tuple[EventGroup, ...] = DEFAULT_WATCH
    log_level: str = default_of("LOG_LEVEL")
    audit: AuditSettings = AuditSettings()
    durable: DurableSettings | None = None
    enrichment: EnrichmentSettings | None = None
    http: HttpSettings = HttpSettings()
    runbook: str | None = None
    rows: tuple[Row, ...] = ()
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Settings(destinations={self.destinations!r})"

    def describe(self) -> tuple[Row, ...]:
        """Each setting with its value, secrets masked, and its origin."""
        return self.rows


class SettingsError(ValueError):
    """Settings have faults: ``faults`` has a sentence for each, ``sound`` is what can be used all the same."""

    def __init__(self, faults: Iterable[str], sound: Settings) -> None:
        self.faults = tuple(faults)
        self.sound = sound
        super().__init__("\n".join(self.faults))
