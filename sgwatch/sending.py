"""Alerts to the configured destinations, from the command line: what the alert function does, without Lambda."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from chalicelib.alert.filters import Condition, ConditionFailed
from chalicelib.alert.model import Alert
from chalicelib.delivery.direct import DeliveryResult, Direct, Undelivered
from chalicelib.deployment import AUDIT_ON_SCHEDULE
from chalicelib.destinations.contract import DeliveryError, Destination
from chalicelib.functions.alert_function import Route
from chalicelib.settings.environment import from_environment, read_settings
from chalicelib.settings.model import Settings, SettingsError
from chalicelib.settings.stage import stage_faults
from sgwatch.project_files import StageError
from sgwatch.stages import deployed_stage
from sgwatch.terminal import note, refuse

# As long as the alert function has in the stages of .chalice/config.json.
_PATIENCE_SECONDS = 60.0


SettingsStageOption = Annotated[
    str | None,
    typer.Option(
        "--stage", help="Read this stage's settings in .chalice/config.json, not the shell's.", show_default=False
    ),
]


DeployedOption = Annotated[
    bool, typer.Option("--deployed", help="With --stage: the settings of its deployed functions, asked of AWS.")
]


def sound_settings(stage: str | None = None, *, deployed: bool = False) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a stage, or of the environment; the sound part of them, and a sentence for each fault.

    Those of a stage are in .chalice/config.json, or those that its functions have.
    """
    if deployed and stage is None:
        refuse("--deployed needs --stage: whose functions?")
    try:
        if stage is None:
            return from_environment(), ()
        if deployed:
            origin, variables = variables_of_functions(stage)
        else:
            origin, variables = f"stage {stage}", deployed_stage(stage, Path()).variables
        return read_settings(variables, origin), stage_faults(variables, stage)
    except StageError as error:
        refuse(str(error))
    except SettingsError as error:
        return error.sound, error.faults if stage is None else stage_faults(variables, stage)


def variables_of_functions(stage: str) -> tuple[str, Mapping[str, str]]:
    """The name of the one function that every stage has, and its variables: Chalice gives all of them the same."""
    from sgwatch import durable_access  # noqa: PLC0415 - boto3, which the shell's settings need not

    with durable_access.refusals(stage):
        place = durable_access.place_of(stage)
        name = place.function(AUDIT_ON_SCHEDULE)
        functions = durable_access.client("lambda")
        try:
            found = functions.get_function_configuration(FunctionName=name).get("Environment", {})
        except functions.exceptions.ResourceNotFoundException:
            refuse(f"stage {stage} is not deployed in {place.region}: sgwatch deploy --stage {stage} does that")
    if "Error" in found:  # its variables are encrypted with a key that the caller may not use
        refuse(f"the variables of {name} cannot be read: {found['Error'].get('Message')}")
    return name, found.get("Variables", {})


def configured_routes(settings: Settings) -> tuple[Route, ...]:
    """The destinations of the settings, each with its filter."""
    from chalicelib.functions.composition.alerting import routes  # noqa: PLC0415 - most commands send nothing
    from chalicelib.observability.logs import Redactor  # noqa: PLC0415

    return routes(settings, Redactor(settings.secrets))


def sender() -> Callable[[Alert], bool]:
    """Delivers an alert to every destination that wants it; says whether all of those have it."""
    settings, faults = sound_settings()
    if faults:
        refuse(*faults)
    return sender_to(configured_routes(settings), settings.ignore_when)


def sender_to(routes: tuple[Route, ...], ignore_when: Condition | None) -> Callable[[Alert], bool]:
    """The same for these destinations."""
    direct = Direct()

    def send(alert: Alert) -> bool:
        wanted = [] if _ignored(alert, ignore_when) else [item.destination for item in routes if _wants(item, alert)]
        failed = [item for item in deliver(direct, alert, wanted) if isinstance(item, Undelivered)]
        for item in failed:
            note(f"not delivered: alert {alert.id} to {item.destination}: {item.reason}")
        return not failed

    return send


def deliver(
    direct: Direct, alert: Alert, destinations: Iterable[Destination], patience: float = _PATIENCE_SECONDS
) -> tuple[DeliveryResult, ...]:
    """Send one alert to these destinations at once, for ``patience`` seconds; retries are noted on standard error."""

    def on_retry(name: str, error: DeliveryError, wait: float) -> None:
        note(f"{name}: {error.reason}; trying again in {wait:.0f} s")

    return direct.deliver(alert, destinations, lambda: patience * 1000, on_retry)


def _ignored(alert: Alert, condition: Condition | None) -> bool:
    try:
        return condition is not None and condition.holds(alert)
    except ConditionFailed as error:
        note(f"IGNORE_WHEN could not be evaluated, so the alert is sent: {error}")
        return False


def _wants(route: Route, alert: Alert) -> bool:
    try:
        return route.filter.refusal(alert) is None
    except ConditionFailed as error:
        note(f"WHEN of {route.destination.name} could not be evaluated, so the alert is sent: {error}")
        return True
