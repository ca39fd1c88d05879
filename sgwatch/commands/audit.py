"""``sgwatch audit``: would the CloudWatch alarm for security group changes still fire and reach somebody?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.alarm_path.audit import audit as judge
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError, read_snapshot
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Status
from sgwatch.audit_text import show
from sgwatch.aws_refusals import sentence
from sgwatch.fleet_accounts import AccountsError, AskedAccounts
from sgwatch.project_files import StageError
from sgwatch.stages import DeployedStage, deployed_stage
from sgwatch.terminal import console, progress, read_in_part

if TYPE_CHECKING:
    from sgwatch.account_audits import AccountAudits

EXIT_STATUS = {Status.PASS: 0, Status.FAIL: 1, Status.UNKNOWN: 2}
Collect = Callable[[], dict[str, Any]]


class AuditFormat(StrEnum):
    """How the report is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    CSV = "csv"
    JUNIT = "junit"
    OCSF = "ocsf"


class UsageError(ValueError):
    """What was asked for cannot be done; the text says why and what to do."""


def audit(  # noqa: PLR0913, PLR0917 - each is an option of the command
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Judge this snapshot (- is standard input); no AWS is called."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--collect", metavar="FILE", help="Collect a snapshot and write it to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        AuditFormat | None,
        typer.Option(
            "--format", help="text; json: one object; html: a self-contained page; csv; junit; ocsf: a line each."
        ),
    ] = None,
    standard: Annotated[
        Standard, typer.Option("--standard", envvar="AUDIT_STANDARD", help="Whose answer is the status.")
    ] = Standard.CIS_5,
    stage: Annotated[
        str | None,
        typer.Option("--stage", help="Also judge sgwatch itself as deployed with this stage of this folder."),
    ] = None,
    organization: Annotated[
        bool, typer.Option("--organization", help="Judge every account of this account's organization.")
    ] = False,
    accounts: Annotated[
        str | None, typer.Option("--accounts", metavar="ID,ID", help="Judge these accounts, by an assumed role.")
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option("--regions", metavar="R,S", help="With accounts: where trails are looked for, else everywhere."),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--role", envvar="ENRICH_ROLE", help="The role in the accounts, else sgwatch-STAGE-read."),
    ] = None,
    external_id: Annotated[
        str | None, typer.Option("--external-id", envvar="ENRICH_EXTERNAL_ID", help="What that role asks for.")
    ] = None,
) -> None:
    """Prove that a security group change would raise an alarm and reach somebody.

    With --organization or --accounts there is one report on many accounts, asked at once through a role in each
    (infra/member-read.yaml). An organization's trail counts for every account that it covers, where the account that
    its log group belongs to is among them. What cannot be read is unknown, with the reason and a way out.

    Exit status: 0 pass, 1 fail, 2 unknown, or the snapshot or AWS could not be read.
    """
    try:
        chosen = _one_output(as_json, output)
        member = (role or f"sgwatch-{stage or 'prod'}-read", external_id or f"sgwatch-{stage or 'prod'}")
        asked = AskedAccounts(_listed(accounts), *member, organization=organization)
        if _is_about_several(asked, regions, source or target):
            raise typer.Exit(_several(asked, _listed(regions), standard, chosen))
        document = obtain(source, target, gatherer(source, stage))
        snapshot = read_snapshot(document)
    except (UsageError, SnapshotError, StageError, AccountsError) as error:
        typer.echo(f"sgwatch: {error}", err=True)
        raise typer.Exit(2) from None
    report = judge_snapshot(snapshot, standard, None if source else profile())
    with read_in_part():
        if chosen is AuditFormat.TEXT:
            show(console(), report)
        for part in _written(chosen, report, document, source or target):
            typer.echo(part, nl=False)
    raise typer.Exit(EXIT_STATUS[report.status])


def _is_about_several(asked: AskedAccounts, regions: str | None, file: Path | None) -> bool:
    if not (asked.organization or asked.accounts):
        if regions:
            raise UsageError("--regions needs --organization or --accounts")
        return False
    if file is not None:
        raise UsageError("--from and --collect are of one account: leave --organization and --accounts away")
    return True


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in (value or "").split(",") if item.strip()))


def _several(asked: AskedAccounts, regions: Sequence[str], standard: Standard, chosen: AuditFormat) -> int:
    """Audit many accounts and print it; gives the exit status."""
    from chalicelib.aws.account_clients import fleet_clients  # noqa: PLC0415
    from chalicelib.aws.clients import default_region  # noqa: PLC0415 - the AWS SDK
    from sgwatch.account_audits import AccountsToAudit, audit_accounts  # noqa: PLC0415
    from sgwatch.fleet_accounts import fleet_accounts  # noqa: PLC0415

    region = default_region()
    if region is None:
        raise UsageError("no region: set AWS_REGION or AWS_DEFAULT_REGION")
    found = fleet_accounts(fleet_clients(), region, asked)
    organization_id = found.organization.id if found.organization else None
    wanted = AccountsToAudit(found.names, region, regions, standard, profile(), organization_id)
    with progress("Auditing", len(found.names)) as advance:
        audits = audit_accounts(wanted, found.enter, datetime.now(UTC), advance)
    with read_in_part():
        if chosen is AuditFormat.TEXT:
            from sgwatch.accounts_text import show_accounts  # noqa: PLC0415 - other formats do without

            show_accounts(console(), audits)
        for part in _written_together(chosen, audits):
            typer.echo(part, nl=False)
    return EXIT_STATUS[audits.status]


def _written_together(chosen: AuditFormat, audits: AccountAudits) -> Iterable[str]:
    """The reports for other programs and for the browser; nothing for the terminal."""
    reports = [each.report for each in audits.accounts]
    match chosen:
        case AuditFormat.JSON:
            yield json.dumps(audits.to_json(), indent=2) + "\n"
        case AuditFormat.HTML:
            from sgwatch.accounts_html import page  # noqa: PLC0415 - other formats do without

            yield page(audits)
        case _:
            yield from _lines(chosen, *reports)


def judge_snapshot(snapshot: Snapshot, standard: Standard = Standard.CIS_5, profile_name: str | None = None) -> Report:
    """The report about a snapshot, dated when it was collected; the profile goes into the fixes."""
    checked_at = snapshot.collected_at or datetime.now(UTC)
    return judge(snapshot, coverage_of, checked_at=checked_at, standard=standard, profile=profile_name)


def profile() -> str | None:
    """The AWS profile that the command was given, by its option or the shell."""
    return os.environ.get("AWS_PROFILE") or None


def obtain(source: Path | None, target: Path | None, gather: Collect | None = None) -> Mapping[str, Any]:
    """The snapshot document from a file, or collected from AWS and written where asked."""
    if source is not None and target is not None:
        raise UsageError("--from and --collect exclude each other: one judges a file, the other makes it")
    if source is not None:
        return _read(source)
    document = (gather or gather_from_aws)()
    if target is not None:
        try:
            target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{target}: {error.strerror}") from error
    return document


def gatherer(source: Path | None, stage: str | None) -> Collect:
    """What collects: sgwatch's own path too where a stage is named."""
    if stage is None:
        return gather_from_aws
    if source is not None:
        raise UsageError(
            "--from and --stage exclude each other: a file holds what was collected of sgwatch, or nothing"
        )
    deployed = deployed_stage(stage, Path.cwd())
    return lambda: gather_from_aws(deployed)


def gather_from_aws(deployed: DeployedStage | None = None) -> dict[str, Any]:
    """Collect with the credentials and the region of the environment or the profile."""
    # The AWS SDK takes longer to import than a snapshot takes to judge, and judging needs none of it.
    from chalicelib.alarm_path.audit_run import Auditor, NotAudited  # noqa: PLC0415
    from chalicelib.aws.clients import default_region, patient_clients  # noqa: PLC0415
    from chalicelib.functions.composition.auditing import own_path  # noqa: PLC0415

    region = default_region() or (deployed.region if deployed else None)
    if region is None:
        raise UsageError("no region: set AWS_REGION or AWS_DEFAULT_REGION")
    auditor = Auditor(
        clients=patient_clients(),
        region=region,
        standard=Standard.CIS_5,
        now=lambda: datetime.now(UTC),
        own=own_path(deployed.stage, deployed.watch, deployed.durable) if deployed else None,
        own_region=deployed.region if deployed else None,
    )
    try:
        return auditor.document(datetime.now(UTC))
    except NotAudited as error:
        refused = error.__cause__
        why = sentence(refused) if isinstance(refused, Exception) else str(error)
        raise UsageError(f"AWS does not say which account this is: {why}") from error


def _written(chosen: AuditFormat, report: Report, document: Mapping[str, Any], file: Path | None) -> Iterable[str]:
    """The report for other programs and for the browser; nothing for the terminal."""
    match chosen:
        case AuditFormat.JSON:
            # ASCII: names may hold what a terminal would obey.
            yield json.dumps(report.to_json(), indent=2) + "\n"
        case AuditFormat.HTML:
            from sgwatch.audit_html import SnapshotFile, page  # noqa: PLC0415 - other formats do without
            from sgwatch.replay_report.evidence import sha256_of  # noqa: PLC0415

            yield page(report, document, SnapshotFile(file.name, sha256_of(file)) if file else None)
        case _:
            yield from _lines(chosen, report)


def _lines(chosen: AuditFormat, *reports: Report) -> Iterable[str]:
    """Formats in which one report follows another."""
    match chosen:
        case AuditFormat.CSV:
            from sgwatch.audit_csv import rows  # noqa: PLC0415

            yield from rows(*reports)
        case AuditFormat.JUNIT:
            from sgwatch.audit_junit import document_of  # noqa: PLC0415

            yield document_of(*reports)
        case AuditFormat.OCSF:
            from sgwatch.audit_ocsf import events  # noqa: PLC0415

            yield from (json.dumps(event) + "\n" for report in reports for event in events(report))


def _one_output(as_json: bool, output: AuditFormat | None) -> AuditFormat:
    if as_json and output not in (None, AuditFormat.JSON):
        raise UsageError(f"--json and --format {output} exclude each other: choose one")
    return AuditFormat.JSON if as_json else output or AuditFormat.TEXT


def _read(source: Path) -> Mapping[str, Any]:
    try:
        raw = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
        document = json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: a snapshot is a JSON object, this is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{source}: a snapshot is a JSON object, this is {type(document).__name__}")
    if not {"account_id", "trails", "regions"} & document.keys():
        raise UsageError(f"{source}: this is no snapshot of sgwatch audit --collect: it has no regions")
    return document
