"""Reads settings out of environment variables, all faults collected.

A fault in a destination's address or format takes that destination out; one in a filter takes the
filter out, because an alert too many is better than one too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Severity
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.settings.fields import Field, Kind, did_you_mean
from chalicelib.settings.model import (
    AuditSettings,
    DestinationSettings,
    DurableSettings,
    EnrichmentSettings,
    Row,
    Settings,
)
from chalicelib.settings.secrets import parse_reference
from chalicelib.settings.table import EVERY_DESTINATION, GLOBALS, KINDS

_NAME = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*")


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable of a destination, taken apart; ``name`` is empty for the only one of its kind."""

    variable: str
    name: str
    field: str


class Reader:
    """Reads one environment: collects values, rows and faults."""

    def __init__(self, environ: Mapping[str, str], source: str) -> None:
        self.faults: list[str] = []
        self._environ = environ
        self._source = source
        self._rows: list[Row] = []
        self._secrets: list[str] = []

    def read(self) -> Settings:
        """All settings; what is wrong with them is in ``faults`` then."""
        values = {item.name: self._value(item.name, item) for item in GLOBALS}
        destinations = [each for kind in KINDS for each in self._destinations(kind)]
        self._reject_near_misses()
        if not destinations and not self.faults:
            names = ", ".join(f"{kind.prefix}_{kind.fields[0].name}" for kind in KINDS if kind.fields)
            self.faults.append(f"no destination is configured, so no alert would reach anybody: set one of {names}")
        watch: Any = values["WATCH"]
        ignore_when: Any = values["IGNORE_WHEN"]
        return Settings(
            destinations=tuple(destinations),
            ignore_when=ignore_when,
            watch=watch or DEFAULT_WATCH,
            log_level=str(values["LOG_LEVEL"] or "info"),
            audit=_audit(values),
            durable=self._durable(values),
            enrichment=_enrichment(values) if values["ENRICH"] else None,
            rows=tuple(self._rows),
            secrets=tuple(self._secrets),
        )

    def _durable(self, values: Mapping[str, object]) -> DurableSettings | None:
        queue, table, burst = (values[name] for name in ("DELIVERY_QUEUE", "STATE_TABLE", "BURST_WINDOW"))
        if queue is not None and table is not None:
            regions: Any = values["RECONCILE_REGIONS"] or (self._environ.get("AWS_REGION", "us-east-1"),)
            return DurableSettings(str(queue), str(table), burst if isinstance(burst, int) else 60, regions)
        for given, missing in (("DELIVERY_QUEUE", "STATE_TABLE"), ("STATE_TABLE", "DELIVERY_QUEUE")):
            if values[given] is not None and missing not in self._environ:
                self.faults.append(f"{given} is set but {missing} is not: run `sgwatch setup`, or remove {given}")
        return None

    def read_enrichment(self) -> EnrichmentSettings:
        """How look-ups are made, whether or not they are on."""
        wanted = ("ENRICH_TIMEOUT", "ENRICH_ROLE", "ENRICH_CONFIG", "ACCOUNT_NAMES", "OWNER_TAGS")
        return _enrichment({item.name: self._value(item.name, item) for item in GLOBALS if item.name in wanted})

    def _destinations(self, kind: Kind) -> list[DestinationSettings]:
        named: dict[str, dict[str, _Variable]] = {}
        for variable in sorted(self._environ):
            parsed = self._take_apart(variable, kind) if variable.startswith(kind.prefix + "_") else None
            if parsed is not None:
                named.setdefault(parsed.name, {})[parsed.field] = parsed
        found = (self._destination(kind, name, variables) for name, variables in sorted(named.items()))
        return [each for each in found if each is not None]

    def _take_apart(self, variable: str, kind: Kind) -> _Variable | None:
        name, field_name = "", variable[len(kind.prefix) + 1 :]
        if field_name.startswith("_"):
            name, _, field_name = field_name[1:].rpartition("__")
        fault = _naming_fault(variable, kind, name, field_name)
        if fault is not None:
            self.faults.append(fault)
            return None
        return _Variable(variable, name, field_name)

    def _destination(self, kind: Kind, name: str, variables: Mapping[str, _Variable]) -> DestinationSettings | None:
        prefix = f"{kind.prefix}__{name}__" if name else f"{kind.prefix}_"
        values: dict[str, str] = {}
        sound = True
        for item in kind.fields:
            if item.required and item.name not in variables:
                first = next(iter(variables.values())).variable
                self.faults.append(f"{first} is set but {prefix}{item.name} is not: set it too, or remove {first}")
                sound = False
                continue
            before = len(self.faults)
            value = self._value(prefix + item.name, item)
            sound = sound and len(self.faults) == before
            if value is not None:
                values[item.name] = str(value)
        wanted = self._filter(prefix)
        label = kind.prefix.lower() + (f".{name.lower()}" if name else "")
        return DestinationSettings(kind.prefix.lower(), label, values, wanted) if sound else None

    def _filter(self, prefix: str) -> Filter:
        values = {item.name: self._value(prefix + item.name, item) for item in EVERY_DESTINATION}
        min_severity: Any = values["MIN_SEVERITY"] or Severity.INFO
        when: Any = values["WHEN"]
        return Filter(min_severity, when)

    def _value(self, variable: str, item: Field) -> object:
        """The value of one setting, or None where it is unset without a default or faulty."""
        text = self._environ.get(variable, item.default)
        if text is None:
            return None
        text = text.strip()
        self._rows.append(Row(variable, _shown(text, item), self._source if variable in self._environ else "default"))
        if not text:
            self.faults.append(f"{variable} is empty: give it a value, or remove it")
            return None
        try:
            value = item.read(text)
        except ValueError as error:
            self.faults.append(f"{variable}: {_without_secret(str(error), text)}")
            return None
        if item.secret and parse_reference(text) is None:
            self._secrets.append(text)
        return value

    def _reject_near_misses(self) -> None:
        """A misspelt variable is somebody's alert that would never arrive."""
        known = _all_variables()
        for variable in sorted(self._environ):
            if any(variable.startswith(kind.prefix + "_") for kind in KINDS) or variable in known:
                continue
            if variable.upper() in known or variable.upper().startswith(tuple(f"{kind.prefix}__" for kind in KINDS)):
                self.faults.append(f"{variable} is not a setting: settings are in capital letters")
            elif variable in {item.name for item in EVERY_DESTINATION}:
                self.faults.append(f"{variable} belongs to a destination: write SLACK_{variable}, for example")
            elif near := _near(variable, known):
                self.faults.append(f'{variable} is not a setting; did you mean "{near}"?')


def _audit(values: Mapping[str, object]) -> AuditSettings:
    url = values["HEARTBEAT_URL"]
    return AuditSettings(
        standard=str(values["AUDIT_STANDARD"] or "cis_5"),
        heartbeat_url=None if url is None else str(url),
        auto_repair=values["AUTO_REPAIR"] is True,
    )


def _enrichment(values: Mapping[str, Any]) -> EnrichmentSettings:
    return EnrichmentSettings(
        timeout=values["ENRICH_TIMEOUT"] or EnrichmentSettings().timeout,
        role=values["ENRICH_ROLE"],
        with_config=bool(values["ENRICH_CONFIG"]),
        account_names=values["ACCOUNT_NAMES"] or {},
        owner_tags=values["OWNER_TAGS"] or (),
    )


def _naming_fault(variable: str, kind: Kind, name: str, field_name: str) -> str | None:
    known = [item.name for item in (*kind.fields, *EVERY_DESTINATION)]
    if not kind.fields or field_name in kind.planned:
        return f"{variable} is not available in this version of sgwatch: remove it"
    if variable.startswith(f"{kind.prefix}__") and not _NAME.fullmatch(name):
        return (
            f"{variable}: a destination with a name is written {kind.prefix}__<NAME>__<FIELD>, "
            "the name in capital letters, digits and single underscores"
        )
    if field_name in known:
        return None
    for item in known:
        if not name and field_name.endswith(f"_{item}"):
            better = f"{kind.prefix}__{field_name.removesuffix(item).rstrip('_')}__{item}"
            return f'{variable} is not a setting; did you mean "{better}"?'
    hint = did_you_mean(field_name, known)
    return f"{variable}: {field_name} is not a field of {kind.prefix}; it has {', '.join(known)}{hint}"


def _all_variables() -> frozenset[str]:
    of_kinds = (f"{kind.prefix}_{item.name}" for kind in KINDS for item in (*kind.fields, *EVERY_DESTINATION))
    return frozenset({item.name for item in GLOBALS} | set(of_kinds))


def _near(variable: str, known: Iterable[str]) -> str | None:
    # Ten to fifty variables of the runtime and the shell go through here on a cold start; all that
    # is misspelt shares its first or its last letters with what was meant.
    ends = {name[-3:] for name in known} | {name[:3] for name in known}
    if variable[-3:] not in ends and variable[:3] not in ends:
        return None
    import difflib  # noqa: PLC0415 - rarely needed

    near = difflib.get_close_matches(variable, list(known), n=1, cutoff=0.85)
    return near[0] if near else None


# A secret may have been put into the wrong variable.
_LIKE_A_SECRET = re.compile(r"hooks\.slack|whsec_|xox[a-z]-", re.IGNORECASE)


def _without_secret(fault: str, text: str) -> str:
    return fault.replace(text, "(not shown, it looks like a secret)") if _LIKE_A_SECRET.search(text) else fault


def _shown(text: str, item: Field) -> str:
    if not text or not (item.secret or _LIKE_A_SECRET.search(text)):
        return text
    try:
        reference = parse_reference(text)
    except ValueError:
        reference = None
    return text if reference is not None else f"(secret, {len(text)} characters)"
