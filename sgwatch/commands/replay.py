"""``sgwatch replay``: the alerts that records in files would have made."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, Severity, to_json
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from sgwatch.bucket_logs import SCHEME, LogSelection
from sgwatch.bucket_reading import FoundObjects, in_buckets
from sgwatch.reading import Contents, Fault
from sgwatch.replaying import Tally, itself
from sgwatch.replaying import replay as alerts_of
from sgwatch.sources import FoundFiles, find_files, size_of
from sgwatch.steps import Steps, is_terminal, steps
from sgwatch.terminal import console, note, refuse

if TYPE_CHECKING:
    from sgwatch.log_integrity.replay_check import Keys, ReplayCheck


class ReplayFormat(StrEnum):
    """How alerts are printed."""

    TEXT = "text"
    JSON = "json"
    SLACK = "slack"
    HTML = "html"
    CSV = "csv"


def replay(  # noqa: PLR0913, PLR0917 - each is an option of the command
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Files, folders, .gz, JSON Lines, s3://bucket/prefix, or - for standard input."
        ),
    ],
    form: Annotated[
        ReplayFormat,
        typer.Option("--format", help="json, slack: one a line; csv: a table; html: a report in one page."),
    ] = ReplayFormat.TEXT,
    min_severity: Annotated[Severity, typer.Option(help="Leave out what is less severe.")] = Severity.INFO,
    watch: Annotated[
        str, typer.Option(envvar="WATCH", metavar="GROUPS", help=f"Of {', '.join(EventGroup)}: which to watch.")
    ] = ",".join(DEFAULT_WATCH),
    send: Annotated[
        bool, typer.Option("--send", help="Also deliver each alert to the configured destinations.")
    ] = False,
    enrich: Annotated[
        bool, typer.Option("--enrich", help="Look up in AWS what the records do not hold, as it is now.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="s3://: log files of this day's folder and later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="s3://: log files of this day's folder and earlier.")
    ] = None,
    account: Annotated[str, typer.Option(metavar="IDS", help="s3://: log files of these accounts.")] = "",
    log_region: Annotated[str, typer.Option(metavar="REGIONS", help="s3://: log files of these regions.")] = "",
    requester_pays: Annotated[
        bool, typer.Option("--requester-pays", help="s3://: pay for the requests to a bucket of somebody else.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="s3://: keep in this file what was read, and read the rest another time."),
    ] = None,
    verify_digests: Annotated[
        bool, typer.Option("--verify-digests", help="Check the log files against CloudTrail's own digest files.")
    ] = False,
    digest_keys: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="CloudTrail's public keys, as aws cloudtrail list-public-keys prints them."),
    ] = None,
    digest_report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the result of --verify-digests into this file, as JSON.")
    ] = None,
) -> None:
    """Print the alerts that the records in files would have made, oldest first.

    Files may be CloudTrail log files, EventBridge events, answers of LookupEvents or bare records, as JSON or JSON
    Lines, gzipped or not; also what CloudWatch Logs, Athena, CloudTrail Lake, SNS and SQS give out. Each record is
    judged by itself; AWS is asked nothing without --enrich, an s3:// path, or --verify-digests without --digest-keys.
    A record seen again is alerted once. Exit status: 0 good, 1 something could not be read or delivered, or a log file
    is not as CloudTrail wrote it, 2 no record was found, a path or a setting is wrong, or not every file is verified.
    """
    groups, found = _groups(watch), _files([path for path in paths if not path.startswith(SCHEME)])
    in_s3 = [path for path in paths if path.startswith(SCHEME)]
    selection = _selection(since, until, account, log_region)
    if not in_s3 and (selection != LogSelection() or requester_pays or resume):
        refuse("--since, --until, --account, --log-region, --requester-pays and --resume are for s3:// paths")
    if (digest_keys or digest_report) and not verify_digests:
        refuse("--digest-keys and --digest-report are for --verify-digests")
    keys = _digest_keys(digest_keys) if digest_keys else None
    deliver = _sender() if send else None
    make = _enriched() if enrich else alert_of
    tally = Tally(faults=list(found.unreadable))
    with (
        in_buckets(
            in_s3, selection, groups, requester_pays=requester_pays, resume=resume, hashes=verify_digests
        ) as objects,
        # What is printed alert by alert would run into a bar on the same terminal.
        steps(only_one=form is not ReplayFormat.HTML and is_terminal(sys.stdout)) as shown,
    ):
        shown.begin("Reading", sum(map(size_of, found.files)) + objects.size, in_bytes=True)
        check = _check(paths, objects, selection, keys) if verify_digests else None
        hear = _hearer(check)
        read = partial(alerts_of, found.files, groups, tally)
        rest: dict[str, Any] = {"more": objects.contents, "hashes": verify_digests, "steps": shown}
        if form in _LINES and deliver is None:
            for line in read(_LINES[form], min_severity, hear, make, **rest):
                sys.stdout.write(line)
            undelivered = 0
        else:
            alerts = read(itself, min_severity, hear, make, **rest)
            printer = _printer(form, chain(found.files, objects.paths()), tally, check, shown)
            undelivered = _print_all(alerts, printer, deliver)
    note(tally.sentence())
    integrity = _integrity(check, digest_report) if check else Status.PASS
    if not tally.records:
        nothing = f"no CloudTrail record was found in {', '.join(paths)}"
        if integrity is not Status.FAIL:
            refuse(nothing)
        note(f"sgwatch: {nothing}")
    if tally.faults or undelivered or integrity is Status.FAIL:
        raise typer.Exit(1)
    if integrity is Status.UNKNOWN:
        raise typer.Exit(2)


def _files(paths: list[str]) -> FoundFiles:
    found = find_files(paths)
    if found.missing:
        refuse(*(f"{path}: there is no such file or folder" for path in found.missing))
    if found.passed_over:
        are = "file in the folders is" if found.passed_over == 1 else "files in the folders are"
        note(f"{found.passed_over:,} {are} not named like records (.json, .gz, .log …): not read")
    if paths and not found.files:
        note("there is no file to read in " + ", ".join(paths))
    _note_faults(found.unreadable)
    return found


def _selection(since: datetime | None, until: datetime | None, accounts: str, regions: str) -> LogSelection:
    named = frozenset(filter(None, (item.strip() for item in accounts.split(","))))
    if wrong := sorted(item for item in named if not (len(item) == 12 and item.isdecimal())):
        refuse(f'--account: "{wrong[0]}" is no account id of twelve digits')
    if since and until and since > until:
        refuse(f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}")
    return LogSelection(
        since and since.date(),
        until and until.date(),
        named,
        frozenset(filter(None, (item.strip() for item in regions.split(",")))),
    )


def _hearer(check: ReplayCheck | None) -> Callable[[Contents], None]:
    def on_read(contents: Contents) -> None:
        _note_faults(contents.faults)
        if check:
            check.take(contents)

    return on_read


def _digest_keys(path: str) -> Keys:
    from sgwatch.log_integrity.public_keys import KeyFileError, keys_of_file  # noqa: PLC0415 - only with --digest-keys

    try:
        return keys_of_file(path)
    except KeyFileError as error:
        refuse(f"--digest-keys: {error}")


def _check(paths: list[str], objects: FoundObjects, selection: LogSelection, keys: Keys | None) -> ReplayCheck:
    from chalicelib.aws.clients import patient_clients  # noqa: PLC0415 - only with --verify-digests
    from sgwatch.log_integrity.replay_check import ReplayCheck  # noqa: PLC0415

    return ReplayCheck(paths, objects.buckets or {}, selection, keys, patient_clients())


def _integrity(check: ReplayCheck, file: str | None) -> Status:
    """Say what the digest files prove, and write it where that was asked for."""
    report = check.report
    note(report.summary())
    sentences = list(report.sentences())
    for sentence in sentences[:_SAID]:
        note(f"  {sentence}")
    if len(sentences) > _SAID:
        note(f"  … and {len(sentences) - _SAID:,} more: --digest-report FILE has all of them")
    if file:
        try:
            Path(file).write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            refuse(f"--digest-report: {file}: {error.strerror or error}")
    return report.status


# Sentences on single files that are said in the terminal.
_SAID = 40


def _note_faults(faults: Iterable[Fault]) -> None:
    for fault in faults:
        note(f"unreadable: {fault}")


def _groups(watch: str) -> tuple[EventGroup, ...]:
    names = [name.strip() for name in watch.split(",")]
    unknown = [name for name in names if name not in list(EventGroup)]
    if unknown:
        refuse(f'--watch: "{unknown[0]}" is not one of {", ".join(EventGroup)}')
    return tuple(EventGroup(name) for name in names)


def _enriched() -> Callable[[Mapping[str, Any]], Alert]:
    from chalicelib.functions.composition.alerting import alert_maker  # noqa: PLC0415 - AWS is asked only where that was asked for
    from chalicelib.settings.environment import enrichment_settings  # noqa: PLC0415
    from chalicelib.settings.model import SettingsError  # noqa: PLC0415

    try:
        return alert_maker(enrichment_settings())
    except SettingsError as error:
        refuse(*error.faults)


Printer = Callable[[Iterator[Alert]], None]


def _print_all(alerts: Iterator[Alert], print_them: Printer, deliver: Callable[[Alert], bool] | None) -> int:
    """Print the alerts, each delivered first where that was asked for; returns how many reached not everybody."""
    undelivered = 0

    def delivered() -> Iterator[Alert]:
        nonlocal undelivered
        for alert in alerts:
            if deliver and not deliver(alert):
                undelivered += 1
            yield alert

    print_them(delivered())
    return undelivered


def _as_text(alerts: Iterator[Alert]) -> None:
    from sgwatch.render import show  # noqa: PLC0415 - the other formats do without

    out = console()
    for alert in alerts:
        show(out, alert)


def _json_line(alert: Alert) -> str:
    return json.dumps(to_json(alert)) + "\n"


def _slack_line(alert: Alert) -> str:
    from chalicelib.destinations.slack_message import payload  # noqa: PLC0415

    return json.dumps(payload(alert)) + "\n"


# The formats of one line an alert, which can be written where the alert is made.
_LINES: dict[ReplayFormat, Callable[[Alert], str]] = {ReplayFormat.JSON: _json_line, ReplayFormat.SLACK: _slack_line}


def _as_lines(line: Callable[[Alert], str]) -> Printer:
    def print_lines(alerts: Iterator[Alert]) -> None:
        for alert in alerts:
            sys.stdout.write(line(alert))

    return print_lines


def _as_csv(alerts: Iterator[Alert]) -> None:
    from sgwatch.replay_report.alert_csv import rows  # noqa: PLC0415

    for row in rows(alerts):
        typer.echo(row, nl=False)


_PRINTERS: dict[ReplayFormat, Printer] = {
    ReplayFormat.TEXT: _as_text,
    ReplayFormat.JSON: _as_lines(_json_line),
    ReplayFormat.SLACK: _as_lines(_slack_line),
    ReplayFormat.CSV: _as_csv,
}


def _printer(
    form: ReplayFormat, files: Iterable[str], tally: Tally, check: ReplayCheck | None, shown: Steps
) -> Printer:
    return _PRINTERS[form] if form is not ReplayFormat.HTML else _report_of(files, tally, check, shown)


def _report_of(files: Iterable[str], tally: Tally, check: ReplayCheck | None, shown: Steps) -> Printer:
    def print_report(alerts: Iterator[Alert]) -> None:
        from sgwatch.replay_report.evidence import evidence  # noqa: PLC0415 - the other formats do without
        from sgwatch.replay_report.page import page  # noqa: PLC0415
        from sgwatch.version import VERSION  # noqa: PLC0415

        made, named = list(alerts), tuple(files)
        proven = check.report if check else None
        shown.begin("Hashing the input files", len(named))
        found = evidence(shown.each(named), map(str, tally.faults), VERSION, integrity=proven)
        shown.begin("Writing the report", len(made))
        written = page(made, found, shown.advance)
        shown.end()
        typer.echo(written)

    return print_report


def _sender() -> Callable[[Alert], bool]:
    from sgwatch.sending import sender  # noqa: PLC0415 - only with --send

    return sender()
