"""EventBridge's own examples of each operator, and what a list in an event or in a pattern means.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from localcloud import LocalCloud
from localcloud.event_patterns import matches
from tests.support.rows import every

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
CASES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"a": ["x"]}, {"a": "x"}, True),
    ({"a": ["x"]}, {"a": "y"}, False),
    ({"a": ["x"]}, {}, False),
    ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "z"}, False),
    ({"a": ["x", "y"]}, {"a": ["z", "y"]}, True),
    ({"a": [None]}, {"a": None}, True),
    ({"a": [1]}, {"a": True}, False),
    ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
    ({"a": [{"prefix": "arn:"}]}, {"a": KEY}, True),
    ({"a": [{"prefix": "kms"}]}, {"a": KEY}, False),
    ({"a": [{"prefix": {"equals-ignore-case": "ARN:"}}]}, {"a": KEY}, True),
    ({"a": [{"suffix": "abcd"}]}, {"a": KEY}, True),
    ({"a": [{"suffix": ["dcba", "abcd"]}]}, {"a": KEY}, True),
    ({"a": [{"equals-ignore-case": "ALICE"}]}, {"a": "alice"}, True),
    ({"a": [{"wildcard": "*sgwatch*"}]}, {"a": "https://sqs.eu-west-1.amazonaws.com/1/sgwatch-dev-queue"}, True),
    ({"a": [{"wildcard": "*sgwatch*"}]}, {"a": "orders"}, False),
    ({"a": [{"wildcard": "a*c*e"}]}, {"a": "abcde"}, True),
    ({"a": [{"wildcard": "a*c*e"}]}, {"a": "abcdef"}, False),
    ({"a": [{"wildcard": r"a\*"}]}, {"a": "ab"}, False),
    ({"a": [{"wildcard": r"a\*"}]}, {"a": "a*"}, True),
    ({"a": [{"wildcard": "*"}]}, {}, False),
    ({"a": [{"wildcard": "*b*"}]}, {"a": ["x", "abc"]}, True),
    ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
    ({"a": [{"anything-but": {"prefix": "AWS"}}]}, {"a": "AWSReserved"}, False),
    ({"a": [{"anything-but": {"wildcard": "*role*"}}]}, {"a": "a user"}, True),
    ({"a": [{"anything-but": "x"}]}, {}, False),
    ({"a": [{"exists": True}]}, {"a": None}, True),
    ({"a": [{"exists": False}]}, {}, True),
    ({"a": {"b": [{"exists": False}]}}, {"a": None}, True),
    ({"a": [{"exists": False}, "x"]}, {"a": "x"}, True),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, True),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "z"}, False),
    ({"c": ["z"], "$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "x", "c": "q"}, False),
    ({"detail": {"$or": [{"a": ["x"]}, {"b": [{"prefix": "y"}]}]}}, {"detail": {"b": "yes"}}, True),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
    ({"a": [{"numeric": [">", 0]}]}, {"a": "5"}, False),
    ({"a": [{"cidr": "203.0.113.0/24"}]}, {"a": "203.0.113.7"}, True),
    ({"a": [{"cidr": "203.0.113.0/24"}]}, {"a": "a name"}, False),
]


@every(("pattern", "event", "wanted"), CASES, ids=[json.dumps(case[:2]) for case in CASES])
def test_an_operator_matches_as_documented(pattern: dict[str, Any], event: dict[str, Any], wanted: bool) -> None:
    assert matches(pattern, event) is wanted


texts = st.text("ab*\\", max_size=8)


@given(st.lists(st.text("ab\\", max_size=3), min_size=1, max_size=4), texts)
def test_a_wildcard_takes_whatever_stands_between_its_parts(parts: list[str], between: str) -> None:
    pattern = "*".join(part.replace("\\", "\\\\") for part in parts)
    assert matches({"a": [{"wildcard": pattern}]}, {"a": between.join(parts)})


def test_a_rule_with_every_operator_can_be_put_and_tried(cloud: LocalCloud) -> None:
    events = cloud.client("events")
    detail = {"$or": [{"a": [{"wildcard": "*sgwatch*"}]}, {"b": [{"anything-but": {"suffix": "-role"}}]}]}
    events.put_rule(Name="own", EventPattern=json.dumps({"source": ["aws.sqs"], "detail": detail}))
    event: dict[str, Any] = {"id": "1", "account": "123456789012", "source": "aws.sqs", "time": "2026-11-30T10:00:00Z"}
    event |= {"region": "eu-west-1", "resources": [], "detail-type": "t", "detail": {"a": "a-sgwatch-b"}}
    tried = events.test_event_pattern(
        EventPattern=events.describe_rule(Name="own")["EventPattern"], Event=json.dumps(event)
    )
    assert tried["Result"] is True
