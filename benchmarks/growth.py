"""How time, calls and the state table grow with the size of what is swept, audited and read: at 1, 10 and 100 times.

The power is 1 where ten times as much takes ten times as long; the targets are n log n.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.alarm_path import large_account
from benchmarks.samples import write_log_files
from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, events_of
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.observability.logs import Log, Redactor
from chalicelib.reconciliation.reconcile import Reconciliation
from chalicelib.state.codec import StateItem
from sgwatch.reading import Wanted
from sgwatch.sources import read_files
from tests.support.quick_table import QuickTable

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROUNDS = 3
MOST_POWER = 1.2
RULES = 10  # of each group
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html: MaxResults
EC2_PAGE = 1_000
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
QUERY_PAGE = 2**20


class CountingTable(QuickTable):
    """The table, with the requests that DynamoDB would have been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.sweeps = 0

    def get(self, pk: str, sk: str) -> StateItem | None:
        """One request."""
        self.requests += 1
        return super().get(pk, sk)

    def put(self, item: Mapping[str, Any], condition: str = "", **values: Any) -> bool:
        """One request."""
        self.requests += 1
        return super().put(item, condition, **values)

    def query(self, pk: str) -> Iterator[StateItem]:
        """One request for each megabyte."""
        items = list(super().query(pk))
        self.requests += 1 + sum(map(_size, items)) // QUERY_PAGE
        yield from items

    def megabytes(self) -> float:
        """What all items come to."""
        return sum(_size(item) for items in self._items.values() for item in items.values()) / 1e6


@dataclass
class GrownRegion:
    """One region's EC2 with so many groups, and a state table; both count what they are asked."""

    groups: int
    calls: int = 0
    table: CountingTable = field(default_factory=CountingTable)

    def get_paginator(self, operation: str) -> Pages:
        """As boto3's."""
        return Pages(self, operation)

    def sweep(self) -> None:
        """One reconciliation."""
        Reconciliation(
            account_id=ACCOUNT,
            snapshots=Snapshots(self.table),
            table=self.table,
            client=lambda _service, _region: self,
            watch=DEFAULT_WATCH,
            alert_of=alert_of,
            seen=lambda _: True,
            send=lambda _: None,
            log=Log(Redactor(), write=lambda _: None),
            now=lambda: datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(hours=self.table.sweeps),
            sleep=lambda _: None,
        ).sweep(REGION)
        self.table.sweeps += 1


def _size(item: StateItem) -> int:
    # Names and texts count by their bytes, a number at most 21:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    return sum(len(name) + (len(value) if isinstance(value, str | bytes) else 21) for name, value in item.items())


@dataclass(frozen=True)
class Pages:
    """What a paginator gives."""

    region: GrownRegion
    operation: str

    def paginate(self) -> Iterator[dict[str, Any]]:
        """The pages, each a call."""
        of_groups = self.operation == "describe_security_groups"
        count = self.region.groups * (1 if of_groups else RULES)
        for first in range(0, count, EC2_PAGE):
            self.region.calls += 1
            numbers = range(first, min(first + EC2_PAGE, count))
            if of_groups:
                yield {"SecurityGroups": [_group(number) for number in numbers]}
            else:
                yield {"SecurityGroupRules": [_rule(number) for number in numbers]}


def _group(number: int) -> dict[str, Any]:
    return {"GroupId": f"sg-{number:017x}", "GroupName": f"group-{number}", "VpcId": "vpc-0a1b2c3d", "OwnerId": ACCOUNT}


def _rule(number: int) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": f"sgr-{number:017x}",
        "GroupId": f"sg-{number // RULES:017x}",
        "GroupOwnerId": ACCOUNT,
        "IsEgress": number % RULES == 0,
        "IpProtocol": "tcp",
        "FromPort": 1_000 + number % RULES,
        "ToPort": 1_000 + number % RULES,
        "CidrIpv4": f"10.{number % 200}.{number // 200 % 200}.0/24",
    }


def reconciliation(groups: int) -> tuple[float, str]:
    """Seconds of CPU for a sweep that finds everything as it was, and its calls."""
    region = GrownRegion(groups)
    region.sweep()  # the first records how things are
    megabytes = region.table.megabytes()
    region.calls = region.table.requests = 0
    taken = _seconds(region.sweep)
    calls = (
        f"{region.calls // ROUNDS:,} calls to EC2, {region.table.requests // ROUNDS:,} to DynamoDB, "
        f"{megabytes:.1f} MB of table"
    )
    return taken, calls


def audited(alarms: int) -> tuple[float, str]:
    """Seconds of CPU to judge an account with so many alarms, and two filters to five of them."""
    document = large_account(alarms, alarms * 2 // 5)
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    return _seconds(lambda: audit(read_snapshot(document), coverage_of, checked_at=now)), ""


def replayed(files: int) -> tuple[float, str]:
    """Seconds of CPU to find the watched records of so many files of 3,000, in one process."""
    wanted = Wanted.of(events_of(DEFAULT_WATCH))
    with tempfile.TemporaryDirectory() as folder:
        write_log_files(Path(folder), files, records=3_000)
        paths = sorted(str(path) for path in Path(folder).iterdir())
        return _seconds(lambda: sum(contents.count for contents in read_files(paths, wanted, processes=1))), ""


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


CURVES: tuple[tuple[str, Callable[[int], tuple[float, str]], Sequence[int]], ...] = (
    ("reconciliation of {:,} groups of 10 rules", reconciliation, (100, 1_000, 10_000)),
    ("audit of {:,} alarms", audited, (50, 500, 5_000)),
    ("replay of {:,} files of 3,000 records", replayed, (1, 10, 100)),
)


def main() -> int:
    """Print each curve with its power; 1 where one grows faster than it may."""
    met = True
    for name, measure, sizes in CURVES:
        figures = {}
        for size in sizes:
            figures[size], more = measure(size)
            print(f"{name.format(size)}: {1000 * figures[size]:,.0f} ms CPU{more and f', {more}'}")
        powers = [math.log(figures[b] / figures[a], b / a) for a, b in pairwise(sizes)]
        is_met = powers[-1] <= MOST_POWER
        met = met and is_met
        print(
            f"  grows with the power {' and '.join(f'{power:.2f}' for power in powers)} "
            f"(the last at most {MOST_POWER}: {'met' if is_met else 'MISSED'})"
        )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
