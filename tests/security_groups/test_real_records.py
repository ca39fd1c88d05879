"""Real CloudTrail records, and what somebody must read about each; the expectations were worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import from_json, to_json
from chalicelib.cloudtrail.records import unwrap
from chalicelib.security_groups.changes import NotWatched
from tests.support.rows import every
from tests.support.schema import assert_valid

LINES = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "records.jsonl").read_text().splitlines()]
# Line numbers from 0: calls of RDS, and of EC2 on instances without a word about security groups.
NOT_ABOUT_SECURITY_GROUPS = {0, 1, 2, 3, 4, *range(34, 41), 43, 44}

WORLD, WORLD6 = "0.0.0.0/0", "::/0"
STACK = "stack-ec2-rds-app-191-MyEC2SecurityGroup-1KW22EAUHZX1Q"
BEANSTALK1 = "awseb-e-k8yeqeztva-stack-AWSEBSecurityGroup-125MD6S2IJVHC"
BEANSTALK2 = "awseb-e-tpaynhjptk-stack-AWSEBSecurityGroup-PO823UZEXC1F"
PRIVATE1 = "im-eccb0b28-4694-11e7-9c6b-f079596e599b-privada"
PUBLIC1 = "im-eccb0b28-4694-11e7-9c6b-f079596e599b-public"
PRIVATE2 = "im-166ccf76-46a3-11e7-9c6b-f079596e599b-privada"
PUBLIC2 = "im-166ccf76-46a3-11e7-9c6b-f079596e599b-public"

# line: severity, outcome, title, and the rules as (direction, protocol, from, to, peer) under their key of ``changes``
Rule = tuple[str | None, str, int | None, int | None, str]
EXPECTED: dict[int, tuple[str, str, str, dict[str, list[Rule]]]] = {
    5: (
        "medium",
        "succeeded",
        "All traffic allowed out to the internet and 1 more rule on sg-04cfb7a4712d75b00",
        {"added": [("egress", "-1", None, None, WORLD), ("egress", "-1", None, None, WORLD6)]},
    ),
    6: (
        "info",
        "failed",
        "Failed: opening tcp/3389 to the internet on gw-aws-31-win",
        {"attempted": [("ingress", "tcp", 3389, 3389, WORLD)]},
    ),
    7: (
        "medium",
        "denied",
        "Denied: opening tcp/22 to the internet on sg-0abcd1234efgh5678",
        {"attempted": [("ingress", "tcp", 22, 22, WORLD)]},
    ),
    8: (
        "low",
        "succeeded",
        "All tcp ports opened to group sg-4e386e22 on sg-4e386e31",
        {"added": [("ingress", "tcp", 0, 65535, "sg-4e386e22")]},
    ),
    9: (
        "critical",
        "succeeded",
        "tcp/22 opened to the internet on sg-0d921df5d84f7270a",
        {"added": [("ingress", "tcp", 22, 22, WORLD)]},
    ),
    10: (
        "medium",
        "succeeded",
        "icmp opened to 203.0.113.1/32 on sg-01234567890abcdef",
        {"added": [("ingress", "icmp", -1, -1, "203.0.113.1/32")]},
    ),
    11: (
        "low",
        "succeeded",
        "tcp/443 opened to 0.0.0.0/16 on sg-04f0b44316f7d2471",
        {"added": [("ingress", "tcp", 443, 443, "0.0.0.0/16")]},
    ),
    12: (
        "low",
        "succeeded",
        "All traffic opened to 10.0.0.0/8 on ...",
        {"added": [("ingress", "-1", None, None, "10.0.0.0/8")]},
    ),
    13: (
        "low",
        "succeeded",
        f"All udp ports opened to group {PRIVATE1} on {PRIVATE1}",
        {"added": [("ingress", "udp", 0, 65535, PRIVATE1)]},
    ),
    14: (
        "low",
        "succeeded",
        f"All tcp ports opened to group {PUBLIC1} on {PUBLIC1}",
        {"added": [("ingress", "tcp", 0, 65535, PUBLIC1)]},
    ),
    15: (
        "low",
        "succeeded",
        f"All tcp ports opened to group {PRIVATE2} on {PRIVATE2}",
        {"added": [("ingress", "tcp", 0, 65535, PRIVATE2)]},
    ),
    16: (
        "critical",
        "succeeded",
        f"tcp/22 opened to the internet on {BEANSTALK1}",
        {"added": [("ingress", "tcp", 22, 22, WORLD)]},
    ),
    17: (
        "critical",
        "succeeded",
        f"tcp/22 opened to the internet and 1 more rule on {STACK}",
        {"added": [("ingress", "tcp", 80, 80, WORLD), ("ingress", "tcp", 22, 22, WORLD)]},
    ),
    18: (
        "critical",
        "succeeded",
        f"tcp/22 opened to the internet on {BEANSTALK2}",
        {"added": [("ingress", "tcp", 22, 22, WORLD)]},
    ),
    19: (
        "info",
        "failed",
        "Failed: opening tcp/22 to 127.0.0.1/32 on sg-1",
        {"attempted": [("ingress", "tcp", 22, 22, "127.0.0.1/32")]},
    ),
    20: ("low", "succeeded", "Security group no-access (sg-01234567890123456) created", {}),
    21: ("low", "succeeded", "Security group Test (sg-YOUR_SECURITY_GROUP_ID) created", {}),
    22: ("low", "succeeded", "Security group gs-aws-171 (sg-84e8fc13) created", {}),
    23: ("low", "succeeded", "Security group gs-aws-188 (sg-3ceafeab) created", {}),
    24: ("low", "succeeded", "Security group gs-aws-200 (sg-7fe2f6e8) created", {}),
    28: ("info", "failed", "Failed: deleting security group sg-ec8dff86", {}),
    29: ("info", "failed", "Failed: deleting security group sg-ec8dff86", {}),
    30: ("medium", "succeeded", "Security group sg-04cfb7a4712d75b00 deleted", {}),
    31: ("medium", "succeeded", f"Security group {STACK} deleted", {}),
    32: ("medium", "succeeded", f"Security group {BEANSTALK1} deleted", {}),
    33: ("medium", "succeeded", f"Security group {BEANSTALK2} deleted", {}),
    41: ("low", "succeeded", "Security groups of network interface eni-01234567890abcdef changed", {}),
    42: (
        "low",
        "succeeded",
        "tcp/443 may now be open to 127.0.0.1/32 by a changed rule on sg-ef6e8186",
        {"modified": [(None, "tcp", 443, 443, "127.0.0.1/32")]},
    ),
    45: (
        "low",
        "succeeded",
        "All traffic no longer allowed out to the internet on sg-04cfb7a4712d75b00",
        {"removed": [("egress", "-1", None, None, WORLD)]},
    ),
    46: (
        "low",
        "succeeded",
        "tcp/22 closed to the internet on sg-0e79c7acdf4a0225e",
        {"removed": [("ingress", "tcp", 22, 22, WORLD)]},
    ),
    47: (
        "low",
        "succeeded",
        f"All tcp ports closed to group {PUBLIC2} on {PUBLIC2}",
        {"removed": [("ingress", "tcp", 0, 65535, PUBLIC2)]},
    ),
    48: (
        "low",
        "succeeded",
        f"All udp ports closed to group {PUBLIC2} on {PUBLIC2}",
        {"removed": [("ingress", "udp", 0, 65535, PUBLIC2)]},
    ),
    49: (
        "low",
        "succeeded",
        f"All udp ports closed to group {PRIVATE2} on {PRIVATE2}",
        {"removed": [("ingress", "udp", 0, 65535, PRIVATE2)]},
    ),
}


def shown(rule: dict[str, Any]) -> Rule:
    rule = rule.get("after", rule)
    return (rule["direction"], rule["protocol"], rule["from_port"], rule["to_port"], rule["peer"]["value"])


@pytest.mark.parametrize("line", EXPECTED)
def test_what_a_real_record_says(line: int) -> None:
    (record,) = unwrap(LINES[line])
    document = to_json(alert_of(record))
    severity, outcome, title, changes = EXPECTED[line]
    assert document["kind"] == "security_group_change"
    assert (document["severity"], document["event"]["outcome"], document["title"]) == (severity, outcome, title)
    listed = {
        key: [shown(rule) for rule in document["changes"][key]] for key in ("added", "removed", "modified", "attempted")
    }
    assert {key: rules for key, rules in listed.items() if rules} == changes


@every("line", range(len(LINES)))
def test_each_record_of_a_security_group_gives_one_valid_alert_and_no_other_gives_any(line: int) -> None:
    (record,) = unwrap(LINES[line])
    if line in NOT_ABOUT_SECURITY_GROUPS:
        with pytest.raises(NotWatched):
            alert_of(record)
        return
    alert = alert_of(record)
    assert_valid(to_json(alert))
    assert to_json(from_json(json.loads(json.dumps(to_json(alert))))) == to_json(alert)
    assert alert.id == record["eventID"]


def test_every_record_names_its_source_and_that_its_license() -> None:
    licenses = (Path(__file__).parents[1] / "data" / "LICENSES.md").read_text()
    assert all(f"| {line['source'].partition(':')[0]} |" in licenses for line in LINES)
