"""The audits of several accounts in one report, and what an organization's trail does for those that it covers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, Standard
from chalicelib.alarm_path.verdicts import Status
from sgwatch import accounts_html, audit_csv, audit_junit
from sgwatch.account_audits import AccountAudits, AccountsToAudit, CollectedAccount, judge_accounts
from sgwatch.accounts_text import headline_of, show_accounts
from tests.support.alarm_paths import (
    ACCOUNT,
    NOW,
    OTHER_ACCOUNT,
    REGION,
    Account,
    Document,
    error,
    metric_filter,
    trail,
)

SCHEMAS = Path(__file__).parents[2] / "schemas"
THIRD = "555566667777"
NAMES = {ACCOUNT: "management", OTHER_ACCOUNT: "shop <prod>", THIRD: "lab"}
ORGANIZATION = "o-exampleorg"


def management(**changes: Any) -> Account:
    """The account that has the organization's trail and its alarm path."""
    account = Account()
    account.trail = trail(IsOrganizationTrail=True, **changes)
    return account


def member(*trails: Document, account_id: str = OTHER_ACCOUNT, errors: tuple[Document, ...] = ()) -> Document:
    """An account with these trails and nothing else."""
    empty: Document = {
        "log_groups": [],
        "metric_filters": [],
        "metric_alarms": [],
        "composite_alarms": [],
        "topics": {},
    }
    top = {"version": "1", "account_id": account_id, "partition": "aws", "collected_at": "2026-11-23T10:00:00Z"}
    return {**top, "trails": list(trails), "regions": {REGION: empty}, "errors": list(errors)}


def judged(*documents: Document, unreached: tuple[str, ...] = (), standard: Standard = Standard.CIS_5) -> AccountAudits:
    found = [CollectedAccount(str(each["account_id"]), read_snapshot(each)) for each in documents]
    found += [CollectedAccount(each, None, f"Its role: AccessDenied {each}.", "Deploy it.") for each in unreached]
    return judge_accounts(AccountsToAudit(NAMES, REGION, standard=standard, organization_id=ORGANIZATION), found, NOW)


def report_of(audits: AccountAudits, account_id: str) -> Report:
    (found,) = (each.report for each in audits.accounts if each.report.account_id == account_id)
    return found


def test_a_member_without_a_trail_of_its_own_has_the_answer_of_the_organizations_trail() -> None:
    account = management()
    audits = judged(account.document(), member(account.trail))
    report = report_of(audits, OTHER_ACCOUNT)
    assert (report.status, audits.status) == (Status.PASS, Status.PASS)
    assert [(path.trail, path.metric_filter, path.status) for path in report.paths] == [
        ("main", "sg-changes", Status.PASS)
    ]
    assert any(f"judged in account {ACCOUNT}" in note for note in report.notes)


def test_it_fails_with_that_trail_and_names_the_broken_link() -> None:
    account = management()
    account.alarms = []
    report = report_of(judged(account.document(), member(account.trail)), OTHER_ACCOUNT)
    assert report.status is Status.FAIL
    bad = [item.check for path in report.paths for item in path.findings if item.status is Status.FAIL]
    assert bad == ["alarm-exists"]


def test_what_is_broken_beside_the_organizations_trail_in_the_management_account_counts_for_nobody_else() -> None:
    account = management()
    account.more_trails = [trail(Name="own", TrailARN=f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/own")]
    account.trail["Status"]["IsLogging"] = False
    audits = judged(account.document(), member(account.trail))
    assert report_of(audits, ACCOUNT).status is Status.PASS, "by a trail that logs its own account alone"
    assert report_of(audits, OTHER_ACCOUNT).status is Status.FAIL


def test_without_the_account_of_the_log_group_it_is_unknown_and_says_whom_to_audit() -> None:
    report = report_of(judged(member(management().trail)), OTHER_ACCOUNT)
    assert report.status is Status.UNKNOWN
    (reason,) = [item.reason for item in report.paths[0].findings if item.check == "trail-log-group"]
    assert f"audit account {ACCOUNT}" in reason


def test_an_account_that_does_not_see_the_organizations_trail_is_not_covered_by_it() -> None:
    report = report_of(judged(management().document(), member()), OTHER_ACCOUNT)
    assert report.status is Status.FAIL


def test_a_trail_that_is_not_the_organizations_counts_for_its_own_account_alone() -> None:
    account = Account()
    audits = judged(account.document(), member(account.trail))
    assert report_of(audits, ACCOUNT).status is Status.PASS
    assert report_of(audits, OTHER_ACCOUNT).status is Status.UNKNOWN


def test_the_log_group_may_be_a_delegated_administrators() -> None:
    account = management(TrailARN=f"arn:aws:cloudtrail:{REGION}:{OTHER_ACCOUNT}:trail/main")
    audits = judged(account.document(), member(account.trail), member(account.trail, account_id=THIRD))
    assert [each.report.status for each in audits.accounts] == [Status.PASS] * 3


def test_events_that_either_trail_carries_are_covered() -> None:
    account = management()
    account.filters = [metric_filter(events=CLASSIC_EVENTS)]
    document = Account().document()
    document["account_id"] = OTHER_ACCOUNT
    document["trails"].append(account.trail)
    text = json.dumps(document).replace(ACCOUNT, OTHER_ACCOUNT).replace("trail/main", "trail/own", 1)
    own = json.loads(text)
    own["trails"][1] = account.trail
    audits = judged(account.document(), own)
    assert report_of(audits, ACCOUNT).status is Status.FAIL, "its filter leaves one event out"
    assert report_of(audits, OTHER_ACCOUNT).status is Status.PASS


def test_an_account_that_could_not_be_entered_is_unknown_with_the_reason_and_the_way_out() -> None:
    audits = judged(management().document(), unreached=(THIRD,))
    report = report_of(audits, THIRD)
    assert (report.status, audits.status) == (Status.UNKNOWN, Status.UNKNOWN)
    (finding,) = report.findings
    assert (finding.reason, finding.fix) == (f"Its role: AccessDenied {THIRD}.", "Deploy it.")


def test_a_failure_outweighs_what_is_unknown() -> None:
    audits = judged(member(), unreached=(THIRD,))
    assert audits.status is Status.FAIL
    assert headline_of(audits) == "Of 2 accounts, 1 would miss changes and 1 not known."


def test_trails_that_one_region_refused_to_list_make_an_account_without_a_trail_unknown() -> None:
    refused = error("cloudtrail:DescribeTrails", region="ap-southeast-2")
    assert report_of(judged(member(errors=(refused,))), OTHER_ACCOUNT).status is Status.UNKNOWN


@pytest.fixture(scope="module")
def three() -> AccountAudits:
    account = management()
    return judged(account.document(), member(), unreached=(THIRD,))


def test_json_is_as_published(three: AccountAudits) -> None:
    document = json.loads(json.dumps(three.to_json()))
    schema = json.loads((SCHEMAS / "audits.v1.json").read_text())
    Draft202012Validator(schema).validate(document)
    one = json.loads((SCHEMAS / "audit.v1.json").read_text())
    for each in document["accounts"]:
        Draft202012Validator(one).validate(each["report"])
    assert document["organization_id"] == ORGANIZATION


def test_csv_and_junit_have_every_account(three: AccountAudits) -> None:
    reports = [each.report for each in three.accounts]
    rows = list(csv.DictReader(io.StringIO("".join(audit_csv.rows(*reports)))))
    assert list(dict.fromkeys(row["account"] for row in rows)) == [ACCOUNT, OTHER_ACCOUNT, THIRD]
    suites = [each.get("name", "") for each in ET.fromstring(audit_junit.document_of(*reports)).iter("testsuite")]
    assert [name for name in suites if name.endswith("standards")] == [f"{each} standards" for each in NAMES]


def test_the_terminal_and_the_page_show_each_account_the_worst_first(three: AccountAudits) -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    show_accounts(console, three)
    shown = console.export_text()
    page = accounts_html.page(three)
    for text in (shown, page):
        places = [text.index(each) for each in (OTHER_ACCOUNT, THIRD, ACCOUNT)]
        assert places == sorted(places)
    assert "Deploy it." in shown
    assert "shop &lt;prod&gt; (444455556666)" in page
    assert "<prod>" not in page
