"""What a fleet of 1, 10, 1,000 and 10,000 accounts costs and where it meets AWS's quotas, computed.

``python -m benchmarks.fleet_model`` prints the tables of docs/fleet.md. Prices and quotas are AWS's for us-east-1 with
their pages beside them; how busy an account is and how long an alert runs are assumptions, named as such.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

FLEETS = (1, 10, 1_000, 10_000)

# Assumptions.
REGIONS = 17  # enabled in every account without opting in
CHANGES_PER_ACCOUNT_DAY = 20.0  # of watched calls, all regions together
PEAK_FACTOR = 50.0  # a deployment hour against the mean
ALERT_SECONDS = 0.5
ALERT_GB = 0.25
GROUPS_PER_ACCOUNT = 150.0  # that changed since the stage was made
SNAPSHOT_KB = 4.0
KEPT_KB_PER_CHANGE = 3.0  # ledger and archive, which expire after ARCHIVE_DAYS
ARCHIVE_DAYS = 90.0
WRITES_PER_CHANGE = 12.0  # snapshot, ledger, turn, archive: write units of 1 KB
REQUESTS_PER_CHANGE = 6.0  # SQS: send, receive, delete, and their empty polls

# Prices in dollars.
# https://aws.amazon.com/eventbridge/pricing/: events of AWS services are free, those sent to another bus are custom.
CUSTOM_EVENT = 1.00 / 1e6
# https://aws.amazon.com/lambda/pricing/
INVOCATION, GB_SECOND = 0.20 / 1e6, 0.0000166667
# https://aws.amazon.com/dynamodb/pricing/on-demand/
WRITE_UNIT, TABLE_GB_MONTH = 0.625 / 1e6, 0.25
# https://aws.amazon.com/sqs/pricing/, FIFO
SQS_REQUEST = 0.50 / 1e6
# https://aws.amazon.com/cloudwatch/pricing/
ALARM_MONTH = 0.10
ALARMS_PER_OWN_FORWARDER = 5  # sgwatch fleet deploy
ALARMS_PER_MEMBER_FORWARDER = 1  # sgwatch fleet template: RuleAlarms=false
ALARMS_OF_STAGE = 5

# Quotas, as AWS's pages had them in November 2026.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html, the bus with rules and targets ("Classic").
# us-east-2 and eu-central-1 have 4,500, us-west-1, eu-west-2, ap-northeast-1, ap-southeast-1 and -2 2,250.
INVOCATIONS_PER_SECOND = {
    "us-east-1, us-west-2, eu-west-1": 18_750,
    "regions without a value of their own": 1_100,
    "af-south-1, ap-northeast-3, ap-southeast-3, eu-south-1": 750,
}
BUS_POLICY_CHARACTERS = 10_240  # the same page
# "arn:aws:iam::111122223333:root", its quotes and comma; and the statement around the list.
CHARACTERS_PER_ACCOUNT, CHARACTERS_OF_STATEMENT = 34, 420
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CONCURRENCY = 1_000
ENVIRONMENT_BYTES = 4_096  # the same page
# An id of FLEET_ACCOUNTS and its comma; and what the other settings take.
BYTES_PER_ACCOUNT, BYTES_OF_OTHERS = 13, 1_000
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
# Of them 10,000 in a region are worked on at once.
STACK_INSTANCES = 100_000
RECONCILE_SECONDS = 840.0  # of Lambda's 900, what is kept back at the end left out
PLACE_SECONDS = 0.5  # an assumption: three calls and what is in the table, where nothing differs


@dataclass(frozen=True, slots=True)
class FleetCost:
    """What a fleet of ``accounts`` comes to; dollars are a month's."""

    accounts: int

    @property
    def forwarders(self) -> int:
        """Every region of every account but the stage's own."""
        return self.accounts * REGIONS - 1

    @property
    def changes_per_month(self) -> float:
        """Watched calls."""
        return self.accounts * CHANGES_PER_ACCOUNT_DAY * 30

    @property
    def peak_events_per_second(self) -> float:
        """In a busy hour."""
        return self.accounts * CHANGES_PER_ACCOUNT_DAY / 86_400 * PEAK_FACTOR

    @property
    def peak_executions(self) -> float:
        """Of the alert function at once, in a busy hour."""
        return self.peak_events_per_second * ALERT_SECONDS

    @property
    def table_gb(self) -> float:
        """The state table: snapshots, and what is kept of changes until it expires."""
        kept = self.changes_per_month / 30 * ARCHIVE_DAYS * KEPT_KB_PER_CHANGE
        return (self.accounts * GROUPS_PER_ACCOUNT * SNAPSHOT_KB + kept) / 1e6

    @property
    def idle_dollars(self) -> float:
        """Without a single change: alarms and the table."""
        own = (REGIONS - 1) * ALARMS_PER_OWN_FORWARDER
        alarms = own + (self.forwarders - REGIONS + 1) * ALARMS_PER_MEMBER_FORWARDER + ALARMS_OF_STAGE
        return alarms * ALARM_MONTH + self.table_gb * TABLE_GB_MONTH

    @property
    def change_dollars(self) -> float:
        """The month's changes."""
        return self.changes_per_month / 1e6 * dollars_per_million_changes()


def dollars_per_million_changes() -> float:
    """Forwarding, two functions, the queue and the table; look-ups and destinations are free or another's bill."""
    functions = 2 * (INVOCATION + ALERT_SECONDS * ALERT_GB * GB_SECOND)
    return 1e6 * (CUSTOM_EVENT + functions + REQUESTS_PER_CHANGE * SQS_REQUEST + WRITES_PER_CHANGE * WRITE_UNIT)


def table() -> str:
    """The fleets in a Markdown table."""
    headings = ("accounts", "forwarders", "changes a month", "peak events/s", "executions at once", "table")
    lines = [f"| {' | '.join((*headings, 'idle $/month', 'changes $/month'))} |", "|---" * 8 + "|"]
    for accounts in FLEETS:
        cost = FleetCost(accounts)
        cells = (
            f"{accounts:,}",
            f"{cost.forwarders:,}",
            f"{cost.changes_per_month:,.0f}",
            f"{cost.peak_events_per_second:,.2f}",
            f"{cost.peak_executions:,.1f}",
            f"{cost.table_gb:,.3f} GB",
            f"{cost.idle_dollars:,.2f}",
            f"{cost.change_dollars:,.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def limits() -> str:
    """How many accounts fit into each quota, at the assumed peak where it is one of rate."""
    per_account = FleetCost(1).peak_events_per_second
    rows = [
        *(
            (f"EventBridge invocations a second, {where}", quota, quota / per_account)
            for where, quota in _invocations()
        ),
        ("Lambda concurrency", CONCURRENCY, CONCURRENCY / (per_account * ALERT_SECONDS)),
        ("characters of the bus's policy, accounts listed by id", BUS_POLICY_CHARACTERS, _listed_in_policy()),
        ("stack instances of a StackSet", STACK_INSTANCES, STACK_INSTANCES / REGIONS),
        ("bytes of a function's environment, for `FLEET_ACCOUNTS`", ENVIRONMENT_BYTES, _listed_in_setting()),
        ("seconds of a reconciliation, each region every hour", int(RECONCILE_SECONDS), _reconciled()),
    ]
    lines = ["| quota | default | accounts |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {quota:,} | {accounts:,.0f} |" for name, quota, accounts in rows)])


def _invocations() -> Iterable[tuple[str, int]]:
    return INVOCATIONS_PER_SECOND.items()


def _listed_in_policy() -> float:
    return (BUS_POLICY_CHARACTERS - CHARACTERS_OF_STATEMENT) / CHARACTERS_PER_ACCOUNT


def _listed_in_setting() -> float:
    return (ENVIRONMENT_BYTES - BYTES_OF_OTHERS) / BYTES_PER_ACCOUNT


def _reconciled() -> float:
    return RECONCILE_SECONDS / PLACE_SECONDS / REGIONS


def summary() -> str:
    """What docs/fleet.md shows."""
    per_million = f"A million changes cost {dollars_per_million_changes():.2f} dollars."
    return f"{table()}\n\n{per_million}\n\n{limits()}\n"


def main() -> None:
    """Print the tables."""
    sys.stdout.write(summary())


if __name__ == "__main__":
    main()
