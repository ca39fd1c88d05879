"""Reads settings out of environment variables, all faults collected.

A fault in a destination's address or format takes that destination out; one in a filter takes the
filter out, because an alert too many is better than one too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Severity
from chalicelib.named_tuple import NamedTuple
from chalicelib.settings.fields import Field, did_you_mean
from chalicelib.settings.kinds import KINDS, DestinationKind
from chalicelib.settings.masking import (
    hidden,
    looks_like_key,
    looks_like_secret,
    looks_like_url,
    may_be_key,
    may_hold_secret,
)
from chalicelib.settings.model import (
    AuditSettings,
    DestinationSettings,
    DurableSettings,
    EnrichmentSettings,
    HttpSettings,
    Row,
    Settings,
)
from chalicelib.settings.secrets import parse_reference
from chalicelib.settings.table import DIGEST, EVERY_DESTINATION, GLOBALS, QUIET_HOURS


class _Variable(NamedTuple):
    """A variable of a destination, taken apart; ``name`` is empty for the only one of its kind."""

    variable: str
    name: str
    field: str


class SettingsReader:
    """Reads one environment: collects values, rows and faults."""

    def __init__(self, environ: Mapping[str, str], source: str) -> None:
        self.faults: list[str] = []
        self._environ = environ
        self._source = source
        self._rows: list[Row] = []
        self._secrets: list[str] = []

    def read(self) -> Settings:
        """All settings; what is wrong with them is in ``faults`` then."""
        values = self._globals()
        destinations = [each for kind in KINDS for each in self._destinations(kind)]
        self._reject_near_misses()
        if not destinations and not self.faults:
            names = ", ".join(kind.variable(kind.needs[0][0]) for kind in KINDS)
            self.faults.append(f"no destination is configured, so no alert would reach anybody: set one of {names}")
        return Settings(
            destinations=tuple(destinations),
            ignore_when=values["IGNORE_WHEN"],
            watch=values["WATCH"],
            log_level=values["LOG_LEVEL"],
            audit=AuditSettings(
                standard=values["AUDIT_STANDARD"],
                heartbeat_url=values["HEARTBEAT_URL"],
                auto_repair=values["AUTO_REPAIR"],
            ),
            durable=self._durable(values),
            enrichment=_enrichment(values) if values["ENRICH"] else None,
            http=HttpSettings(proxy_url=values["HTTPS_PROXY_URL"], ca_bundle=values["CA_BUNDLE"]),
            runbook=values["RUNBOOK_URL"],
            rows=tuple(self._rows),
            secrets=tuple(self._secrets),
        )

    def read_enrichment(self) -> EnrichmentSettings:
        """How look-ups are made, whether or not they are on."""
        return _enrichment(
            self._globals(
                "ENRICH_TIMEOUT", "ENRICH_ROLE", "ENRICH_EXTERNAL_ID", "ENRICH_CONFIG", "ACCOUNT_NAMES", "OWNER_TAGS"
            )
        )

    def _globals(self, *names: str) -> Mapping[str, Any]:
        return {item.name: self._value(item.name, item) for item in GLOBALS if not names or item.name in names}

    def _durable(self, values: Mapping[str, Any]) -> DurableSettings | None:
        queue, table = values["DELIVERY_QUEUE"], values["STATE_TABLE"]
        if queue is not None and table is not None:
            regions = values["RECONCILE_REGIONS"] or (self._environ.get("AWS_REGION", "us-east-1"),)
            return DurableSettings(
                queue=queue,
                table=table,
                burst_seconds=values["BURST_WINDOW"],
                regions=regions,
                accounts=values["FLEET_ACCOUNTS"] or (),
            )
        for given, missing in (("DELIVERY_QUEUE", "STATE_TABLE"), ("STATE_TABLE", "DELIVERY_QUEUE")):
            if values[given] is not None and missing not in self._environ:
                self.faults.append(f"{given} is set but {missing} is not: run `sgwatch setup`, or remove {given}")
        return None

    def _destinations(self, kind: DestinationKind) -> list[DestinationSettings]:
        named: dict[str, dict[str, _Variable]] = {}
        for variable in sorted(self._environ):
            parsed = self._take_apart(variable, kind) if kind.owns(variable) else None
            if parsed is not None:
                named.setdefault(parsed.name, {})[parsed.field] = parsed
        found = (self._destination(kind, name, variables) for name, variables in sorted(named.items()))
        return [each for each in found if each is not None]

    def _take_apart(self, variable: str, kind: DestinationKind) -> _Variable | None:
        name, field_name = "", variable[len(kind.prefix) + 1 :]
        if field_name.startswith("_"):
            name, _, field_name = field_name[1:].rpartition("__")
        fault = _naming_fault(variable, kind, name, field_name)
        if fault is not None:
            self.faults.append(fault)
            return None
        return _Variable(variable, name, field_name)

    def _destination(
        self, kind: DestinationKind, name: str, given: Mapping[str, _Variable]
    ) -> DestinationSettings | None:
        before = len(self.faults)
        self._require(kind, name, given)
        values: dict[str, str] = {}
        for item in kind.fields:
            value = self._value(kind.variable(item.name, name), item)
            if value is not None:
                values[item.name] = str(value)
        sound = len(self.faults) == before
        wanted = [self._value(kind.variable(item.name, name), item) for item in EVERY_DESTINATION]
        filtered, holding = Filter(*wanted[:2]), self._holding(kind, name, wanted[0], wanted[2:])
        label = kind.key + (f".{name.lower()}" if name else "")
        return DestinationSettings(kind.key, label, values, filtered, *holding) if sound else None

    def _holding(self, kind: DestinationKind, name: str, least: Severity, values: list[Any]) -> list[Any]:
        """When the digest is sent and which hours are quiet; None where that makes no sense, which is a fault."""
        for position, item in enumerate((DIGEST, QUIET_HOURS)):
            if values[position] is None:
                continue
            variable = kind.variable(item.name, name)
            if "DELIVERY_QUEUE" not in self._environ or "STATE_TABLE" not in self._environ:
                self.faults.append(
                    f"{variable} needs durable delivery, which keeps what waits: run `sgwatch setup`, or remove it"
                )
            elif item is DIGEST and least is Severity.INFO:
                self.faults.append(
                    f"{variable}: every alert is sent at once, so nothing is left for a digest: set "
                    f"{kind.variable('MIN_SEVERITY', name)} to the least severity that is sent at once, or remove it"
                )
            else:
                continue
            values[position] = None
        return values

    def _require(self, kind: DestinationKind, name: str, given: Mapping[str, _Variable]) -> None:
        """One of the sets of fields that the kind needs, whole, and not two."""
        whole = [needed for needed in kind.needs if all(field in given for field in needed)]
        if not whole:
            nearest = max(kind.needs, key=lambda needed: sum(field in given for field in needed))
            first = next(iter(given.values())).variable
            for field in nearest:
                if field not in given:
                    missing = kind.variable(field, name)
                    self.faults.append(f"{first} is set but {missing} is not: set it too, or remove {first}")
        elif len(whole) > 1:
            one, other = (kind.variable(needed[0], name) for needed in whole[:2])
            another = f"{kind.prefix}__<NAME>__{whole[1][0]}"
            self.faults.append(f"{one} and {other} are both set: remove one, or write the other as {another}")

    def _value(self, variable: str, item: Field) -> Any:
        """The value of one setting; the default's, or None, where it is unset or faulty."""
        text = self._environ.get(variable, item.default)
        if text is None:
            return None
        text = text.strip()
        origin = self._source if variable in self._environ else "default"
        value, fault = _read(item, text)
        shown = hidden(text) if _is_hidden(item, text, faulty=fault is not None) else text
        self._rows.append(Row(variable, shown, origin))
        if shown != text:
            self._secrets.append(text)
        if fault is not None:
            self.faults.append(f"{variable} {fault}" if fault.startswith("is ") else f"{variable}: {fault}")
            return None if item.default is None else item.read(item.default)
        return value

    def _reject_near_misses(self) -> None:
        """A misspelt variable is somebody's alert that would never arrive."""
        known = _all_variables()
        # Ten to fifty variables of the runtime and the shell go through here on a cold start; all that
        # is misspelt shares its first or its last letters with what was meant.
        ends = {name[-3:] for name in known} | {name[:3] for name in known}
        for variable in sorted(self._environ):
            if variable in known or any(kind.owns(variable) for kind in KINDS):
                continue
            if variable.upper() in known or variable.upper().startswith(tuple(f"{kind.prefix}__" for kind in KINDS)):
                self.faults.append(f"{variable} is not a setting: settings are in capital letters")
            elif variable in {item.name for item in EVERY_DESTINATION}:
                self.faults.append(f"{variable} belongs to a destination: write SLACK_{variable}, for example")
            elif (variable[-3:] in ends or variable[:3] in ends) and (near := _near(variable, known)):
                self.faults.append(f'{variable} is not a setting; did you mean "{near}"?')


def _read(item: Field, text: str) -> tuple[Any, str | None]:
    """The value and None, or None and the fault: a sentence that goes behind the variable's name."""
    fault = _form_fault(item, text)
    if fault is not None:
        return None, fault
    if item.by_reference and parse_reference(text) is not None:
        return text, None
    try:
        return item.read(text), None
    except ValueError as error:
        hide = may_hold_secret(text) and not item.secret
        return None, str(error).replace(text, "(not shown, it may be or hold a key)") if hide else str(error)


def _form_fault(item: Field, text: str) -> str | None:
    """What is wrong with a value before anything is known of its meaning."""
    if not text:
        return "is empty: give it a value, or remove it"
    if text[0] in "\"'“‘" and text[-1] in "\"'”’" and (item.secret or looks_like_url(text) or text[1:-1].isalnum()):
        return "it stands in quotation marks: write it without them"
    if _is_misplaced(item, text):
        what = "secret" if looks_like_secret(text) else "URL" if looks_like_url(text) else "key"
        return (
            f"it holds what looks like a {what} (not shown, {len(text)} characters), and none belongs here: "
            "move it to the variable that it is for, and replace it if somebody may have seen it"
        )
    by_reference = item.secret or item.by_reference
    if by_reference and text.startswith("arn:") and re.match(r"arn:[a-z-]+:(ssm|secretsmanager):", text):
        service = text.split(":")[2]
        example = "ssm:/sgwatch/prod/name" if service == "ssm" else "secretsmanager:sgwatch/prod/name"
        return f"it is an ARN: a reference is written {example}"
    if not by_reference and _is_reference(text):
        return f'"{text}" is a reference, and this setting is not looked up: write the value itself'
    return None


def _is_misplaced(item: Field, text: str) -> bool:
    """Whether a secret or a URL stands where neither belongs."""
    if item.secret:
        return False
    if looks_like_secret(text) or (looks_like_url(text) and not item.holds_url):
        return True
    return looks_like_key(text) and not item.is_random


def _is_hidden(item: Field, text: str, *, faulty: bool) -> bool:
    if not text or _is_reference(text):
        return False
    if item.secret or _is_misplaced(item, text):
        return True
    return may_hold_secret(text) if faulty else may_be_key(text) and not item.is_random


def _is_reference(text: str) -> bool:
    try:
        return parse_reference(text) is not None
    except ValueError:
        return False


def _enrichment(values: Mapping[str, Any]) -> EnrichmentSettings:
    return EnrichmentSettings(
        timeout=values["ENRICH_TIMEOUT"],
        role=values["ENRICH_ROLE"],
        external_id=values["ENRICH_EXTERNAL_ID"],
        with_config=values["ENRICH_CONFIG"],
        account_names=values["ACCOUNT_NAMES"] or {},
        owner_tags=values["OWNER_TAGS"],
    )


def _naming_fault(variable: str, kind: DestinationKind, name: str, field_name: str) -> str | None:
    known = [item.name for item in (*kind.fields, *EVERY_DESTINATION) if item.name]
    if variable.startswith(f"{kind.prefix}__") and not re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)*", name):
        return (
            f"{variable}: a destination with a name is written {kind.prefix}__<NAME>__<FIELD>, "
            "the name in capital letters, digits and single underscores"
        )
    if field_name in known or variable == kind.prefix:
        return None
    for item in known:
        if not name and field_name.endswith(f"_{item}"):
            better = f"{kind.prefix}__{field_name.removesuffix(item).rstrip('_')}__{item}"
            return f'{variable} is not a setting; did you mean "{better}"?'
    hint = did_you_mean(field_name, known)
    return f"{variable}: {field_name} is not a field of {kind.prefix}; it has {', '.join(known)}{hint}"


def _all_variables() -> frozenset[str]:
    of_kinds = (kind.variable(item.name) for kind in KINDS for item in (*kind.fields, *EVERY_DESTINATION))
    return frozenset({item.name for item in GLOBALS} | set(of_kinds))


def _near(variable: str, known: Iterable[str]) -> str | None:
    import difflib  # noqa: PLC0415 - rarely needed

    near = difflib.get_close_matches(variable, list(known), n=1, cutoff=0.85)
    return near[0] if near else None
