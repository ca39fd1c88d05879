"""The audits of several accounts as one page that needs nothing else: a table of them, then each account's report."""

from __future__ import annotations

from collections import Counter

from chalicelib.alarm_path.verdicts import Status
from chalicelib.text import number_of
from sgwatch.account_audits import AccountAudit, AccountAudits
from sgwatch.accounts_text import headline_of, worst_accounts_first
from sgwatch.audit_html import badge, escaped, labelled, sections, table, whole
from sgwatch.audit_text import MARKS
from sgwatch.version import VERSION

_ANSWERS = ("Answer", "CIS 1 to 4", "CIS 5", "Security Hub")


def page(audits: AccountAudits) -> str:
    """The page."""
    stamp = f"{audits.checked_at:%Y-%m-%d %H:%M:%S} UTC"
    of = f"organization {escaped(audits.organization_id)}" if audits.organization_id else "several accounts"
    status, accounts = audits.status, worst_accounts_first(audits)
    body = [
        f'<header><p class="soft">Alarm paths of {of}, as of {stamp}, by sgwatch {escaped(VERSION)}</p>',
        f'<h1 class="{status.value}">{MARKS[status]} {escaped(headline_of(audits))}</h1>{_counts(accounts)}</header>',
        "<main>",
        "<h2>Accounts</h2>",
        table("accounts stacked", ("Account", *_ANSWERS), map(_row, accounts)),
        *(_account(each) for each in accounts),
        "</main>",
    ]
    return whole(f"Alarm paths of {of}, {stamp}", body)


def _counts(accounts: list[AccountAudit]) -> str:
    counted = Counter(each.report.status for each in accounts)
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    rows = (f"<li>{badge(status)} {number_of(counted[status], 'account')}</li>" for status in order)
    return f'<ul class="counts">{"".join(rows)}</ul>'


def _row(account: AccountAudit) -> str:
    report = account.report
    answers = zip(_ANSWERS, (report.status, *report.standards.values()), strict=True)
    cells = "".join(f"<td>{labelled(what, badge(answer))}</td>" for what, answer in answers)
    link = f'<a href="#{_anchor(account)}">{escaped(account.title)}</a>'
    return f'<tr><th scope="row">{link}</th>{cells}</tr>'


def _account(account: AccountAudit) -> str:
    """Its report, folded where there is nothing to do."""
    report = account.report
    opened = "" if report.status is Status.PASS else " open"
    summary = f"<summary><h2>{badge(report.status)} {escaped(account.title)}</h2></summary>"
    inside = "".join(filter(None, sections(report, level=3)))
    return f'<details class="account" id="{_anchor(account)}"{opened}>{summary}{inside}</details>'


def _anchor(account: AccountAudit) -> str:
    return f"account-{escaped(account.report.account_id)}"
