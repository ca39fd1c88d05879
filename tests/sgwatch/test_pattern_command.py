from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from chalicelib.alarm_path.patterns.coverage import CLASSIC_EVENTS
from sgwatch.commands.pattern import pattern

SIX = "{ " + " || ".join(f"($.eventName = {name})" for name in CLASSIC_EVENTS) + " }"
app = typer.Typer()
app.command("pattern")(pattern)


@app.callback()
def _main() -> None:
    """Typer calls a lone command without its name, unless there is a callback."""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["pattern", *arguments], env={"COLUMNS": "80"})
    return result.exit_code, result.output


def record(name: str, **fields: Any) -> dict[str, Any]:
    return {"eventName": name, "eventSource": "ec2.amazonaws.com", "eventTime": "2026-11-23T10:00:00Z", **fields}


def test_json_holds_the_coverage_and_the_standards() -> None:
    code, output = run(SIX, "--json")
    answer = json.loads(output)
    assert code == 0
    assert set(answer) == {"valid", "error", "coverage", "cis_1_to_4", "cis_5", "security_hub_exact"}
    assert (answer["valid"], answer["error"]) == (True, None)
    assert (answer["cis_1_to_4"], answer["cis_5"], answer["security_hub_exact"]) == (True, False, True)
    assert answer["coverage"]["CreateSecurityGroup"] == "always"
    assert answer["coverage"]["ModifySecurityGroupRules"] == "never"


def test_a_filter_that_misses_an_event_exits_with_1() -> None:
    assert run("{ $.eventName = CreateSecurityGroup }", "--json")[0] == 1


def test_a_refused_pattern_exits_with_1_and_says_why() -> None:
    code, output = run("{ $.eventName == x }", "--json")
    answer = json.loads(output)
    assert (code, answer["valid"], answer["coverage"]) == (1, False, {})
    assert "line 1, column 16" in answer["error"]


def test_the_error_is_shown_with_a_caret() -> None:
    code, output = run("{ $.eventName == x }")
    lines = output.splitlines()
    at = next(index for index, line in enumerate(lines) if "==" in line)
    assert code == 1
    assert lines[at + 1].index("^") == lines[at].index("==") + 1


def test_markup_in_a_pattern_is_shown_as_it_is() -> None:
    assert "[red]x[/red]" in run('{ $.userAgent = "[red]x[/red]" }')[1]


def test_the_table_keeps_to_80_columns() -> None:
    code, output = run('{ ($.eventName = *SecurityGroup*) && ($.userIdentity.invokedBy != "x.amazonaws.com") }')
    assert code == 1
    assert max(map(len, output.splitlines())) <= 80
    assert output.count("only when userIdentity.invokedBy is there and is not") == 1
    assert "DescribeSecurityGroups" in output


@pytest.mark.parametrize(
    "wrap",
    [
        lambda records: "\n".join(json.dumps(one) for one in records),
        lambda records: "\n".join(json.dumps({"record": one}) for one in records),
        lambda records: "\n".join(
            json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": one}) for one in records
        ),
        lambda records: json.dumps({"Records": records}),
        lambda records: json.dumps({"Events": [{"CloudTrailEvent": json.dumps(one)} for one in records]}),
    ],
    ids=["bare", "record key", "EventBridge", "log file", "LookupEvents"],
)
def test_records_in_any_envelope_are_tried_in_file_order(tmp_path: Path, wrap: Any) -> None:
    records = [record("CreateSecurityGroup"), record("RunInstances"), record("DeleteSecurityGroup")]
    path = tmp_path / "records.json"
    path.write_text(wrap(records), encoding="utf-8")
    assert json.loads(run(SIX, "--test", str(path), "--json")[1])["matches"] == [True, False, True]
    assert "2 of 3 records counted" in run(SIX, "--test", str(path))[1]


def test_documents_over_several_lines_are_read_and_a_fault_in_one_is_reported_by_its_own_line(tmp_path: Path) -> None:
    path, sound = tmp_path / "records.json", json.dumps(record("CreateSecurityGroup"), indent=2)
    path.write_text(f"{sound}\n{sound}\n")
    assert json.loads(run(SIX, "--test", str(path), "--json")[1])["matches"] == [True, True]
    path.write_text(sound.replace(",\n", "\n"))
    assert f"{path}: not JSON: Expecting ',' delimiter: line 3 column 3" in run(SIX, "--test", str(path), "--json")[1]


@pytest.mark.parametrize("wrap", [lambda event: event, lambda event: {"record": event}], ids=["bare", "record key"])
def test_any_logged_object_is_tried(tmp_path: Path, wrap: Any) -> None:
    events = [{"latency": 60, "records": []}, {"latency": 40}, {}]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(wrap(event)) for event in events))
    assert json.loads(run("{ $.latency > 50 }", "--test", str(path), "--json")[1])["matches"] == [True, False, False]


def test_the_count_stands_in_one_line_however_short_the_records_are(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text('{"eventName": "A"}')
    assert "1 of 1 records counted\nmatch" in run("{ $.eventName = A }", "--test", str(path))[1]


def test_a_pattern_that_begins_with_a_dash_comes_behind_two() -> None:
    assert json.loads(run("--json", "--", "-errorCode")[1])["valid"] is True


def test_records_are_read_from_the_input() -> None:
    result = CliRunner().invoke(app, ["pattern", SIX, "--test", "-", "--json"], input='{"eventName": "A"}')
    assert json.loads(result.stdout)["matches"] == [False]


def test_an_unknown_match_is_null_and_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "records.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"Records": [record("A", readOnly=False), record("B")]}).encode()))
    output = run("{ $.readOnly = false }", "--test", str(path), "--json")[1]
    assert json.loads(output)["matches"] == [None, False]


@pytest.mark.parametrize(
    "content", [b"not json", b"42", b'{"CloudTrailEvent": "{"}', b"\x1f\x8bbroken", b"\xff\xfe\x00"]
)
def test_an_unreadable_file_is_named_and_exits_with_2(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    code, output = run(SIX, "--test", str(path), "--json")
    assert code == 2
    assert "broken.json" in output
    assert run(SIX, "--test", str(tmp_path / "absent.json"))[0] == 2


def test_the_line_end_that_a_heredoc_leaves_is_cut_off_and_said_so() -> None:
    result = CliRunner().invoke(app, ["pattern", f"{SIX}\n", "--json"])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["valid"], answer["security_hub_exact"]) == (0, True, True)
    assert "left out the line end" in result.stderr


@pytest.mark.parametrize("text", [f" {SIX}", f"{SIX} ", f"\n{SIX}"])
def test_another_blank_outside_the_braces_is_refused_as_aws_does(text: str) -> None:
    code, output = run(text, "--json")
    assert (code, json.loads(output)["valid"]) == (1, False)


def test_a_refused_pattern_counts_none_of_the_records(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(record(name)) + "\n" for name in CLASSIC_EVENTS))
    _, output = run("{ $.eventName == X }", "--json", "--test", str(path))
    assert json.loads(output)["matches"] == [False] * len(CLASSIC_EVENTS)
