"""The composition root: puts the alert function together from the settings.

Nothing is looked up and no client is made until something needs it: a cold start that sends to Slack
imports no boto3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from chalicelib.aws.clients import ClientFactory, aws_client
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.delivery.direct import Direct
from chalicelib.delivery.lazy import Lazy
from chalicelib.destinations.contract import Destination, RevisionTable, Tools, no_runbook
from chalicelib.destinations.http_door import HttpDoor, Network, url_fault
from chalicelib.functions.alert_function import AlertFunction, Deliverer, Route
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.environment import from_environment, function_name
from chalicelib.settings.kinds import KINDS
from chalicelib.settings.model import DestinationSettings, EnrichmentSettings, HttpSettings, Settings, SettingsError
from chalicelib.settings.secrets import Secrets

if TYPE_CHECKING:
    from chalicelib.delivery.alert_archive import AlertArchive
    from chalicelib.delivery.digest import HoldingGate
    from chalicelib.delivery.gate import Gate
    from chalicelib.enrichment.group_snapshot_store import Snapshots


def routes(settings: Settings, redactor: Redactor, client: ClientFactory = aws_client) -> tuple[Route, ...]:
    """The configured destinations with their filters; secrets are looked up when one is used."""
    secrets = Secrets(client)

    def secret(value: str) -> str:
        resolved = secrets.resolve(value)
        if resolved != value:
            redactor.add(resolved)
        return resolved

    http = HttpDoor(network=cache(lambda: network(settings.http, secret)))
    tools = Tools(http, client, runbook_of(settings.runbook), secret, _state_table(settings, client))

    def destination(configured: DestinationSettings) -> Destination:
        looked_up: set[str] = set()

        def own_secret(value: str) -> str:
            looked_up.add(value)
            return secret(value)

        def build() -> Destination:
            values = {name: own_secret(value) for name, value in configured.values.items()}
            return builder_of(configured.kind)(configured.name, values, tools._replace(secret=own_secret))

        def forget() -> None:
            for value in looked_up:
                secrets.forget(value)

        return Lazy(configured.name, build, forget)

    resolving = {kind.key for kind in KINDS if kind.resolves}
    return tuple(Route(destination(each), each.filter, each.kind in resolving) for each in settings.destinations)


def _state_table(settings: Settings, client: ClientFactory) -> RevisionTable | None:
    if settings.durable is None:
        return None
    from chalicelib.state.state_table import StateTable  # noqa: PLC0415 - only where there is one

    return StateTable(lambda: client("dynamodb"), settings.durable.table)


Build = Callable[[str, Mapping[str, str], Tools], Destination]


def builder_of(kind: str) -> Build:
    """What builds the destinations of a kind; its module is imported here, so only where one is used."""
    (module,) = [each.module for each in KINDS if each.key == kind]
    build: Build = import_module(module).build
    return build


def network(settings: HttpSettings, secret: Callable[[str], str]) -> Network:
    """The proxy and the certificates of these settings, looked up."""
    proxy = secret(settings.proxy_url) if settings.proxy_url else None
    return Network(proxy, _certificate_file(secret(settings.ca_bundle)) if settings.ca_bundle else None)


def _certificate_file(bundle: str) -> str:
    """A file with these certificates beside the public ones, which is the form that TLS takes them in."""
    from tempfile import NamedTemporaryFile  # noqa: PLC0415

    import certifi  # noqa: PLC0415 - where there are certificates of one's own

    with NamedTemporaryFile("w", suffix=".pem", delete=False, encoding="ascii") as file:
        file.write(f"{certifi.contents()}\n{bundle}\n")
    return file.name


def runbook_of(setting: str | None) -> Callable[[Alert], str | None]:
    """What gives an alert's runbook: the URL itself, or what the expression makes of the alert."""
    if setting is None:
        return no_runbook
    if url_fault(setting) is None:
        return lambda _: setting
    from chalicelib.alert.filters import compile_condition  # noqa: PLC0415 - where there is an expression

    condition = compile_condition(setting)

    def look_up(alert: Alert) -> str | None:
        found = condition.value(alert)
        return found if isinstance(found, str) and url_fault(found) is None else None

    return look_up


AlertOf = Callable[[Mapping[str, Any]], Alert]


def alert_maker(
    enrichment: EnrichmentSettings | None, state_table: str | None = None, log: Log | None = None
) -> AlertOf:
    """What makes alerts of records: with look-ups where they are on, and with the state table where there is one."""
    if enrichment is None:
        return alert_of
    from chalicelib.aws.read_calls import AwsReader  # noqa: PLC0415 - only where look-ups are on
    from chalicelib.enrichment.enrich import Enricher  # noqa: PLC0415
    from chalicelib.enrichment.lookups import Lookups  # noqa: PLC0415

    def on_fault(record: CloudTrailRecord, error: Exception) -> None:
        if log is not None:
            log.error("look-ups broke", event_id=record.event_id, exc_info=error)

    reader = AwsReader(enrichment.role, enrichment.timeout, external_id=enrichment.external_id)
    lookups = Lookups(reader, enrichment.account_names, enrichment.timeout, enrichment.with_config)
    snapshots = group_snapshots(state_table) if state_table else None
    return Enricher(lookups, snapshots, enrichment.owner_tags, on_fault=on_fault).alert_of


def group_snapshots(state_table: str) -> Snapshots:
    """The snapshots of security groups in the state table of this name."""
    from chalicelib.enrichment.group_snapshot_store import Snapshots  # noqa: PLC0415
    from chalicelib.state.state_table import StateTable  # noqa: PLC0415 - only where there is one

    return Snapshots(StateTable(lambda: aws_client("dynamodb"), state_table))


def assemble(
    settings: Settings, faults: tuple[str, ...] = (), function: str = "local", client: ClientFactory = aws_client
) -> AlertFunction:
    """The alert function of these settings."""
    redactor = Redactor(settings.secrets)
    log = Log(redactor, settings.log_level).bind(function=function)
    metrics = Metrics(function)
    direct: Deliverer = Direct()
    gate: Gate | None = None
    kept: AlertArchive | None = None
    holding: HoldingGate | None = None
    if settings.durable is not None:
        from chalicelib.functions.composition.durable_parts import entrance, holding_gate  # noqa: PLC0415 - a direct delivery's cold start does not need it

        direct, gate, kept = entrance(settings.durable, client, metrics)
        holding = holding_gate(settings, settings.durable, client, metrics)
    return AlertFunction(
        routes=routes(settings, redactor, client),
        ignore_when=settings.ignore_when,
        faults=faults,
        direct=direct,
        log=log,
        metrics=metrics,
        now=lambda: datetime.now(UTC),
        alert_of=alert_maker(settings.enrichment, settings.durable.table if settings.durable else None, log),
        gate=gate,
        kept=kept,
        holding=holding,
    )


@cache
def alert_function() -> AlertFunction:
    """The alert function of this process; with faulty settings it does what is sound and then raises."""
    try:
        return assemble(from_environment(), function=function_name())
    except SettingsError as error:
        return assemble(error.sound, error.faults, function_name())
