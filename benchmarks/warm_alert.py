"""CPU time of an alert in a process that is already warm: the core alone, and the whole alert function."""

from __future__ import annotations

import gc
import heapq
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from itertools import count, pairwise
from time import process_time
from typing import Any, NamedTuple

from chalicelib.alert.build import alert_of
from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert, to_json
from chalicelib.delivery.direct import Direct
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.destinations.contract import Receipt
from chalicelib.destinations.slack_message import payload
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics

ROUNDS = 7
# Milliseconds that a change of so many rules may take; the smallest is there to see how the others grow.
MOST_BY_RULES: dict[int, float | None] = {100: None, 1_000: 60, 10_000: 1_000}
# As app.py sets it.
gc.set_threshold(50_000)


def record(rules: int) -> dict[str, Any]:
    """An authorize of this many rules with AWS's answer, every one of them another port and range."""
    cidrs = [f"203.0.{number // 256}.{number % 256}/32" for number in range(rules)]
    asked = [
        {"ipProtocol": "tcp", "fromPort": 1000 + number, "toPort": 1000 + number, "groups": {},
         "ipRanges": {"items": [{"cidrIp": cidr, "description": "a host"}]}, "ipv6Ranges": {}, "prefixListIds": {}}
        for number, cidr in enumerate(cidrs)
    ]  # fmt: skip
    stored = [
        {"groupId": "sg-0a1b2c3d4e5f60718", "securityGroupRuleId": f"sgr-{number:017x}", "isEgress": False,
         "ipProtocol": "tcp", "fromPort": 1000 + number, "toPort": 1000 + number, "cidrIpv4": cidr}
        for number, cidr in enumerate(cidrs)
    ]  # fmt: skip
    return {
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": "123456789012"},
        "eventTime": "2026-11-23T10:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "AuthorizeSecurityGroupIngress",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.9",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": {"groupId": "sg-0a1b2c3d4e5f60718", "ipPermissions": {"items": asked}},
        "responseElements": {"_return": True, "securityGroupRuleSet": {"items": stored}},
        "eventID": "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10",
        "recipientAccountId": "123456789012",
    }


def pieces_of_the_internet(many: int, everything: str) -> list[str]:
    """The whole address space in so many ranges, no two of which overlap."""
    heap = [(0, 0, ip_network(everything))]
    while len(heap) < many:
        for half in heapq.heappop(heap)[2].subnets(1):
            heapq.heappush(heap, (half.prefixlen, int(half[0]), half))
    return [str(network) for *_, network in heap]


def _opened(protocol: str, first: int | None, last: int | None, cidr: str) -> dict[str, Any]:
    key, field = ("ipv6Ranges", "cidrIpv6") if ":" in cidr else ("ipRanges", "cidrIp")
    return {"ipProtocol": protocol, "fromPort": first, "toPort": last, key: {"items": [{field: cidr}]}}


def costly(rules: int) -> dict[str, dict[str, Any]]:
    """Changes that are costly to judge: what they open together has to be worked out from all of their rules."""
    pieces, pieces6 = (pieces_of_the_internet(rules, everything) for everything in ("0.0.0.0/0", "::/0"))
    nested = [(number % 30_000, 60_000 - number % 30_000) for number in range(rules)]
    shapes = {
        "nested ports, pieces of IPv4": [_opened("tcp", *nested[i], cidr) for i, cidr in enumerate(pieces)],
        "nested ports, pieces of IPv6": [_opened("tcp", *nested[i], cidr) for i, cidr in enumerate(pieces6)],
        "nested ports, nested ranges": [_opened("tcp", *nested[i], f"0.0.0.0/{i % 33}") for i in range(rules)],
        "ICMP types": [_opened("icmp", i % 256, i // 256 % 256, cidr) for i, cidr in enumerate(pieces)],
        "protocols beside all traffic": [
            _opened("-1" if i % 2 else str(i % 250), None, None, cidr) for i, cidr in enumerate(pieces)
        ],
    }
    made = {}
    for name, permissions in shapes.items():
        made[name] = record(1)
        made[name]["responseElements"] = {"_return": True}
        made[name]["requestParameters"]["ipPermissions"] = {"items": permissions}
    return made


def milliseconds(work: Callable[[], object], repeat: int) -> float:
    """CPU milliseconds of one call: the best of several rounds, so that neighbors on the machine count little."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = process_time()
        for _ in range(repeat):
            work()
        best = min(best, process_time() - begun)
    return best / repeat * 1000


def measure(made: dict[str, Any], repeat: int) -> float:
    """Milliseconds for one record, read from JSON as Lambda would."""
    text = json.dumps(made)
    return milliseconds(lambda: to_json(alert_of(json.loads(text))), repeat)


@dataclass(frozen=True, slots=True)
class NoNetwork:
    """Slack up to the point where the request would leave."""

    name: str = "slack"

    def send(self, alert: Alert) -> Receipt:
        """Encode the payload, and that is all."""
        json.dumps(payload(alert))
        return Receipt()


def _delivered(made: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html."""
    return {
        "version": "0",
        "id": "",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": made["recipientAccountId"],
        "time": made["eventTime"],
        "region": made["awsRegion"],
        "resources": [],
        "detail": made,
    }


def measure_function(made: dict[str, Any], repeat: int) -> float:
    """Milliseconds for one event through the alert function: alert, payload, delivery, log lines and metrics."""
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)

    function = AlertFunction(
        routes=(Route(NoNetwork(), Filter()),),
        ignore_when=None,
        faults=(),
        direct=Direct(),
        log=Log(Redactor(), write=write),
        metrics=Metrics("alert_on_change", write=write),
        now=lambda: datetime.now(UTC),
    )
    numbers, text = count(), json.dumps(_delivered(made))
    invocation = InvocationContext("request", lambda: 30_000.0)

    def handle() -> None:
        event = json.loads(text)
        # One that was delivered before would not be sent again.
        event["id"] = event["detail"]["eventID"] = f"event-{next(numbers)}"
        function.handle(event, invocation)
        lines.clear()

    return milliseconds(handle, repeat)


class Target(NamedTuple):
    """A figure with the most that it may be, in milliseconds of CPU."""

    what: str
    measured: float
    most: float

    @property
    def is_met(self) -> bool:
        """Whether it is at most that."""
        return self.measured <= self.most

    def __str__(self) -> str:
        return f"{self.what}: {self.measured:,.2f} ms CPU (at most {self.most:g}: {'met' if self.is_met else 'MISSED'})"


def growth(figures: dict[int, float]) -> str:
    """The power of the size by which figures grow, 1 where ten times the rules take ten times as long."""
    steps = pairwise(sorted(figures.items()))
    return ", ".join(
        f"{math.log(after / before, larger / smaller):.2f} from {smaller:,} to {larger:,}"
        for (smaller, before), (larger, after) in steps
    )


def targets() -> Iterator[Target]:
    """Each figure as it is measured, and how those of each shape grow."""
    yield Target("1 rule through the whole function", measure_function(record(1), 300), 0.45)
    yield Target("1,000 rules", measure(record(1000), 2), 60)
    figures: dict[str, dict[int, float]] = {}
    for rules, most in MOST_BY_RULES.items():
        for name, made in costly(rules).items():
            taken = measure(made, 1 if rules > 100 else 10)
            figures.setdefault(name, {})[rules] = taken
            if most is not None:
                yield Target(f"{rules:,} rules, {name}", taken, most)
    for name, grown in figures.items():
        print(f"growth with the rules, {name}: {growth(grown)}")


def main() -> int:
    """Print the figures beside their targets; 1 where one is missed."""
    print(f"1 rule: {measure(record(1), 300):.3f} ms CPU")
    print(f"100 rules: {measure(record(100), 10):.2f} ms CPU")
    missed = 0
    for target in targets():
        print(target, flush=True)
        missed += not target.is_met
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
