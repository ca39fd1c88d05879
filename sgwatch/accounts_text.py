"""The audits of several accounts for the terminal: a line for each account, then what is wrong in each."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.alarm_path.verdicts import Status
from chalicelib.text import number_of
from sgwatch.account_audits import AccountAudit, AccountAudits
from sgwatch.audit_findings import placed_findings
from sgwatch.audit_text import MARKS, STYLES, printable, show_finding

_ORDER = (Status.FAIL, Status.UNKNOWN, Status.PASS)
# Findings of one account; the other formats have them all.
MOST_SHOWN = 5


def headline_of(audits: AccountAudits) -> str:
    """The answer about all of them, in a sentence."""
    counts = {status: sum(each.report.status is status for each in audits.accounts) for status in Status}
    total = number_of(len(audits.accounts), "account")
    if counts[Status.PASS] == len(audits.accounts):
        return f"In {total} every security group change would raise an alarm and reach somebody."
    parts = [f"{counts[Status.FAIL]} would miss changes" if counts[Status.FAIL] else ""]
    parts.append(f"{counts[Status.UNKNOWN]} not known" if counts[Status.UNKNOWN] else "")
    return f"Of {total}, {' and '.join(filter(None, parts))}."


def worst_accounts_first(audits: AccountAudits) -> list[AccountAudit]:
    """The accounts in the order of what there is to do."""
    return sorted(audits.accounts, key=lambda each: _ORDER.index(each.report.status))


def show_accounts(console: Console, audits: AccountAudits) -> None:
    """Print the audits for people."""
    status = audits.status
    console.print(Text(f"{MARKS[status]} {headline_of(audits)}", style=f"bold {STYLES[status]}"))
    of = f"Organization {printable(audits.organization_id)}, as" if audits.organization_id else "As"
    console.print(Text(f"{of} of {audits.checked_at:%F %T} UTC\n", style="dim"))
    accounts = worst_accounts_first(audits)
    console.print(_table(accounts))
    for each in accounts:
        if each.report.status is not Status.PASS:
            _show_account(console, each)


def _table(accounts: list[AccountAudit]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Account", "Name", "Answer", "CIS 1 to 4", "CIS 5", "Security Hub"):
        table.add_column(heading)
    for name, report in accounts:
        answers = (report.status, *report.standards.values())
        marks = [Text(f"{MARKS[answer]} {answer.value}", style=STYLES[answer]) for answer in answers]
        table.add_row(report.account_id, printable(name), *marks)
    return table


def _show_account(console: Console, account: AccountAudit) -> None:
    console.print()
    console.print(Text(printable(account.title), style="bold"))
    bad = [each.finding for each in placed_findings(account.report) if each.finding.status is not Status.PASS]
    for finding in bad[:MOST_SHOWN]:
        show_finding(console, account.report, finding)
    if len(bad) > MOST_SHOWN:
        more = number_of(len(bad) - MOST_SHOWN, "further finding")
        console.print(Text(f"   {more}: sgwatch audit with this account's credentials, or --format html.", style="dim"))
