"""What all commands share: output that nobody reads, terminals that lack characters, folders without the app."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import command_line
from tests.support.command_line import BASE, ROOT

RECORD = str(ROOT / "docs" / "example-record.json")
SOUND = {"WEBHOOK_URL": "https://example.com/hook"}
COMMANDS: list[tuple[list[str], dict[str, str], int]] = [
    (["replay", RECORD], {}, 0),
    (["replay", "--format", "json", RECORD], {}, 0),
    (["explain", RECORD], {}, 0),
    (["config"], SOUND, 0),
    (["config"], {}, 2),
    (["config", "--json"], {}, 2),
    (["pattern", ""], {}, 0),
    (["pattern", "nothing"], {}, 1),
    (["pattern", "--json", "nothing"], {}, 1),
    (["audit", "--from", RECORD], {}, 2),
    (["audit", "--json", "--from", RECORD], {}, 2),
]


def sgwatch(words: list[str], stdout: int | None = None, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return command_line.sgwatch(*words, stdout=stdout, environ=BASE | environ)


@pytest.mark.parametrize(("words", "environ", "status"), COMMANDS)
def test_a_reader_that_is_gone_changes_no_exit_status(words: list[str], environ: dict[str, str], status: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = sgwatch(words, stdout=writing, **environ)
    finally:
        os.close(writing)
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr


@pytest.mark.parametrize(("words", "environ", "status"), COMMANDS)
def test_a_terminal_that_lacks_characters_gets_the_rest(words: list[str], environ: dict[str, str], status: int) -> None:
    done = sgwatch(words, None, **environ, PYTHONIOENCODING="ascii")
    assert done.returncode == status, done.stderr
    assert done.stdout.isascii()
    assert b"Traceback" not in done.stderr


def test_a_command_without_standard_output_ends_as_it_would_with_it() -> None:
    command = f"{sys.executable} -m sgwatch replay {RECORD} >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, env=BASE, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["local", "demo", "setup"])
def test_what_needs_the_app_says_where_to_run_it(command: str, tmp_path: Path) -> None:
    done = command_line.sgwatch(command, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        done.stderr
        == b"sgwatch: .chalice/config.json cannot be read: run this where app.py is, or make one with sgwatch init\n"
    )


@pytest.mark.parametrize("command", ["local", "demo", "setup"])
def test_a_stage_that_is_not_there_is_named_with_those_that_are(command: str) -> None:
    done = sgwatch([command, "--stage", "nope"])
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b'sgwatch: "nope" is not a stage of .chalice/config.json; it has dev, prod\n'


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file here that root may not read")
@pytest.mark.parametrize("words", [["undo"], ["explain"], ["pattern", "", "--test"], ["audit", "--from"]])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(words: list[str]) -> None:
    path = "/proc/self/mem"  # there, and no user may read its beginning
    done = sgwatch([*words, path])
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{path}: cannot be read: ".encode() in done.stderr
    assert b"Errno" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_port_that_no_server_can_have_is_a_usage_error() -> None:
    done = sgwatch(["local", "--port", "65535"])  # the page has the next one
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"'--port'" in done.stderr


def test_an_event_that_cannot_be_looked_for_says_what_to_set() -> None:
    done = sgwatch(["undo", "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10"])
    assert done.returncode == 2
    assert b"the state table could not be read: no region: set AWS_REGION or AWS_DEFAULT_REGION\n" in done.stderr


@pytest.mark.parametrize(("interrupted", "status"), [(True, 130), (False, 1)])
def test_an_interrupt_at_a_question_is_distinguished_from_no_answer(interrupted: bool, status: int) -> None:
    asking = "import typer; from sgwatch.terminal import agreed; typer.run(lambda: print(agreed('Go?')))"
    command = [sys.executable, "-c", asking]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=BASE) as process:
        assert process.stdout is not None
        assert process.stdout.read(3) == b"Go?"
        if interrupted:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        process.communicate(timeout=20)
    assert process.returncode == status


def test_a_test_alert_that_aws_could_not_be_asked_for_says_what_to_set() -> None:
    done = sgwatch(["send-test"], SLACK_WEBHOOK_URL="ssm:/sgwatch/slack")
    assert done.returncode == 1
    assert done.stderr.endswith(b"sgwatch: no region: set AWS_REGION or AWS_DEFAULT_REGION\n")


def test_a_file_of_several_alerts_says_that_undo_takes_one(tmp_path: Path) -> None:
    alert = sgwatch(["replay", "--format", "json", RECORD]).stdout
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(alert * 2)
    done = sgwatch(["undo", str(path)])
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"give undo a file with one alert or record\n" in done.stderr


def test_help_fills_the_lines_of_a_narrow_terminal() -> None:
    lines = [line.strip() for line in sgwatch(["undo", "--help"], COLUMNS="80").stdout.decode().splitlines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith("An alert, as replay"))
    paragraph = lines[begin : lines.index("", begin)]
    assert len(paragraph) > 3
    for line, after in pairwise(paragraph):
        assert len(line) <= 78 < len(f"{line} {after.split()[0]}")


def at_a_terminal(words: list[str], folder: Path) -> tuple[bytes, str]:
    """Standard output in a file, and what was drawn on the terminal that standard error is."""
    ours, theirs = os.openpty()
    out = folder / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "sgwatch", *words],
            stdin=subprocess.DEVNULL, stdout=file, stderr=theirs, cwd=folder, env=BASE | {"TERM": "xterm"},
        )  # fmt: skip
    os.close(theirs)
    drawn = b""
    while chunk := _read_or_end(ours):
        drawn += chunk
    os.close(ours)
    assert process.wait(30) == 0
    return out.read_bytes(), drawn.decode()


def _read_or_end(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_is_redirected_into_a_file_is_not_drawn_on_the_terminal(form: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for number in range(3):
        text = Path(RECORD).read_text().replace('"eventID": "', f'"eventID": "{number}')
        (tmp_path / "logs" / f"{number}.json").write_text(text)
    words = ["replay", "logs", "--format", form]
    written, drawn = at_a_terminal(words, tmp_path)
    assert written == command_line.sgwatch(*words, folder=tmp_path).stdout
    assert written.count(b"\n") >= 3
    assert "security_group" not in drawn
    assert "3 files, 3 records" in drawn


def test_a_replay_shows_bytes_then_alerts_then_the_report_as_they_are_done(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_text(Path(RECORD).read_text())
    written, drawn = at_a_terminal(["replay", "large.json", "--format", "html"], tmp_path)
    assert written.startswith(b"<!doctype html>")
    steps = [drawn.find(step) for step in ("Reading", "Making alerts", "Hashing the input files", "Writing the report")]
    assert -1 not in steps
    assert steps == sorted(steps)
    assert re.search(r"Reading .*\d/[\d.]+ (bytes|kB)", drawn)
