"""``sgwatch pattern``: what a CloudWatch Logs metric filter pattern counts, without any AWS."""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.alarm_path.patterns.coverage import CIS_5_EVENTS, Counted, Coverage, also_counts, coverage
from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.cloudtrail.records import RecordError, unwrap
from sgwatch.terminal import console, read_in_part

_STYLES = {
    Counted.ALWAYS: "green",
    Counted.SOMETIMES: "yellow",
    Counted.NEVER: "red",
    Counted.UNKNOWN: "magenta",
}
_MARKS = {
    Counted.ALWAYS: "✔",
    Counted.SOMETIMES: "◐",
    Counted.NEVER: "✘",
    Counted.UNKNOWN: "?",
}
_DECODER = json.JSONDecoder()
_NO_BLANK = re.compile(r"\S")
_WORDS = {Verdict.MATCH: "match", Verdict.NO_MATCH: "no match", Verdict.UNKNOWN: "unknown"}


def pattern(
    filter_pattern: Annotated[str, typer.Argument(metavar="FILTER", help="The filter pattern, in quotes.")],
    test: Annotated[
        list[Path] | None,
        typer.Option("--test", metavar="PATH", help="Run it on the records of this file; - is the input."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show which security group calls a metric filter pattern counts.

    Exit status: 0 when the six classic events are always counted, 1 when not, 2 when a file cannot be read.
    """
    filter_pattern, cut = without_line_end(filter_pattern)
    if cut:
        typer.echo("sgwatch: left out the line end behind the pattern; AWS takes no blank there", err=True)
    judged = coverage(filter_pattern)
    tested: list[tuple[Mapping[str, Any], Verdict]] | None = None
    if test is not None:
        try:
            tested = run_on(filter_pattern, test)
        except (RecordError, RecursionError) as error:
            typer.echo(f"sgwatch: {error}", err=True)
            raise typer.Exit(2) from None
    with read_in_part():
        if as_json:
            typer.echo(json.dumps(answer(judged, tested)))
        else:
            show(console(), judged, also_counts(filter_pattern), tested)
    raise typer.Exit(0 if judged.cis_1_to_4 else 1)


def without_line_end(filter_pattern: str) -> tuple[str, bool]:
    """The pattern without the line end that a file or a heredoc puts behind it, and whether there was one."""
    trimmed = filter_pattern.rstrip("\r\n") or filter_pattern
    return trimmed, trimmed != filter_pattern


def run_on(filter_pattern: str, paths: list[Path]) -> list[tuple[Mapping[str, Any], Verdict]]:
    """Every record of the files in order, and whether the filter counts it; a refused pattern counts none."""
    records = [record for path in paths for record in read_records(path)]
    try:
        parsed = parse(filter_pattern)
    except FilterPatternError:
        return [(record, Verdict.NO_MATCH) for record in records]
    return [(record, matches(parsed, record)) for record in records]


def read_records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of a file or folder, in any envelope: JSON documents, one or many, on one line each or over several.

    A metric filter is run on whatever is logged, so any JSON object will do.
    """
    try:
        if path.is_dir():
            for inside in sorted(path.iterdir()):
                yield from read_records(inside)
            return
        raw = sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        text = (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8-sig")
        for document in _documents(text):
            yield from unwrap(document, any_object=True)
    except (EOFError, gzip.BadGzipFile, zlib.error, RecordError, RecursionError, ValueError) as error:
        raise RecordError(f"{path}: {error}") from error


def _documents(text: str) -> Iterator[object]:
    end = 0
    while begin := _NO_BLANK.search(text, end):
        try:
            document, end = _DECODER.raw_decode(text, begin.start())
        except json.JSONDecodeError as error:
            raise RecordError(f"not JSON: {error}") from error
        yield document


def answer(judged: Coverage, tested: list[tuple[Mapping[str, Any], Verdict]] | None = None) -> dict[str, Any]:
    """The answer for ``--json``; a record of which it is not known whether it matches is null."""
    out: dict[str, Any] = {
        "valid": judged.error is None,
        "error": None if judged.error is None else str(judged.error),
        "coverage": {item.event: item.status.value for item in judged.events},
        "cis_1_to_4": judged.cis_1_to_4,
        "cis_5": judged.cis_5,
        "security_hub_exact": judged.security_hub_exact,
    }
    if tested is not None:
        as_bool = {Verdict.MATCH: True, Verdict.NO_MATCH: False, Verdict.UNKNOWN: None}
        out["matches"] = [as_bool[verdict] for _, verdict in tested]
    return out


def show(
    console: Console,
    judged: Coverage,
    others: tuple[str, ...] = (),
    tested: list[tuple[Mapping[str, Any], Verdict]] | None = None,
) -> None:
    """The answer for people."""
    if judged.error is not None:
        _show_error(console, judged.error)
        return
    notes = {condition: number for number, condition in enumerate(_conditions(judged), 1)}
    console.print(_coverage_table(judged, notes))
    for condition, number in notes.items():
        console.print(Text(f"\n({number}) {condition}"))
    console.print(_standards(judged))
    if others:
        console.print(Text(f"\nAlso counts calls that change no security group, such as {', '.join(others)}."))
    if tested is not None:
        counted = sum(verdict is Verdict.MATCH for _, verdict in tested)
        console.print(Text(f"\n{counted} of {len(tested)} records counted", style="bold"))
        console.print(_tested_table(tested))


def _show_error(console: Console, error: FilterPatternError) -> None:
    console.print(Text("AWS refuses this pattern.\n", style="bold red"))
    line, caret = error.caret().split("\n")
    console.print(Text(f"  {line}"), no_wrap=True, crop=False)
    console.print(Text(f"  {caret}", style="bold red"), no_wrap=True, crop=False)
    console.print(Text(f"  {error.reason} (line {error.line}, column {error.column})\n"))
    console.print(Text(f"AWS would say: {error.aws}", style="dim"))


def _coverage_table(judged: Coverage, notes: dict[str, int]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for header in ("Event", "Successful calls counted", "Note"):
        table.add_column(header, no_wrap=True)
    for place, item in enumerate(judged.events):
        if place == len(CIS_5_EVENTS):
            table.add_row(Text("beyond the benchmarks:", style="dim"), "", "")
        status = Text(f"{_MARKS[item.status]} {item.status.value}", style=_STYLES[item.status])
        table.add_row(_short(item.event), status, f"({notes[item.condition]})" if item.condition else "")
    return table


def _conditions(judged: Coverage) -> tuple[str, ...]:
    """Every condition once: most filters have the same one for all events."""
    return tuple(dict.fromkeys(item.condition for item in judged.events if item.condition))


def _short(event: str) -> Text:
    """Long event names cut where they stay unambiguous, so that the table keeps to 80 columns."""
    return Text(event.replace("UpdateSecurityGroupRuleDescriptions", "Update…RuleDescriptions"))


def _standards(judged: Coverage) -> Text:
    lines = (
        (judged.cis_1_to_4, "CIS 1.x to 4.x: the six classic events, always"),
        (judged.cis_5, "CIS 5 and later: these and ModifySecurityGroupRules, always"),
        (judged.security_hub_exact, "Security Hub CloudWatch.10: exactly the six and nothing else in the filter"),
    )
    text = Text()
    for met, words in lines:
        text.append("\n✔ " if met else "\n✘ ", style="green" if met else "red").append(words)
    return text


def _tested_table(tested: list[tuple[Mapping[str, Any], Verdict]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    styles = {Verdict.MATCH: "green", Verdict.NO_MATCH: "dim", Verdict.UNKNOWN: "magenta"}
    for record, verdict in tested:
        cells = (str(record.get(key) or "")[:60] for key in ("eventTime", "eventName"))
        table.add_row(Text(_WORDS[verdict], style=styles[verdict]), *(Text(_printable(cell)) for cell in cells))
    return table


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
