"""``sgwatch send-test``: a test alert to every configured destination."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.alert.model import Account, Alert, AlertKind, Severity, Undo
from chalicelib.delivery.direct import Delivered, DeliveryResult, Direct
from chalicelib.text import visible
from sgwatch.aws_refusals import WAYS_OUT
from sgwatch.sending import DeployedOption, SettingsStageOption, configured_routes, deliver, sound_settings
from sgwatch.terminal import console, note, read_in_part

# Somebody is waiting; a passing fault is over by then, and a lasting one need not be waited for.
_PATIENCE_SECONDS = 12.0


def send_test(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    stage: SettingsStageOption = None,
    deployed: DeployedOption = False,
) -> None:
    """Send a test alert to every configured destination, whatever its filters, and say what became of it.

    Exit status: 0 every destination has it, 1 one has not, 2 the settings have faults (the sound ones are tested).
    """
    settings, faults = sound_settings(stage, deployed=deployed)
    for fault in faults:
        note(f"fault: {fault}")
    alert = test_alert(str(uuid.uuid4()), datetime.now(UTC))
    destinations = [route.destination for route in configured_routes(settings)]
    outcomes = deliver(Direct(), alert, destinations, _PATIENCE_SECONDS)
    with read_in_part():
        if as_json:
            results = [_result(item) for item in outcomes]
            typer.echo(json.dumps({"alert_id": alert.id, "faults": faults, "results": results}))
        elif outcomes:
            _show(console(), outcomes)
    for way_out in _ways_out(outcomes):
        note(f"sgwatch: {way_out}")
    if faults:
        raise typer.Exit(2)
    raise typer.Exit(0 if all(isinstance(item, Delivered) for item in outcomes) else 1)


def test_alert(alert_id: str, now: datetime) -> Alert:
    """The alert that is sent: nothing in it can be taken for a change."""
    return Alert(
        id=alert_id,
        kind=AlertKind.TEST,
        severity=Severity.INFO,
        title="Test alert from sgwatch",
        summary="Somebody ran sgwatch send-test to see whether alerts arrive here. Nothing changed.",
        occurred_at=now.replace(microsecond=0),
        account=Account(None),
        region=None,
        undo=Undo((), "a test changes nothing"),
    )


def _result(outcome: DeliveryResult) -> dict[str, object]:
    delivered = isinstance(outcome, Delivered)
    reason = None if isinstance(outcome, Delivered) else outcome.reason
    return {
        "destination": outcome.destination,
        "delivered": delivered,
        "attempts": outcome.attempts,
        "reason": reason,
    }


def _ways_out(outcomes: Iterable[DeliveryResult]) -> set[str]:
    """What to set where the SDK could not call AWS at all: the reason ends with its name for that."""
    reasons = (item.reason for item in outcomes if not isinstance(item, Delivered))
    return {WAYS_OUT[name] for reason in reasons if (name := reason.rpartition(": ")[2]) in WAYS_OUT}


def _show(out: Console, outcomes: tuple[DeliveryResult, ...]) -> None:
    table = Table("Destination", "Result", "Attempts", box=None, pad_edge=False, header_style="bold")
    for item in outcomes:
        result = Text("delivered", "green") if isinstance(item, Delivered) else Text(visible(item.reason), "red")
        table.add_row(Text(item.destination), result, str(item.attempts))
    out.print(table)
