"""What people type wrong: each mistake is one sentence on standard error with the way out, and status 2."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sgwatch.__main__ import build

FILES: dict[str, bytes] = {
    "empty.json": b"",
    "text.json": b"hello",
    "nothing.json": b"{}",
    "list.json": b"[1]",
    "cut.gz": b"\x1f\x8b\x00",
}
# What was typed → what the sentence has to say. Usage errors are typer's own box, which names the help.
MISTAKES: dict[str, str] = {
    "nope": "No such command 'nope'",
    "--nope": "No such option: --nope",
    "replay": "Missing argument 'PATH...'",
    "replay missing.json": "missing.json: there is no such file or folder",
    "replay empty.json": "no CloudTrail record was found in empty.json",
    "replay text.json": "no CloudTrail record was found in text.json",
    "replay cut.gz": "no CloudTrail record was found in cut.gz",
    "replay nothing.json --format yaml": "'yaml' is not one of 'text', 'json', 'slack', 'html', 'csv'",
    "replay nothing.json --min-severity hihg": "'hihg' is not one of 'info', 'low', 'medium', 'high', 'critical'",
    "replay nothing.json --watch ruels": '"ruels" is not one of rules, groups, attachments, prefix_lists, tamper',
    "replay nothing.json --send": "set one of SLACK_WEBHOOK_URL",
    "replay nothing.json --nope": "No such option: --nope",
    "replay nothing.json --digest-keys keys.json": "--digest-keys and --digest-report are for --verify-digests",
    "replay nothing.json --verify-digests --digest-keys keys.json": "--digest-keys: keys.json: No such file",
    "replay nothing.json --verify-digests --digest-keys text.json": "is no answer of aws cloudtrail list-public-keys",
    "explain": "Missing argument 'FILE'",
    "explain missing.json": "missing.json: there is no such file",
    "explain empty.json": "empty.json holds no CloudTrail record",
    "explain text.json": "text.json holds no CloudTrail record",
    "explain nothing.json": "nothing.json holds no CloudTrail record",
    "audit --from missing.json": "missing.json: cannot be read: No such file or directory",
    "audit --from text.json": "text.json: a snapshot is a JSON object, this is not JSON",
    "audit --from empty.json": "empty.json: a snapshot is a JSON object, this is not JSON",
    "audit --from nothing.json": "no snapshot of sgwatch audit --collect: it has no regions",
    "audit --from list.json": "a snapshot is a JSON object, this is list",
    "audit --json --format html": "--json and --format html exclude each other: choose one",
    "audit --json --format csv": "--json and --format csv exclude each other: choose one",
    "audit --from nothing.json --collect out.json": "--from and --collect exclude each other",
    "audit --from nothing.json --stage prod": "--from and --stage exclude each other",
    "audit --format pdf": "'pdf' is not one of 'text', 'json', 'html', 'csv', 'junit', 'ocsf'",
    "audit --standard cis_9": "'cis_9' is not one of 'cis_1_to_4', 'cis_5', 'security_hub'",
    "audit --stage nope": "run this where app.py is, or make one with sgwatch init",
    "pattern": "Missing argument 'FILTER'",
    "pattern --nope": "No such option: --nope",
    "repair --nope": "No such option: --nope",
    "undo": "Missing argument 'EVENT_ID|FILE'",
    "config --stage nope": "run this where app.py is, or make one with sgwatch init",
    "config --nope": "No such option: --nope",
    "send-test --stage nope": "run this where app.py is, or make one with sgwatch init",
    "preview missing.json": "missing.json cannot be read: No such file or directory",
    "preview text.json": "text.json holds no CloudTrail record",
    "preview nothing.json": "expected eventName, detail, Records, Events or record",
    "preview --destination telex": "there are slack, sns, webhook",
    "init --stage bad/name": "up to 30 letters, digits, - and _",
    "init --nope": "No such option: --nope",
    "deploy --stage nope": "run this where app.py is, or make one with sgwatch init",
    "deploy --nope": "No such option: --nope",
    "doctor --nope": "No such option: --nope",
    "uninstall --stage nope": "set AWS_REGION or AWS_DEFAULT_REGION",
    "setup extra": "Got unexpected extra argument(s) (extra)",
    "teardown --nope": "No such option: --nope",
    "redrive extra": "Got unexpected extra argument(s) (extra)",
    "watch --stage nope": "run this where app.py is, or make one with sgwatch init",
    "watch extra": "Got unexpected extra argument(s) (extra)",
    "silence nope": "No such command 'nope'",
    "silence add": "Missing option '--reason'",
    "silence add --reason x --for 2h": "--when or --automation: say which alerts",
    "silence add --reason x --when [ --for 2h": "'[' is not a JMESPath expression",
    "silence add --reason x --when a --for 2x": '"2x" is not a time such as 30m, 2h or 7d',
    "silence add --reason x --when a": "--for or --until: say for how long, with one of them",
    "silence add --reason x --when a --for 2h --until 2027-01-01": "--for or --until: say for how long",
    "silence add --reason x --when a --until 2001-01-01": '"2001-01-01" is over',
    "silence add --reason x --automation role/x --for 2h": "--owner: say who answers for the automation",
    "silence add --reason x --automation role/x --owner o --for 2h --critical-too": "never covers critical alerts",
    "silence add --reason ' ' --when version --for 2h": "--reason: say why",
    "silence remove": "Missing argument 'ID'",
    "fleet nope": "No such command 'nope'",
    "fleet template --nope": "No such option: --nope",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("AWS")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("TERMINAL_WIDTH", "400")
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_one_sentence_with_the_way_out(typed: str) -> None:
    words = shlex.split(typed)
    result = CliRunner().invoke(build(words), words)
    assert result.exit_code == 2
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    said = re.sub(r"[│╭─╮╰╯\s]+", " ", result.stderr)
    assert MISTAKES[typed] in said
    complaints = re.findall(r"^sgwatch: ", result.stderr, re.MULTILINE)
    assert len(complaints) == (0 if "Usage:" in said else 1)


def test_there_are_sixty_of_them() -> None:
    assert len(MISTAKES) >= 60
