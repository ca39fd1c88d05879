"""CPU time of an alert in a process that is already warm: the core alone, and the whole alert function."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from time import process_time
from typing import Any

from chalicelib.alert.build import alert_of
from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert, to_json
from chalicelib.delivery.direct import Direct
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.destinations.contract import Receipt
from chalicelib.destinations.slack import payload
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics

ROUNDS = 7


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


def halves(rules: int) -> dict[str, Any]:
    """The costliest change: halves of the internet on ports that all overlap."""
    made = record(rules)
    made["responseElements"] = {"_return": True}
    for number, permission in enumerate(made["requestParameters"]["ipPermissions"]["items"]):
        permission["fromPort"] = number
        permission["toPort"] = 60_000 - number
        permission["ipRanges"] = {"items": [{"cidrIp": ("0.0.0.0/1", "128.0.0.0/1")[number % 2]}]}
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
    numbers, text = count(), json.dumps({"detail": made})
    invocation = InvocationContext("request", lambda: 30_000.0)

    def handle() -> None:
        event = json.loads(text)
        event["detail"]["eventID"] = f"event-{next(numbers)}"  # one that was delivered before would not be sent again
        function.handle(event, invocation)
        lines.clear()

    return milliseconds(handle, repeat)


def main() -> None:
    """Print the numbers beside their targets."""
    one, thousand = measure(record(1), 300), measure(record(1000), 2)
    print(f"1 rule: {one:.3f} ms CPU")
    print(f"1 rule through the whole function: {measure_function(record(1), 300):.3f} ms CPU (target 0.5)")
    print(f"100 rules: {measure(record(100), 10):.2f} ms CPU")
    print(f"1,000 rules: {thousand:.1f} ms CPU (target 50), {thousand / one:.0f} times one rule")
    print(f"1,000 overlapping halves of the internet: {measure(halves(1000), 1):.1f} ms CPU")


if __name__ == "__main__":
    main()
