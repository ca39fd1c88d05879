"""The composition root: puts the alert function together from the settings.

Nothing is looked up and no client is made until something needs it: a cold start that sends to Slack
imports no boto3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from chalicelib.aws.clients import ClientFactory, aws_client
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.delivery.direct import Direct
from chalicelib.delivery.lazy import Lazy
from chalicelib.destinations.contract import Destination
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.functions.alert_function import AlertFunction, Deliverer, Gate, Kept, Route
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.environment import from_environment, function_name
from chalicelib.settings.model import DestinationSettings, EnrichmentSettings, Settings, SettingsError
from chalicelib.settings.secrets import Secrets

if TYPE_CHECKING:
    from chalicelib.enrichment.group_snapshot_store import Snapshots


@dataclass(frozen=True, slots=True)
class _Parts:
    """What destinations are made of."""

    secret: Callable[[str], str]
    http: HttpDoor
    client: ClientFactory


def _slack(values: Mapping[str, str], name: str, parts: _Parts) -> Destination:
    from chalicelib.destinations.slack import Slack  # noqa: PLC0415 - each kind only where it is configured

    return Slack(name, parts.secret(values["WEBHOOK_URL"]), parts.http)


def _sns(values: Mapping[str, str], name: str, parts: _Parts) -> Destination:
    from chalicelib.destinations.sns import Format, Sns  # noqa: PLC0415

    topic = values["TOPIC_ARN"]
    region = topic.split(":")[3]  # settings_fields has matched the whole ARN
    form: Format = "json" if values["FORMAT"] == "json" else "text"
    return Sns(name, topic, form, lambda: parts.client("sns", region))


def _webhook(values: Mapping[str, str], name: str, parts: _Parts) -> Destination:
    from chalicelib.destinations.webhook import Webhook  # noqa: PLC0415

    secret = values.get("SECRET")
    return Webhook(name, parts.secret(values["URL"]), secret and parts.secret(secret), parts.http)


BUILDERS: Mapping[str, Callable[[Mapping[str, str], str, _Parts], Destination]] = {
    "slack": _slack,
    "sns": _sns,
    "webhook": _webhook,
}


def routes(settings: Settings, redactor: Redactor, client: ClientFactory = aws_client) -> tuple[Route, ...]:
    """The configured destinations with their filters; secrets are looked up when one is used."""
    secrets = Secrets(client)
    http = HttpDoor()

    def secret(value: str) -> str:
        resolved = secrets.resolve(value)
        redactor.add(resolved)
        return resolved

    def destination(configured: DestinationSettings) -> Destination:
        def build() -> Destination:
            return BUILDERS[configured.kind](configured.values, configured.name, _Parts(secret, http, client))

        def forget() -> None:
            for value in configured.values.values():
                secrets.forget(value)

        return Lazy(configured.name, build, forget)

    return tuple(Route(destination(each), each.filter) for each in settings.destinations)


AlertOf = Callable[[Mapping[str, Any]], Alert]


def alert_maker(
    enrichment: EnrichmentSettings | None, state_table: str | None = None, log: Log | None = None
) -> AlertOf:
    """What makes alerts of records: with look-ups where they are on, and with the state table where there is one."""
    if enrichment is None:
        return alert_of
    from chalicelib.aws.reader import AwsReader  # noqa: PLC0415 - only where look-ups are on
    from chalicelib.enrichment.enrich import Enricher  # noqa: PLC0415
    from chalicelib.enrichment.lookups import Lookups  # noqa: PLC0415

    def on_fault(record: CloudTrailRecord, error: Exception) -> None:
        if log is not None:
            log.error("look-ups broke", event_id=record.event_id, exc_info=error)

    reader = AwsReader(role=enrichment.role, timeout=enrichment.timeout)
    lookups = Lookups(reader, enrichment.account_names, enrichment.timeout, enrichment.with_config)
    snapshots = group_snapshots(state_table) if state_table else None
    return Enricher(lookups, snapshots, enrichment.owner_tags, on_fault=on_fault).alert_of


def group_snapshots(state_table: str) -> Snapshots:
    """The snapshots of security groups in the state table of this name."""
    from chalicelib.enrichment.group_snapshot_store import Snapshots  # noqa: PLC0415
    from chalicelib.state.table import StateTable  # noqa: PLC0415 - only where there is one

    return Snapshots(StateTable(lambda: aws_client("dynamodb"), state_table))


def assemble(
    settings: Settings, faults: tuple[str, ...] = (), function: str = "local", client: ClientFactory = aws_client
) -> AlertFunction:
    """The alert function of these settings."""
    redactor = Redactor(settings.secrets)
    log = Log(redactor, settings.log_level).bind(function=function)
    direct: Deliverer = Direct()
    gate: Gate | None = None
    kept: Kept | None = None
    if settings.durable is not None:
        from chalicelib.functions.composition.durable_parts import entrance  # noqa: PLC0415 - a direct delivery's cold start does not need it

        direct, gate, kept = entrance(settings.durable, client)
    return AlertFunction(
        routes=routes(settings, redactor, client),
        ignore_when=settings.ignore_when,
        faults=faults,
        direct=direct,
        log=log,
        metrics=Metrics(function),
        now=lambda: datetime.now(UTC),
        alert_of=alert_maker(settings.enrichment, settings.durable.table if settings.durable else None, log),
        gate=gate,
        kept=kept,
    )


@cache
def alert_function() -> AlertFunction:
    """The alert function of this process; with faulty settings it does what is sound and then raises."""
    try:
        return assemble(from_environment(), function=function_name())
    except SettingsError as error:
        return assemble(error.sound, error.faults, function_name())
