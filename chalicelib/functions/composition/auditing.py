"""The composition root of the functions that guard the alarm path; the alert function imports nothing of this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from chalicelib.alarm_path.audit_run import Auditor
from chalicelib.alarm_path.snapshot.collect_own_path import Forwarding, OwnPath
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.watch.status_store import ParameterMemory, StatusMemory, TableMemory
from chalicelib.aws.clients import ClientFactory, aws_client, default_region, patient_clients
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.delivery.heartbeat import Heartbeat
from chalicelib.deployment import (
    DELIVER,
    Stage,
    dead_letter_queues,
    durable_alarms,
    forwarder_rules,
    own_rules,
    stage_of,
)
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.functions.call_windows import CallWindows, TableWindows
from chalicelib.functions.composition.alerting import assemble, network
from chalicelib.functions.guard import Guard
from chalicelib.settings.environment import from_environment, function_name, read_settings
from chalicelib.settings.model import DurableSettings, Settings, SettingsError
from chalicelib.settings.secrets import Secrets
from chalicelib.state.state_table import StateTable


def assemble_guard(
    settings: Settings,
    faults: tuple[str, ...] = (),
    function: str = "local",
    clients: ClientFactory | None = None,
    region: str | None = None,
) -> Guard:
    """The guard of these settings; its own path is audited where the function's name holds the stage."""
    region = region or default_region() or ""  # Lambda sets it
    made = clients or patient_clients()
    stage, durable = stage_of(function), settings.durable
    auditor = Auditor(
        clients=made,
        region=region,
        standard=Standard(settings.audit.standard),
        now=_now,
        own=own_path(stage, settings.watch, durable) if stage else None,
        durable=durable is not None,
    )
    return Guard(
        alerts=assemble(settings, faults, function),
        audit=auditor.audit,
        memory=_memory(made, region, stage, durable),
        region=region,
        heartbeat=_heartbeat(settings),
        repair=auditor.repair if settings.audit.auto_repair else None,
        windows=_windows(made, region, durable),
    )


def own_path(stage: Stage, watch: Iterable[EventGroup], durable: DurableSettings | None) -> OwnPath:
    """What a stage consists of, as it was deployed."""
    functions = own_rules(stage, watch, durable=durable is not None)
    forwarding = Forwarding(forwarder_rules(stage, watch), stage.forwarder_prefix, stage.forwarder_queue)
    if durable is None:
        return OwnPath(functions, settings_of=settings_summary, forwarding=forwarding)
    return OwnPath(
        functions,
        queues=dead_letter_queues(stage),
        delivery_queue=durable.queue.rpartition(":")[2],
        table=durable.table,
        consumer=stage.function(DELIVER),
        alarm_prefix=stage.prefix,
        alarms=durable_alarms(stage),
        settings_of=settings_summary,
        forwarding=forwarding,
    )


def settings_summary(variables: Mapping[str, str]) -> dict[str, Any]:
    """What a function's environment comes to: the names of its destinations and how many faults, no value of it."""
    faults = 0
    try:
        settings = read_settings(variables)
    except SettingsError as error:
        settings, faults = error.sound, len(error.faults)
    return {"destinations": [item.name for item in settings.destinations], "faults": faults}


def _memory(clients: ClientFactory, region: str, stage: Stage | None, durable: DurableSettings | None) -> StatusMemory:
    if durable is not None:
        from chalicelib.state.errors import StateError  # noqa: PLC0415 - where there is a table

        return TableMemory(_state_table(clients, region, durable), StateError)
    return ParameterMemory(lambda: clients("ssm", region), parameter_name(stage))


def _windows(clients: ClientFactory, region: str, durable: DurableSettings | None) -> CallWindows | None:
    if durable is None or durable.burst_seconds <= 0:
        return None
    return TableWindows(_state_table(clients, region, durable), durable.burst_seconds, _now)


def _state_table(clients: ClientFactory, region: str, durable: DurableSettings) -> StateTable:
    return StateTable(lambda: clients("dynamodb", region), durable.table)


def parameter_name(stage: Stage | None) -> str:
    """The parameter in which a stage keeps the status."""
    return f"/sgwatch/{stage.name if stage else 'local'}/alarm-path"


def _heartbeat(settings: Settings) -> Heartbeat | None:
    url = settings.audit.heartbeat_url
    if url is None:
        return None
    secrets = Secrets(aws_client)
    door = HttpDoor(read_timeout=5.0, deadline=8.0, network=cache(lambda: network(settings.http, secrets.resolve)))
    return Heartbeat(door, lambda: secrets.resolve(url))


@cache
def guard() -> Guard:
    """The guard of this process; with faulty settings it does what is sound and then raises."""
    try:
        return assemble_guard(from_environment(), function=function_name())
    except SettingsError as error:
        return assemble_guard(error.sound, error.faults, function_name())


def _now() -> datetime:
    return datetime.now(UTC)
