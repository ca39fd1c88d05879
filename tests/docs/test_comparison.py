"""The README's comparison: of every row, the command that it names proves what is said of sgwatch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.alarm_paths import Account
from tests.support.command_line import ROOT, sgwatch
from tests.support.records import DENIED, authorize, permission, world

RECORD = "docs/example-record.json"


def rows() -> list[list[str]]:
    table = (ROOT / "README.md").read_text().split("<!-- comparison -->")[1].split("<!-- /comparison -->")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()]


HEAD, _, *ROWS = rows()


def replayed(*records: dict[str, Any]) -> list[dict[str, Any]]:
    done = sgwatch("replay", "--format", "json", "-", stdin=json.dumps({"Records": records}).encode())
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def looks_at_each_call() -> None:
    calls = [authorize(world(22 + number), eventID=f"event-{number}") for number in range(3)]
    assert [alert["event"]["id"] for alert in replayed(*calls)] == ["event-0", "event-1", "event-2"]


def names_who_changed_which_rule() -> None:
    said = sgwatch("explain", "--json", RECORD)
    alert = json.loads(said.stdout)["alert"]
    assert alert["principal"]["name"]
    assert [(rule["from_port"], rule["peer"]["value"]) for rule in alert["changes"]["added"]] == [(22, "0.0.0.0/0")]


def judges_the_internet_in_halves_as_the_internet() -> None:
    (halves,) = replayed(authorize(permission(v4=("0.0.0.0/1", "128.0.0.0/1"))))
    (whole,) = replayed(authorize(world(22)))
    assert halves["severity"] == whole["severity"] == "critical"


def alerts_on_a_denied_call_as_an_attempt() -> None:
    (alert,) = replayed({**authorize(world(22)), "responseElements": None, "errorCode": DENIED})
    assert (alert["event"]["outcome"], alert["changes"]["added"]) == ("denied", [])
    assert [rule["from_port"] for rule in alert["changes"]["attempted"]] == [22]


def tells_a_sound_account_from_a_muted_one() -> None:
    sound, muted = Account(), Account()
    muted.alarms[0]["ActionsEnabled"] = False
    statuses = [sgwatch("audit", "--from", "-", stdin=json.dumps(path.document()).encode()) for path in (sound, muted)]
    assert [done.returncode for done in statuses] == [0, 1]


PROOFS: dict[str, Callable[[], None]] = {
    "looks": looks_at_each_call,
    "names who changed which rule": names_who_changed_which_rule,
    "tcp/22 opened to `0.0.0.0/1` and `128.0.0.0/1`": judges_the_internet_in_halves_as_the_internet,
    "a call that was denied": alerts_on_a_denied_call_as_an_attempt,
    "finds that nobody would be notified, right of 23 accounts": tells_a_sound_account_from_a_muted_one,
}


def test_every_row_has_a_proof_and_every_proof_a_row() -> None:
    assert {row[0] for row in ROWS} == PROOFS.keys()


@pytest.mark.parametrize("row", PROOFS)
def test_what_is_said_of_sgwatch_is_so(row: str) -> None:
    PROOFS[row]()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_no_cell_is_empty_and_every_row_has_a_cell_for_every_tool(row: list[str]) -> None:
    assert len(row) == len(HEAD)
    assert all(row)


def test_what_is_said_of_a_service_of_aws_names_the_page_that_says_so() -> None:
    of_config = [row[HEAD.index(next(name for name in HEAD if "AWS Config" in name))] for row in ROWS]
    # What follows from there being no change needs none; nor does what nobody has run.
    without = [cell for cell in of_config if "](https://docs.aws.amazon.com/" not in cell]
    assert without == ["no: whether the group complies", "nothing changed, so nothing to see", "not run"]
