"""``sgwatch explain``: how one record becomes its alert."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, Severity, to_json
from chalicelib.cloudtrail.catalog import lookup
from chalicelib.cloudtrail.records import source_of
from chalicelib.rendering.lines import rule_line
from chalicelib.security_groups.changes import NotWatched
from chalicelib.text import clip, visible
from sgwatch.render import show
from sgwatch.sources import STANDARD_INPUT, find_files, read_file
from sgwatch.terminal import console, note, refuse
from sgwatch.tracing import MOST_ITEMS, Path, Trace, leaves, path_text, trace

# What chalicelib/exposure/judge.py judges so, in a sentence each.
WHEN = {
    Severity.CRITICAL: "the world reaches all traffic, an administration port or a high-risk port",
    Severity.HIGH: "the world reaches another port; much of the internet reaches a risky one; ingress on a default "
    "group; root; tampering with the alarm path; what is not understood",
    Severity.MEDIUM: "the world reaches 80, 443 or ICMP; a narrower public range; an unknown prefix list; a group of "
    "another account; all egress to the world; a denied attempt; a group deleted",
    Severity.LOW: "private ranges; groups of the same account; other egress; removals; a group created; attachments",
    Severity.INFO: "descriptions only; failed and dry-run calls",
}
# What is put into words out of the other fields.
_MADE_OF_OTHERS = frozenset({"version", "title", "summary", "exposures", "undo", "unknowns", "severity", "kind"})


def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file with the record, or - for standard input.")],
    event_id: Annotated[str | None, typer.Option(help="Which record, where the file has several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how one record becomes its alert: where each field came from, why this severity, what is not known.

    Exit status: 0 good (also for a record that makes no alert), 2 there is no such record.
    """
    record = _choose(_records(file), event_id, file)
    try:
        alert, traced = alert_of(record), trace(record)
    except NotWatched as reason:
        _not_watched(record, str(reason), as_json)
        return
    if as_json:
        typer.echo(json.dumps(_answer(alert, traced)))
    else:
        _show(console(), alert, traced, dict(leaves(record)))


def _records(file: str) -> list[dict[str, Any]]:
    found = find_files([file])
    if found.missing or (not found.files and file != STANDARD_INPUT):
        refuse(f"{file}: there is no such file")
    contents = [read_file(path, None) for path in found.files]
    for fault in (*found.unreadable, *(fault for item in contents for fault in item.faults)):
        note(f"unreadable: {fault}")
    return [json.loads(record) for item in contents for record in item.records]


def _choose(records: Sequence[dict[str, Any]], event_id: str | None, file: str) -> dict[str, Any]:
    """The record asked for; else the first that is watched; else the first."""
    if not records:
        refuse(f"{'standard input' if file == STANDARD_INPUT else file} holds no CloudTrail record")
    if event_id is not None:
        chosen = next((record for record in records if record.get("eventID") == event_id), None)
        if chosen is None:
            refuse(f"{file}: none of its {len(records):,} records has the event id {event_id}")
        return chosen
    watched = (record for record in records if lookup(source_of(record), record.get("eventName")))
    chosen = next(watched, records[0])
    if len(records) > 1:
        note(f"{file} holds {len(records):,} records; this is {chosen.get('eventID')}, --event-id takes another")
    return chosen


def _not_watched(record: Mapping[str, Any], reason: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"alert": None, "reason": reason}))
    else:
        name = f"{record.get('eventSource')} {record.get('eventName')}"
        typer.echo(visible(f"No alert is made of this record ({name}): {reason}."))


def _answer(alert: Alert, traced: Trace) -> dict[str, Any]:
    made_of = {
        path_text(field): [path_text(path) for path in paths] for field, paths in traced.sources.items() if paths
    }
    return {
        "alert": to_json(alert),
        "sources": made_of,
        "decisive": [path_text(path) for path in traced.decisive],
        "unused": [path_text(path) for path in traced.unused],
    }


def _show(out: Console, alert: Alert, traced: Trace, values: Mapping[Path, object]) -> None:
    show(out, alert)
    for title, lines in (
        ("Where each field came from", _fields(alert, traced, values)),
        (f"Why {alert.severity}", _severity(alert, traced)),
        ("What makes it this kind of alert", _valued(traced.decisive, values)),
        ("In the record, and nothing came of it", _valued(traced.unused, values)),
    ):
        out.print(Text(title, "bold underline"))
        for line in lines:
            out.print(line, soft_wrap=True)
        out.print()
    note(f"Found by changing one value of the record at a time; of longer lists the first {MOST_ITEMS} items.")


def _fields(alert: Alert, traced: Trace, values: Mapping[Path, object]) -> Iterator[Text]:
    for field, value in leaves(to_json(alert), MOST_ITEMS):
        if field[0] in _MADE_OF_OTHERS or value in (None, [], {}):
            continue
        yield Text.assemble("  ", (path_text(field), "bold"), " = ", _value(value))
        paths = traced.sources.get(field, ())
        for path in paths:
            yield Text.assemble("      ", (visible(path_text(path)), "cyan"), f": {_value(values.get(path))}")
        if not paths:
            yield Text("      of no single value: something is absent, or several values say it", "dim")


def _severity(alert: Alert, traced: Trace) -> Iterator[Text]:
    for item in alert.exposures:
        yield Text(f"  {item.severity}: {visible(item.reason)}")
        if item.rule:
            yield Text(f"      {rule_line(item.rule)}")
        if item.controls:
            yield Text(f"      controls: {', '.join(item.controls)}")
    yield Text(f"  {alert.severity} is for: {WHEN[alert.severity]}")
    paths = traced.sources.get(("severity",), ())
    yield Text(
        "  Other values here would have made it another severity:" if paths else "  No one value alone decides it."
    )
    yield from (Text(f"      {visible(path_text(path))}", "cyan") for path in paths)


def _valued(paths: Iterable[Path], values: Mapping[Path, object]) -> Iterator[Text]:
    for path in paths:
        yield Text.assemble("  ", (visible(path_text(path)), "cyan"), f": {_value(values.get(path))}")


def _value(value: object) -> str:
    return clip(visible(json.dumps(value, ensure_ascii=False)), 120)[0]
