"""``sgwatch fleet``: forwarders that bring a stage the events of other regions and accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.alarm_path.snapshot.collect_forwarders import opted_in
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.account_clients import NotAssumed, fleet_clients
from chalicelib.aws.arns import parse_arn
from chalicelib.aws.clients import ClientFactory, default_region
from chalicelib.text import number_of
from sgwatch.aws_refusals import sentence
from sgwatch.fleet_accounts import AccountsError, AskedAccounts, FleetAccounts, fleet_accounts
from sgwatch.fleet_commands import FleetPlan, steps
from sgwatch.fleet_stacks import ForwarderStack, StackOutcome
from sgwatch.fleet_status import FleetRow, FleetTarget, not_assumed, rows_of, status_of_rows
from sgwatch.fleet_templates import FleetTemplate, filled
from sgwatch.project_files import StageError
from sgwatch.stages import DeployedStage, deployed_stage
from sgwatch.terminal import agreed, console, note, progress, refuse

app = typer.Typer(no_args_is_help=True)
EXIT_STATUS = {Status.PASS: 0, Status.FAIL: 1, Status.UNKNOWN: 2}
# How many regions CloudFormation works in at once; each is a service of its own.
AT_ONCE = 8
# Each asks in up to 16 regions at once.
ACCOUNTS_AT_ONCE = 4
# Five alarms at 0.10 dollars. https://aws.amazon.com/cloudwatch/pricing/ and https://aws.amazon.com/eventbridge/pricing/
COST = "0.50 dollars a month a region for alarms, and 1 dollar per million forwarded events"

FleetStage = Annotated[str, typer.Option("--stage", help="The stage of this folder that gets the events.")]
Regions = Annotated[list[str] | None, typer.Option("--regions", help="Only these regions; may be repeated.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", metavar="ID", help="An account; may be repeated.")]


@dataclass(frozen=True, slots=True)
class FleetHome:
    """The stage and where it is."""

    deployed: DeployedStage
    account_id: str
    partition: str
    region: str
    clients: ClientFactory

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.deployed.stage.name

    @property
    def default_bus(self) -> str:
        """Where the account's other regions send: the stage's own rules are on it."""
        return f"arn:{self.partition}:events:{self.region}:{self.account_id}:event-bus/default"

    @property
    def external_id(self) -> str:
        """What the roles in other accounts ask for."""
        return str(self.deployed.variables.get("ENRICH_EXTERNAL_ID") or f"sgwatch-{self.name}")

    def accounts(self, named: Sequence[str] | None, organization: bool) -> tuple[str, ...]:
        """The accounts that were named; without any, and without the organization, those of FLEET_ACCOUNTS."""
        if named or organization:
            return tuple(named or ())
        listed = str(self.deployed.variables.get("FLEET_ACCOUNTS") or "").split(",")
        return tuple(dict.fromkeys(each.strip() for each in listed if each.strip()))

    def plan(self, regions: Sequence[str] = (), external_id: str = "") -> FleetPlan:
        """What other accounts need to know of it."""
        return FleetPlan(self.name, self.account_id, self.region, tuple(regions), external_id, self.partition)


@app.callback()
def fleet() -> None:
    """Bring a stage the events of other regions and accounts."""


@app.command()
def deploy(
    stage: FleetStage = "prod",
    regions: Regions = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before changing anything.")] = False,
) -> None:
    """Make or update the forwarders of this account's other regions, showing first where and what they cost.

    Exit status: 0 every region forwards, 1 some do not (it says why) or nothing was agreed to, 2 AWS refused.
    """
    home = home_of(stage)
    wanted = _chosen(_regions(home), regions, home.region)
    if not wanted:
        typer.echo(f"There is no other region than {home.region}: nothing to do.")
        return
    name = f"sgwatch-{home.name}-forwarder"
    typer.echo(f"Stack {name} will be made or updated in {number_of(len(wanted), 'region')}: {', '.join(wanted)}.")
    typer.echo(f"Each sends the watched events to {home.default_bus}. Cost: {COST}.")
    if not (yes or agreed("Make these changes?")):
        note("Nothing was changed.")
        raise typer.Exit(1)
    failed = 0
    for region, (outcome, why) in _deployed(home, name, wanted):
        typer.echo(f"  {region}: {outcome}{f' ({why})' if why else ''}")
        failed += outcome is StackOutcome.FAILED
    if failed:
        note(f"{number_of(failed, 'region')} not done; the command can be repeated.")
        raise typer.Exit(1)
    typer.echo(f"Next: sgwatch fleet status --stage {home.name}")


def _deployed(home: FleetHome, name: str, regions: Sequence[str]) -> Iterable[tuple[str, tuple[StackOutcome, str]]]:
    template = filled(FleetTemplate.FORWARDER, home.deployed.watch)
    parameters = {"Stage": home.name, "BusArn": home.default_bus}

    def one(region: str) -> tuple[StackOutcome, str]:
        found = ForwarderStack(home.clients("cloudformation", region), name).deploy(template, parameters)
        advance()
        return found

    with progress("Deploying", len(regions)) as advance, ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(regions, pool.map(one, regions), strict=True))


@app.command()
def template(
    name: Annotated[FleetTemplate | None, typer.Argument(help="Print this template alone, filled in.")] = None,
    stage: FleetStage = "prod",
    organization: Annotated[str | None, typer.Option("--organization", help="Its id, o-….")] = None,
    units: Annotated[
        list[str] | None, typer.Option("--unit", help="An organizational unit, ou-… or r-…; may be repeated.")
    ] = None,
    accounts: Accounts = None,
    regions: Regions = None,
    delegated: Annotated[
        bool, typer.Option("--delegated-admin", help="The stage's account administers StackSets by delegation.")
    ] = False,
    operator: Annotated[
        str,
        typer.Option("--operator-role", help="A role of the stage's account whose people may read in the accounts."),
    ] = "",
) -> None:
    """Print the AWS CLI's commands that bring the stage the events of other accounts, or one of their templates.

    Exit status: 0, or 2 where what is missing in the options could not be read from AWS.
    """
    home = home_of(stage)
    plan = replace(
        home.plan((), home.external_id),
        organization_id=organization,
        organizational_units=tuple(units or ()),
        accounts=tuple(accounts or ()),
        delegated=delegated,
        operator_role=operator,
    )
    if name is not None:
        typer.echo(filled(name, home.deployed.watch, _defaults(plan)), nl=False)
        return
    if not (units or accounts):
        refuse("whose events? Name --unit ou-… (with --organization o-…), or --account ID")
    if units and not organization:
        refuse("--unit needs --organization: the bus takes events of an organization's accounts by its id")
    chosen = tuple(regions) if regions else tuple(_regions(home))
    for what, commands in steps(replace(plan, regions=chosen)):
        typer.echo(f"# {what}")
        for command in commands:
            typer.echo(command)
        typer.echo()
    typer.echo("# Then set these for the stage and deploy it.")
    typer.echo(f"# ENRICH_ROLE=sgwatch-{home.name}-read")
    typer.echo(f"# ENRICH_EXTERNAL_ID={home.external_id}")
    typer.echo(f"# FLEET_ACCOUNTS={','.join(accounts) if accounts else 'the ids of the accounts, with commas between'}")
    typer.echo("# RECONCILE_REGIONS=all")


def _defaults(plan: FleetPlan) -> Mapping[str, str]:
    values = {"Stage": plan.stage, "BusArn": plan.bus_arn, "CentralAccountId": plan.account_id}
    return values | ({"OrganizationId": plan.organization_id} if plan.organization_id else {})


class FleetFormat(StrEnum):
    """How the status is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


@app.command()
def status(
    stage: FleetStage = "prod",
    accounts: Accounts = None,
    organization: Annotated[
        bool, typer.Option("--organization", help="Also every account of this account's organization.")
    ] = False,
    role: Annotated[
        str | None, typer.Option("--role", help="The role that is assumed in them, in place of sgwatch-STAGE-read.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        FleetFormat | None,
        typer.Option("--format", help="text; json: one object; html: a self-contained page with a matrix."),
    ] = None,
) -> None:
    """Show which regions of this account, and of those named or in FLEET_ACCOUNTS, forward their events to the stage.

    Exit status: 0 all do, 1 some do not, 2 something could not be read.
    """
    if as_json and output not in (None, FleetFormat.JSON):
        refuse(f"--json and --format {output} exclude each other: choose one")
    home = home_of(stage)
    now = datetime.now(UTC)
    member = (role or f"sgwatch-{home.name}-read", home.external_id)
    try:
        found = fleet_accounts(
            home.clients, home.region, AskedAccounts(home.accounts(accounts, organization), *member, organization)
        )
    except AccountsError as error:
        refuse(str(error))
    rows = _rows(home, found, now)
    verdict = status_of_rows(rows)
    match FleetFormat.JSON if as_json else output or FleetFormat.TEXT:
        case FleetFormat.JSON:
            shown = {"version": "1", "stage": home.name, "region": home.region, "status": verdict.value}
            typer.echo(json.dumps(shown | {"regions": [row.to_json() for row in rows]}, indent=2))
        case FleetFormat.HTML:
            from sgwatch.fleet_html import FleetPage, page  # noqa: PLC0415 - other formats do without

            typer.echo(page(FleetPage(home.name, home.region, now, found.names), rows), nl=False)
        case FleetFormat.TEXT:
            _show(rows, verdict, home)
    raise typer.Exit(EXIT_STATUS[verdict])


def _rows(home: FleetHome, found: FleetAccounts, now: datetime) -> list[FleetRow]:
    """The stage's own account first, then the others in their order, several at once."""
    own = FleetTarget(home.account_id, home.clients, home.region, home.default_bus, home.region)
    stage, watch = home.deployed.stage, home.deployed.watch
    others = [each for each in found.names if each != home.account_id]

    def one(account_id: str) -> list[FleetRow]:
        try:
            target = FleetTarget(account_id, found.enter(account_id), home.region, home.plan().bus_arn)
            return rows_of(target, stage, watch, now)
        except NotAssumed as error:
            return [not_assumed(account_id, error.code)]
        finally:
            advance()

    with progress("Asking", len(others) + 1) as advance, ThreadPoolExecutor(ACCOUNTS_AT_ONCE) as pool:
        rows = rows_of(own, stage, watch, now)
        advance()
        return [*rows, *(row for each in pool.map(one, others) for row in each)]


def _show(rows: Sequence[FleetRow], verdict: Status, home: FleetHome) -> None:
    from rich.table import Table  # noqa: PLC0415 - machine output does without

    table = Table(box=None, pad_edge=False)
    for heading in ("account", "region", "forwarder", "dead letters", "last event", "security groups"):
        table.add_column(heading)
    for row in rows:
        letters = "" if row.verdict is None else _shown(row.dead_letters, "-")
        last = f"{row.last_event_at:%Y-%m-%d %H:%M}" if row.last_event_at else "-"
        state = "home" if row.verdict is None else row.verdict.state.value
        table.add_row(row.account_id, row.region, state, letters, last, _shown(row.security_groups, "?"))
    console().print(table)
    for row in rows:
        if row.reasons:
            typer.echo(f"{row.account_id} {row.region}: {'; '.join(row.reasons)}")
    bad = sum(row.status is Status.FAIL for row in rows)
    unknown = sum(row.status is Status.UNKNOWN for row in rows)
    typer.echo(f"{number_of(len(rows), 'region')}: {bad} not forwarding, {unknown} not known.")
    if verdict is Status.FAIL:
        typer.echo(f"To mend it in this account: sgwatch fleet deploy --stage {home.name}")


def _shown(value: int | None, missing: str) -> str:
    return missing if value is None else str(value)


def home_of(stage: str) -> FleetHome:
    """The stage of this folder and where it is; ends the command where that cannot be established."""
    try:
        deployed = deployed_stage(stage, Path.cwd())
    except StageError as error:
        refuse(str(error))
    region = deployed.region or default_region()
    if region is None:
        refuse("no region: set AWS_REGION or AWS_DEFAULT_REGION")
    clients = fleet_clients()
    caller = _ask(lambda: clients("sts", region).get_caller_identity())
    arn = parse_arn(caller["Arn"])
    return FleetHome(deployed, str(caller["Account"]), arn.partition if arn else "aws", region, clients)


def _ask(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (ClientError, BotoCoreError) as error:
        refuse(sentence(error))


def _regions(home: FleetHome) -> list[str]:
    errors: list[dict[str, Any]] = []
    found = opted_in(home.clients, home.region, errors)
    if found is None:
        refuse(f"the account's regions could not be listed: {errors[0]['call']}: {errors[0]['code']}")
    return found


def _chosen(found: Iterable[str], asked: Iterable[str] | None, home: str) -> list[str]:
    others = [region for region in found if region != home]
    unknown = sorted(set(asked or ()) - set(others))
    if unknown:
        refuse(f"--regions: {', '.join(unknown)}: not another opted-in region of this account")
    return [region for region in others if not asked or region in set(asked)]
