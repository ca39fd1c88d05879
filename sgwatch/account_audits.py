"""The audits of several accounts at once, each with its own credentials, and what they come to together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.alarm_path.report import EventAnswer, Report
from chalicelib.alarm_path.snapshot.collect import collect
from chalicelib.alarm_path.snapshot.collect_forwarders import opted_in
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import EVENTS, Standard
from chalicelib.alarm_path.verdicts import Finding, Status, all_of
from chalicelib.alert.model import format_time
from chalicelib.aws.account_clients import NotAssumed
from chalicelib.aws.clients import ClientFactory
from sgwatch.aws_refusals import sentence
from sgwatch.organization_trails import judge_account, judge_organization_trails

# How many accounts are asked at once. The SDK's own work is one processor's, whatever the number.
AT_ONCE = 16
# An account's clients.
Entering = Callable[[str], ClientFactory]


class AccountAudit(NamedTuple):
    """One account's name, empty where it is not known, and report."""

    name: str
    report: Report

    @property
    def title(self) -> str:
        """Its name and id."""
        return f"{self.name} ({self.report.account_id})" if self.name else self.report.account_id


@dataclass(frozen=True, slots=True)
class AccountAudits:
    """The audits of several accounts, in the order in which they were named."""

    checked_at: datetime
    accounts: tuple[AccountAudit, ...]
    organization_id: str | None = None

    @property
    def status(self) -> Status:
        """Fail where any account's is, else unknown where any account's is."""
        return all_of(each.report.status for each in self.accounts)

    def to_json(self) -> dict[str, Any]:
        """The audits as the published schema has them (schemas/audits.v1.json)."""
        return {
            "version": "1",
            "status": self.status.value,
            "checked_at": format_time(self.checked_at),
            "organization_id": self.organization_id,
            "accounts": [{"name": each.name, "report": each.report.to_json()} for each in self.accounts],
        }


@dataclass(frozen=True, slots=True)
class AccountsToAudit:
    """Which accounts, by id with their names, and how: ``regions`` are where trails are looked for, all where empty."""

    names: Mapping[str, str]
    home_region: str
    regions: Sequence[str] = ()
    standard: Standard = Standard.CIS_5
    profile: str | None = None
    organization_id: str | None = None


@dataclass(frozen=True, slots=True)
class CollectedAccount:
    """An account's snapshot; without one, why there is none and what gives one."""

    account_id: str
    snapshot: Snapshot | None
    reason: str = ""
    way_out: str = ""


def audit_accounts(
    wanted: AccountsToAudit, enter: Entering, now: datetime, advance: Callable[[], None] = lambda: None
) -> AccountAudits:
    """Collect every account, several at once, and judge each; ``advance`` is called as each is done."""

    def one(account_id: str) -> CollectedAccount:
        found = _collected(wanted, account_id, enter, now)
        advance()
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return judge_accounts(wanted, list(pool.map(one, wanted.names)), now)


def judge_accounts(wanted: AccountsToAudit, found: Sequence[CollectedAccount], now: datetime) -> AccountAudits:
    """The reports on what was collected; an organization's trail counts for every account that it covers.

    What could not be collected is unknown, the whole of an account that could not be entered too.
    """
    trails = judge_organization_trails((each.snapshot for each in found if each.snapshot), wanted.standard, now)

    def judged(each: CollectedAccount) -> AccountAudit:
        name = wanted.names.get(each.account_id, "")
        if each.snapshot is None:
            return AccountAudit(name, _unknown(each, now))
        return AccountAudit(name, judge_account(each.snapshot, trails, wanted.standard, now, wanted.profile))

    return AccountAudits(now, tuple(map(judged, found)), wanted.organization_id)


def _unknown(account: CollectedAccount, now: datetime) -> Report:
    """The report on an account of which nothing is known."""
    why = Finding("trail-exists", Status.UNKNOWN, account.account_id, account.reason, account.way_out)
    return Report(
        status=Status.UNKNOWN,
        checked_at=now,
        account_id=account.account_id,
        standards={item.value: Status.UNKNOWN for item in Standard},
        coverage={event: EventAnswer(Status.UNKNOWN, None) for event in EVENTS},
        paths=(),
        findings=(why,),
        notes=(),
    )


def _collected(wanted: AccountsToAudit, account_id: str, enter: Entering, now: datetime) -> CollectedAccount:
    try:
        clients = enter(account_id)
        errors: list[dict[str, Any]] = []
        regions = wanted.regions or opted_in(clients, wanted.home_region, errors) or ()
        document = collect(clients, home_region=wanted.home_region, now=now, regions=regions)
        document["errors"] += errors
        return CollectedAccount(account_id, read_snapshot(document))
    except NotAssumed as error:
        reason = f"The role in account {account_id} could not be assumed: {error}."
        there = f"Deploy infra/member-read.yaml in account {account_id} (docs/fleet.md)"
        way_out = f"{there}, or name its role with --role and --external-id."
        return CollectedAccount(account_id, None, reason, way_out)
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        reason = f"AWS did not answer for account {account_id}: {sentence(error)}."
        return CollectedAccount(account_id, None, reason, "Run the command again.")
