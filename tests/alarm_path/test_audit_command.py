"""``sgwatch audit`` and ``sgwatch repair`` as somebody runs them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from chalicelib.alarm_path.repair import Plan, Subscriber, plan
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.verdicts import Finding, Status
from sgwatch.audit_html import page
from sgwatch.audit_text import short, show
from sgwatch.commands.audit import AuditFormat, UsageError, audit, judge_snapshot, obtain
from sgwatch.commands.repair import exit_status, show_plan, subscriber_of
from tests.support.alarm_paths import TOPIC, Account, alarm, metric_filter, policy, statement, subscription, topic

APP = typer.Typer()
APP.command()(audit)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(APP, [*arguments])


@pytest.fixture
def snapshot_file(tmp_path: Path) -> Path:
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(Account().document()))
    return path


def test_a_sound_snapshot_exits_0_with_nothing_but_json_on_stdout(snapshot_file: Path) -> None:
    result = run("--from", str(snapshot_file), "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["status"], report["checked_at"]) == ("pass", "2026-11-23T10:00:00Z")


def test_a_broken_one_exits_1_and_an_unread_one_2(tmp_path: Path) -> None:
    path, account = tmp_path / "s.json", Account()
    account.alarms = []
    path.write_text(json.dumps(account.document()))
    assert run("--from", str(path)).exit_code == 1
    document = account.document()
    del document["trails"]
    path.write_text(json.dumps(document))
    assert run("--from", str(path)).exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "a snapshot is a JSON object, this is not JSON"),
        ("[]", "a snapshot is a JSON object, this is list"),
    ],
)
def test_a_file_that_is_no_snapshot_is_named_with_the_reason(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "s.json"
    if text is not None:
        path.write_text(text)
    done = run("--from", str(path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sgwatch: {path}: {said}")
    assert "Errno" not in done.stderr


def test_no_name_is_cut_in_a_narrow_terminal() -> None:
    function = "arn:aws:lambda:eu-central-1:123456789012:function:sgwatch-production-alert_on_tampering"
    finding = Finding("own-function", Status.FAIL, function, f"Function {function} is Failed.")
    report = judge_snapshot(read_snapshot(Account().document()))
    out = io.StringIO()
    show(Console(file=out, width=60), replace(report, findings=(finding,)))
    lines = out.getvalue().splitlines()
    assert "   ✘ Function sgwatch-production-alert_on_tampering is" in lines
    assert not any("…" in line or "arn:" in line for line in lines)


@pytest.mark.parametrize(
    ("subscriptions", "said"),
    [
        ([subscription(SubscriptionArn="PendingConfirmation")], "a message to security@example.com with a link"),
        ([], "sgwatch repair --apply --email ADDRESS"),
    ],
)
def test_who_has_not_confirmed_is_distinguished_from_nobody(subscriptions: list[dict[str, Any]], said: str) -> None:
    ours = TOPIC.replace("security", "sgwatch-alarms")
    account = Account()
    account.alarms = [alarm(AlarmActions=[ours])]
    document = account.document()
    attributes = {"Policy": policy(statement(Resource=ours))}
    document["regions"]["us-east-1"]["topics"] = {ours: topic(Attributes=attributes, Subscriptions=subscriptions)}
    snapshot = read_snapshot(document)
    (human,) = plan(snapshot, judge_snapshot(snapshot)).human
    assert said in human


def test_the_standard_decides_the_exit_status(tmp_path: Path) -> None:
    path, account = tmp_path / "s.json", Account()
    path.write_text(json.dumps(account.document()))
    assert run("--from", str(path), "--standard", "security_hub").exit_code == 1


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"version": "9"}', '{"Records": []}', "\xff"])
def test_a_file_that_is_no_snapshot_exits_2_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(text.encode("latin-1"))
    result = run("--from", str(path), "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "sgwatch: " in result.stderr


@pytest.mark.parametrize("output", [item for item in AuditFormat if item is not AuditFormat.JSON])
def test_json_and_another_format_exclude_each_other(snapshot_file: Path, output: AuditFormat) -> None:
    done = run("--from", str(snapshot_file), "--json", "--format", output.value)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"sgwatch: --json and --format {output.value} exclude each other: choose one\n"


def test_json_is_a_format_too(snapshot_file: Path) -> None:
    both = [run("--from", str(snapshot_file), *how).stdout for how in (("--json",), ("--format", "json"))]
    assert both[0] == both[1]
    assert run("--from", str(snapshot_file), "--json", "--format", "json").exit_code == 0


EVERY_FORMAT = [(), ("--json",), *(("--format", item.value) for item in AuditFormat)]


@pytest.mark.parametrize("arguments", EVERY_FORMAT)
def test_an_account_id_sends_nothing_to_the_terminal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    document = Account().document() | {"account_id": "\x1b[2J\x1b]0;pwn\x07\x9b1m"}
    path = tmp_path / "s.json"
    path.write_text(json.dumps(document))
    printed = run("--from", str(path), *arguments).stdout
    assert not set(printed) & set("\x1b\x07\x9b")


def test_from_and_collect_exclude_each_other(snapshot_file: Path) -> None:
    assert run("--from", str(snapshot_file), "--collect", "x").exit_code == 2


def test_collect_writes_what_from_then_judges(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    document = obtain(None, path, lambda: Account().document())
    assert obtain(path, None) == document
    with pytest.raises(UsageError):
        obtain(None, tmp_path / "missing" / "s.json", lambda: Account().document())


@pytest.mark.parametrize("width", [80, 200])
def test_the_chain_is_drawn_with_a_mark_at_each_link(width: int) -> None:
    account = Account()
    account.alarms = [alarm(ActionsEnabled=False)]
    report = judge_snapshot(read_snapshot(account.document()))
    console = Console(width=width, record=True, file=io.StringIO())
    show(console, report)
    text = console.export_text()
    assert text.count("✔") >= 4
    assert "The actions of alarm sg-changes are disabled." in text
    assert "aws cloudwatch enable-alarm-actions --region us-east-1 --alarm-names sg-changes" in text


def test_a_name_longer_than_the_terminal_is_reported_in_full() -> None:
    name = "security-group-changes-" * 5
    account = Account()
    account.filters, account.alarms = [metric_filter(name)], [alarm(name, name, Threshold=9)]
    console = Console(width=80, file=io.StringIO())
    show(console, judge_snapshot(read_snapshot(account.document())))
    text = "".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert f"Onematchingrecorddoesnotbreachalarm{name}:Sumofitis1" in text
    assert any(line.strip().startswith(f"{name}:") for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def test_what_is_wrong_comes_first_and_what_passes_is_counted() -> None:
    finding = Finding("own-function", Status.FAIL, "f", "Function f is Failed.")
    sound = [Finding("own-function", Status.PASS, name, f"Function {name} is Active.") for name in "gh"]
    report = judge_snapshot(read_snapshot(Account().document()))
    out = io.StringIO()
    show(Console(file=out, width=80), replace(report, findings=(*sound, finding)))
    text = out.getvalue()
    assert (
        text.index("Function f is Failed.") < text.index("✔ trail         main") < text.index("CIS AWS Foundations 5")
    )
    assert "2 findings of 1 check passed." in text
    assert "Active" not in text


def test_a_thing_of_another_account_is_named_with_its_account() -> None:
    ours, theirs = ("arn:aws:sqs:us-east-1:" + account + ":letters" for account in ("123456789012", "210987654321"))
    assert short(f"Queue {ours}: {theirs}.", "123456789012") == "Queue letters: letters of account 210987654321."


def test_a_name_cannot_send_control_characters_to_the_terminal() -> None:
    account = Account()
    account.filters, account.alarms = [metric_filter("a\x1b]0;b")], [alarm(metric="a\x1b]0;b", ActionsEnabled=False)]
    console = Console(width=100, file=io.StringIO(), force_terminal=False)
    show(console, judge_snapshot(read_snapshot(account.document())))
    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows() -> None:
    account = Account()
    account.filters = [metric_filter("<script>alert(1)</script>")]
    account.alarms = [alarm(metric="<script>alert(1)</script>")]
    document = account.document()
    html = page(judge_snapshot(read_snapshot(document)), document)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "2026-11-23 10:00:00 UTC" in html
    assert not any(word in html for word in ("src=", "<link", "@import", "url("))


def test_who_is_to_be_reported_is_one_at_a_time() -> None:
    assert subscriber_of(None, None) is None
    with pytest.raises(UsageError):
        subscriber_of("a@example.com", "https://example.com")
    with pytest.raises(UsageError):
        subscriber_of(None, "http://example.com")
    with pytest.raises(UsageError, match='--email: "security" is not an e-mail address'):
        subscriber_of("security", None)


def test_judging_a_file_does_not_load_the_aws_sdk(snapshot_file: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from sgwatch.commands.audit import judge_snapshot, obtain\n"
        "from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot\n"
        f"judge_snapshot(read_snapshot(obtain(Path({str(snapshot_file)!r}), None)))\n"
        "print([name for name in ('boto3', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_snapshot_comes_from_standard_input_too(snapshot_file: Path) -> None:
    done = CliRunner().invoke(APP, ["--from", "-", "--json"], input=snapshot_file.read_bytes())
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "pass")


def test_repair_exits_1_while_the_audit_passes_and_another_text_still_lacks_something() -> None:
    report = judge_snapshot(read_snapshot(Account().document()))
    assert report.status == "pass"
    assert exit_status(report, Plan(())) == 0
    assert exit_status(report, Plan((), human=("Confirm the subscription.",))) == 1
    unread = Account().document()
    del unread["trails"]
    assert exit_status(judge_snapshot(read_snapshot(unread)), Plan(())) == 2


def shown_plan(account: Account, *, do_apply: bool) -> str:
    snapshot, out = read_snapshot(account.document()), io.StringIO()
    planned = plan(snapshot, judge_snapshot(snapshot), Subscriber("email", "security@example.com"))
    show_plan(Console(file=out, width=200), planned, do_apply=do_apply)
    return out.getvalue()


def test_a_plan_that_is_only_shown_says_that_nothing_was_done() -> None:
    said = "Nothing was done: --apply makes these calls.\n"
    broken = Account()
    broken.alarms = []
    assert shown_plan(broken, do_apply=False).endswith(said)
    assert said not in shown_plan(broken, do_apply=True)


def test_a_plan_costs_what_it_makes() -> None:
    bare, silent = Account(), Account()
    bare.filters, bare.alarms, silent.alarms = [], [], []
    assert "\nCost: 1 standard alarm: about 0.10 USD" in shown_plan(silent, do_apply=True)
    assert "\nCost: 2 custom metrics and 2 standard alarms: about 0.80 USD" in shown_plan(bare, do_apply=True)


def test_what_is_broken_is_shown_first() -> None:
    account = Account()
    account.filters = [metric_filter("sound"), metric_filter("broken")]
    account.alarms = [alarm("sound", "sound"), alarm("broken", "broken", ActionsEnabled=False)]
    out = io.StringIO()
    show(Console(file=out, width=200), judge_snapshot(read_snapshot(account.document())))
    assert out.getvalue().index("✔ sound") > out.getvalue().index("The actions of alarm broken are disabled.")
