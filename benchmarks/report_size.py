"""The report of 50,000 changes: its size, and how soon headless Chromium has opened and filtered it."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.alert.build import alert_of
from sgwatch.replay_report.evidence import Evidence
from sgwatch.replay_report.page import page
from tests.support.browser import CHROMIUM, Browser, chromium

CHANGES, MOST_BYTES, MOST_SECONDS, ROUNDS = 50_000, 8_000_000, 1.5, 5
_START = datetime(2026, 1, 1, tzinfo=UTC)


def record(number: int, chance: random.Random) -> dict[str, Any]:
    """A change by one of forty people to one of nine hundred groups; nothing in it repeats but what would."""
    group, cidr = f"sg-{number % 900:017x}", f"{chance.randrange(1, 200)}.{chance.randrange(255)}.0.0/16"
    port = chance.choice([22, 443, 5432, 8080])
    session = f"assumed-role/AWSReservedSSO_Admin_0123456789abcdef/user{number % 40}@example.com"
    return {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::123456789012:{session}",
            "accountId": "123456789012",
            "accessKeyId": f"ASIA{chance.getrandbits(64):016X}",
        },
        "eventTime": f"{_START + timedelta(minutes=10 * number):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "ec2.amazonaws.com",
        "eventName": chance.choice(["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]),
        "awsRegion": "eu-west-1",
        "sourceIPAddress": f"203.0.113.{number % 250}",
        "userAgent": "aws-cli/2.17.0",
        "requestParameters": {
            "groupId": group,
            "ipPermissions": {
                "items": [
                    {"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": {"items": [{"cidrIp": cidr}]}}
                ]
            },
        },
        "responseElements": {"_return": True},
        "requestID": str(uuid.UUID(int=chance.getrandbits(128))),
        "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
        "recipientAccountId": "123456789012",
    }


def opened_and_filtered(browser: Browser, path: Path) -> float:
    """Seconds from the navigation until a filter has been applied and its rows stand in the page."""
    begun = time.perf_counter()
    browser.open(f"file://{path}")
    if browser.wait_for("document.body?.dataset.ready === 'true'", 60) is None:
        raise RuntimeError("the page did not get ready")
    browser.evaluate(
        "document.forms[0].elements.severity.value = 'medium';"
        "document.forms[0].dispatchEvent(new Event('input', {bubbles: true}))"
    )
    if not browser.evaluate("document.querySelectorAll('#list .alert').length"):
        raise RuntimeError("the filter left nothing")
    return time.perf_counter() - begun


def main() -> int:
    """Measure, print, and say by the exit status whether the targets are met."""
    chance = random.Random(1)
    text = page([alert_of(record(number, chance)) for number in range(CHANGES)], Evidence(_START, "benchmark"))
    size = len(text.encode())
    small = size <= MOST_BYTES
    print(f"report of {CHANGES:,} changes: {size / 1e6:.2f} MB (at most {MOST_BYTES / 1e6}: {_verdict(small)})")
    if CHROMIUM is None:
        print("report opened in Chromium: not measured, there is no chromium here")
        return 0 if small else 1
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        taken = [opened_and_filtered(browser, path) for _ in range(ROUNDS)]
    seconds = statistics.median(taken)
    quick = seconds <= MOST_SECONDS
    spread = f"{min(taken):.2f} to {max(taken):.2f}"
    print(f"report opened and filtered: {seconds:.2f} s ({spread}; at most {MOST_SECONDS}: {_verdict(quick)})")
    return 0 if small and quick else 1


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())
