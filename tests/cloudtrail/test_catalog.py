"""The catalog of watched events and the EventBridge patterns made from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import botocore.session
import pytest

from chalicelib.cloudtrail.catalog import (
    EVENTS,
    MAX_PATTERN_LENGTH,
    EventGroup,
    event_pattern,
    events_of,
    lookup,
    pattern_length,
)
from tests.support.records import samples
from tests.support.rows import every

CHANGES = [group for group in EventGroup if group is not EventGroup.TAMPER]
# CloudTrail's source and the name that botocore has for the service.
SERVICES = {"monitoring": ("cloudwatch",), "elasticloadbalancing": ("elb", "elbv2")}


def matches(pattern: Any, event: Any) -> bool:
    """EventBridge's matching of exact values: every key there, its value one of those listed."""
    if isinstance(pattern, dict):
        return isinstance(event, dict) and all(
            key in event and matches(value, event[key]) for key, value in pattern.items()
        )
    return event in pattern


def event_of(record: dict[str, Any], source: str | None = None) -> dict[str, Any]:
    return {
        "version": "0",
        "source": source or "aws." + record["eventSource"].removesuffix(".amazonaws.com"),
        "detail-type": "AWS API Call via CloudTrail",
        "detail": record,
    }


@pytest.mark.parametrize(
    "groups", [CHANGES, [EventGroup.TAMPER], [EventGroup.RULES], [EventGroup.RULES, EventGroup.GROUPS]]
)
def test_a_pattern_fits_and_matches_its_events_and_no_others(groups: Iterable[EventGroup]) -> None:
    pattern = event_pattern(groups)
    assert pattern_length(pattern) < MAX_PATTERN_LENGTH
    wanted = events_of(groups)
    for event in EVENTS:
        record = {"eventSource": event.source, "eventName": event.name}
        assert matches(pattern, event_of(record)) == (event in wanted)


@every("record", samples().values(), ids=samples())
def test_every_record_of_a_watched_call_matches(record: dict[str, Any]) -> None:
    assert matches(event_pattern(CHANGES), event_of(record))
    assert not matches(event_pattern([EventGroup.TAMPER]), event_of(record))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rds.amazonaws.com", "AuthorizeDBSecurityGroupIngress"),
        ("ec2.amazonaws.com", "DescribeSecurityGroups"),
        ("ec2.amazonaws.com", "authorizesecuritygroupingress"),
        ("rds.amazonaws.com", "AuthorizeSecurityGroupIngress"),
        ("elasticfilesystem.amazonaws.com", "ModifyMountTargetSecurityGroups"),
        ("redshift.amazonaws.com", "AuthorizeClusterSecurityGroupIngress"),
    ],
)
def test_a_lookalike_matches_nothing(source: str, name: str) -> None:
    record = {"eventSource": source, "eventName": name}
    assert not matches(event_pattern(EventGroup), event_of(record))
    assert lookup(source, name) is None


def test_a_forged_event_does_not_match() -> None:
    record = {"eventSource": "ec2.amazonaws.com", "eventName": "AuthorizeSecurityGroupIngress"}
    assert not matches(event_pattern(EventGroup), event_of(record, source="custom.app"))


def test_no_name_belongs_to_two_sources() -> None:
    assert len({event.name for event in EVENTS}) == len(EVENTS)


def test_every_name_is_a_call_of_its_service() -> None:
    session = botocore.session.get_session()
    for event in EVENTS:
        service = event.source.removesuffix(".amazonaws.com")
        models = [session.get_service_model(name) for name in SERVICES.get(service, (service,))]
        known = [name for model in models for name in model.operation_names]
        # Lambda's names carry the API version.
        assert any(event.name.startswith(name) if service == "lambda" else event.name == name for name in known), event


def test_every_call_of_ec2_that_changes_rules_is_watched() -> None:
    names = botocore.session.get_session().get_service_model("ec2").operation_names
    verbs = ("Authorize", "Revoke", "Modify", "Update", "Create", "Delete", "Associate", "Disassociate")
    changing = {name for name in names if "SecurityGroup" in name and name.startswith(verbs)}
    assert changing <= {event.name for event in EVENTS}
