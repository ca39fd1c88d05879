"""``sgwatch deploy``: a stage from its settings to an alert that somebody has seen; safe to repeat."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError, read_snapshot
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.clients import ClientFactory
from chalicelib.delivery.direct import Delivered, Direct
from chalicelib.deployment import HANDLERS
from chalicelib.text import visible
from sgwatch import bundle, durable_access, durable_setup
from sgwatch.chalice_command import ChaliceError, chalice_deploy
from sgwatch.commands.audit import UsageError, gather_from_aws, judge_snapshot
from sgwatch.commands.send_test import test_alert
from sgwatch.commands.setup import AlarmTopic, place_with_topic
from sgwatch.deployability import denied_actions, region_fault, settings_faults
from sgwatch.durable_access import DurableStageOption, caller, refusals
from sgwatch.durable_mending import deployed
from sgwatch.durable_template import StagePlace
from sgwatch.package_owner import package_owner
from sgwatch.policies import write_policies
from sgwatch.project_files import CONFIG, StageError
from sgwatch.sending import configured_routes, deliver, sound_settings
from sgwatch.stages import deployed_stage
from sgwatch.terminal import agreed, note, refuse

# https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/cloudwatch/pricing/, https://aws.amazon.com/dynamodb/pricing/
COST = (
    "about 1 USD a month with durable delivery (4 CloudWatch alarms at 0.10, logs, the state table with its backups), "
    "and 3 USD for its dashboard where the account has three others already; next to nothing without; more where there "
    "are many thousands of changes"
)
# An alarm widget has 100 at most, the stage's own among them.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
MAX_PATH_ALARMS = 50
SETTLING_SECONDS, POLL_SECONDS = 300, 2.0
TEST_SECONDS = 30.0


def deploy(
    stage: DurableStageOption = "prod",
    direct: Annotated[bool, typer.Option("--direct", help="Without the resources of durable delivery.")] = False,
    alarm_topic: AlarmTopic = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Send a test alert at the end.")] = True,
) -> None:
    """Deploy a stage, with durable delivery unless --direct, send a test alert and audit; safe to repeat.

    Exit status: 0 it is deployed and the test alert was taken, whatever the audit finds, 1 it is not (it says why),
    2 the settings, the region or AWS refused.
    """
    project = Path()
    try:
        if faults := settings_faults(project, stage):
            refuse(*faults)
        with refusals(stage):
            place = place_with_topic(stage, alarm_topic)
            if fault := region_fault(place, project, durable_access.client):
                refuse(fault)
            if not direct:
                place = replace(place, path_alarms=found_path_alarms() or place.path_alarms)
            status = run(place, durable_access.client, project, direct=direct, yes=yes)
        if status == 0 and test:
            status = send_test_alert(stage, yes=yes)
    except StageError as error:
        refuse(str(error))
    if status == 0:
        typer.echo(f"Stage {stage} is deployed.")
        show_audit(stage, project)
    raise typer.Exit(status)


def run(
    place: StagePlace,
    client: ClientFactory,
    project: Path,
    *,
    direct: bool,
    yes: bool,
    compile_into: Callable[[Path], None] = bundle.prepare,
    chalice: Callable[[Path, str], None] = chalice_deploy,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Say what will be done, ask, do it and wait until it works.

    ``compile_into`` puts bytecode into the project, ``chalice`` deploys a stage of it.
    """
    durable = deployed_stage(place.stage, project).durable is not None
    if direct and durable:
        refuse(f"stage {place.stage} has durable delivery: sgwatch teardown --stage {place.stage} takes it back first")
    if owner := package_owner(place, client("lambda")):
        refuse(
            f"stage {place.stage} belongs to {owner.name}: deploy its package again (docs/deploy.md), or remove it "
            f"first: {owner.removal}"
        )
    _show_plan(place, client, direct=direct)
    if not (yes or agreed("Deploy?")):
        note("Nothing was deployed.")
        return 1
    if not direct and durable_setup.make(place, client, project / CONFIG, yes=True, sleep=sleep) is None:
        return 1
    write_policies(project / CONFIG, place.stage)
    if not _deploy_functions(place, project, compile_into, chalice):
        return 1
    wait_for_functions(place, client("lambda"), sleep)
    if direct:
        return 0
    words = durable_setup.JUST_DEPLOYED
    return durable_setup.run(place, client, project / CONFIG, yes=True, words=words, sleep=sleep)


def found_path_alarms() -> tuple[str, ...]:
    """The ARNs of the alarms on this account's alarm paths now; empty where there are none, or it cannot be known."""
    try:
        snapshot = read_snapshot(gather_from_aws())
    except (UsageError, SnapshotError):
        return ()
    named = {path.alarm for path in judge_snapshot(snapshot).paths if path.alarm}
    known = [
        (alarm.name, alarm.arn)
        for region in snapshot.regions.values()
        for alarms in (region.metric_alarms, region.composite_alarms)
        for alarm in alarms or ()
    ]
    return tuple(sorted(arn for name, arn in known if name in named or arn in named))[:MAX_PATH_ALARMS]


def _show_plan(place: StagePlace, client: ClientFactory, *, direct: bool) -> None:
    there = deployed(client("lambda"), place.function("audit_on_schedule"))
    verb = "deploy again" if there else "deploy"
    typer.echo(f"Will {verb} stage {place.stage} in account {place.account}, region {place.region}:")
    typer.echo("  up to 7 Lambda functions, each with a role, a log group and what invokes it")
    if not direct:
        typer.echo(f"  the stack {place.stack}: 3 SQS queues, 1 DynamoDB table, 4 CloudWatch alarms,")
        typer.echo(f"    the dashboard {place.dashboard}")
        typer.echo(f"  its alarms notify {place.topic or 'nobody: --alarm-topic ARN names an SNS topic for them'}")
    typer.echo(f"  cost: {COST}")
    denied = denied_actions(caller(), client("iam"))
    for action in denied or ():
        note(f"Warning: IAM's simulation says that you may not {action}")


def _deploy_functions(
    place: StagePlace, project: Path, compile_into: Callable[[Path], None], chalice: Callable[[Path, str], None]
) -> bool:
    try:
        note("Compiling the package's bytecode …")
        compile_into(project)
        note("Deploying the functions (chalice deploy) …")
        chalice(project, place.stage)
    except subprocess.CalledProcessError as error:
        note(f"sgwatch: pip could not install the requirements (status {error.returncode}): is there a network?")
        return False
    except ChaliceError as error:
        note(f"{error}\nsgwatch: chalice deploy failed; when that is mended, the same command goes on from here")
        return False
    return True


def wait_for_functions(place: StagePlace, functions: Any, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until no function and no event source mapping of the stage is being changed."""
    said, began = False, time.monotonic()
    while (settling := _settling(place, functions)) and time.monotonic() - began < SETTLING_SECONDS:
        if not said:
            note(f"Waiting for {settling} …")
            said = True
        sleep(POLL_SECONDS)


def _settling(place: StagePlace, functions: Any) -> str | None:
    for handler in HANDLERS:
        name = place.function(handler)
        if not deployed(functions, name):
            continue
        found = functions.get_function_configuration(FunctionName=name)
        if found.get("State") == "Pending" or found.get("LastUpdateStatus") == "InProgress":
            return name
    if not deployed(functions, place.function("deliver")):
        return None
    listed = functions.list_event_source_mappings(FunctionName=place.function("deliver"))["EventSourceMappings"]
    states = [str(item["State"]) for item in listed if item["State"].endswith("ing")]
    return f"the event source mapping, which is {states[0]}" if states else None


def send_test_alert(stage: str, *, yes: bool) -> int:
    """Send the test alert with the stage's settings and ask whether it was seen; 0 where every destination took it."""
    settings, faults = sound_settings(stage)
    if faults:
        refuse(*faults)
    routes = configured_routes(settings)
    alert = test_alert(str(uuid.uuid4()), datetime.now(UTC))
    outcomes = deliver(Direct(), alert, [route.destination for route in routes], TEST_SECONDS)
    for item in outcomes:
        typer.echo(f"Test alert to {item.destination}: {'sent' if isinstance(item, Delivered) else item.reason}")
        if not isinstance(item, Delivered):
            note(f"sgwatch: mend the setting of {item.destination}, then run sgwatch deploy --stage {stage} again")
    if not all(isinstance(item, Delivered) for item in outcomes):
        return 1
    if not yes and not agreed("Did you see it?"):
        note(f"sgwatch: look where the settings send it (sgwatch config --stage {stage}), then sgwatch send-test again")
        return 1
    return 0


def show_audit(stage: str, project: Path) -> None:
    """Print the verdict and what is broken; an alarm path may be so before anybody has repaired it."""
    try:
        report = judge_snapshot(read_snapshot(gather_from_aws(deployed_stage(stage, project))))
    except (UsageError, SnapshotError) as error:
        note(f"sgwatch: the alarm path could not be audited: {error}")
        return
    typer.echo(f"Audit of the alarm path: {report.status.value}.")
    broken = [each for path in report.paths if path.status is not Status.PASS for each in path.findings]
    for finding in dict.fromkeys(each for each in (*broken, *report.findings) if each.status is Status.FAIL):
        typer.echo(f"  {visible(finding.reason)}")
    if report.status is not Status.PASS:
        typer.echo(
            "The stage works all the same. Next: sgwatch repair, which shows what it would make before it makes it."
        )
