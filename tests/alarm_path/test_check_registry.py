"""Every check of the audit has one row, and the drawn chain, the page and the findings follow from it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from chalicelib.alarm_path.check_registry import BY_ID, CHECKS, PATH_LINKS, Check, PathLink
from chalicelib.alarm_path.report import PathReport
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status
from sgwatch.audit_html import page
from sgwatch.audit_text import HEADLINES, MARKS, headline, links_of, show
from sgwatch.docs import DOCS, with_tables
from tests.support.alarm_paths import Account
from tests.support.rows import every

ON_PATHS = [check for check in CHECKS if check.link in PATH_LINKS]


def _path(check: Check, status: Status) -> PathReport:
    """A path on which every check passes but this one."""
    findings = [Finding(other.id, status if other is check else Status.PASS, "x", "A reason.") for other in ON_PATHS]
    return PathReport("t", "g", "f", "a", "arn:aws:sns:us-east-1:123456789012:t", status, tuple(findings))


@every("check", ON_PATHS, ids=lambda check: check.id)
def test_a_failing_check_is_drawn_at_its_link(check: Check) -> None:
    answers = {link: status for link, _, status in links_of(_path(check, Status.FAIL))}
    assert [link for link, status in answers.items() if status is Status.FAIL] == [check.link]


def test_an_id_stands_for_one_check() -> None:
    assert len(BY_ID) == len(CHECKS)


def test_a_finding_of_no_registered_check_cannot_be_made() -> None:
    with pytest.raises(KeyError, match="alarm-sings is no check of the audit: it needs a row"):
        Finding("alarm-sings", Status.FAIL, "x", "It sings.")


@every("check", CHECKS, ids=lambda check: check.id)
def test_a_check_says_when_it_is_not_a_pass_and_whose_answer_it_decides(check: Check) -> None:
    assert check.fails or check.unknown
    assert check.standards == (() if check.link is PathLink.OWN else tuple(Standard))


def test_the_page_has_the_row_of_every_check() -> None:
    text = (DOCS / "alarm-path.md").read_text(encoding="utf-8")
    assert with_tables(text) == text, "run make docs"
    assert [check.id for check in CHECKS if f"| `{check.id}` |" not in text] == []


def test_a_broken_account_is_drawn_broken_in_text_and_page() -> None:
    account = Account()
    account.alarms[0]["ActionsEnabled"] = False
    report = account.report()
    written = StringIO()
    show(Console(file=written, width=200), report)
    assert f"{MARKS[Status.FAIL]} action" in written.getvalue()
    assert f'<span class="mark">{MARKS[Status.FAIL]}</span> <b>action</b>' in page(report, account.document())


def test_an_alarm_that_is_in_alarm_now_is_the_headline() -> None:
    account = Account()
    account.alarms[0]["StateValue"] = "ALARM"
    report = account.report()
    assert report.status is Status.PASS
    assert headline(report)[0] is Status.UNKNOWN
    assert headline(report)[1].startswith("A further security group change sends nothing before sg-changes leaves")
    account.alarms[0]["StateValue"] = "OK"
    assert headline(account.report()) == (Status.PASS, HEADLINES[Status.PASS])
