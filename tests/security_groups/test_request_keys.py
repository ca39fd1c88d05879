"""The table of request parameters, held to AWS's own models of the calls."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel, Shape, StructureShape

from chalicelib.cloudtrail.catalog import EVENTS, EventGroup, WatchedEvent
from chalicelib.cloudtrail.records import read_record
from chalicelib.security_groups import wire_rules
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.request_keys import REQUEST_KEYS, may_open, read_request, unwrapped
from chalicelib.security_groups.wire_shapes import KeyNames, fold
from tests.support import records as r
from tests.support.rows import every

SAMPLES = r.samples() | r.other_samples()
WHOLE = {
    name: record
    for name, record in SAMPLES.items()
    if isinstance(record["requestParameters"], dict) and "omitted" not in record["requestParameters"]
}
CHANGES = [event for event in EVENTS if event.group is not EventGroup.TAMPER]
# What no model has: CloudTrail's own marks in a list, and parameters that EC2 would have if its calls were alike.
NOT_IN_A_MODEL = {"tag", "content", "cidrIpv6", "sourceSecurityGroupId", "groupSet", "groupName"}


@cache
def service_models(*services: str) -> list[ServiceModel]:
    session = botocore.session.get_session()
    return [session.get_service_model(name) for name in services]


def model_of(event: WatchedEvent) -> StructureShape:
    models = service_models(*(["elb", "elbv2"] if event.source.startswith("elasticloadbalancing") else ["ec2"]))
    found = next(model for model in models if event.name in model.operation_names)
    shape = found.operation_model(event.name).input_shape
    assert isinstance(shape, StructureShape)
    return shape


def spellings(shape: StructureShape) -> Iterator[tuple[str, ...]]:
    """Each member by its name and by its names on the wire."""
    for name, member in shape.members.items():
        wire: dict[str, Any] = member.serialization
        yield (name, *filter(None, (wire.get("name"), wire.get("locationName"), wire.get("queryName"))))


@every("event", CHANGES, ids=lambda event: event.name)
def test_every_parameter_of_the_model_is_known_in_each_spelling(event: WatchedEvent) -> None:
    keys = REQUEST_KEYS[event.name]
    for names in spellings(model_of(event)):
        assert len({keys.by_folded.get(fold(name)) for name in names} - {None}) == 1, names


@every("event", CHANGES, ids=lambda event: event.name)
def test_nothing_else_is_known_but_what_is_listed_here(event: WatchedEvent) -> None:
    keys = REQUEST_KEYS[event.name]
    modeled = {keys.by_folded[fold(name)] for names in spellings(model_of(event)) for name in names}
    assert keys.spelled - modeled <= NOT_IN_A_MODEL


def _member(shape: Shape | None, *path: str) -> StructureShape:
    for name in path:
        assert isinstance(shape, StructureShape)
        shape = shape.members[name]
        shape = getattr(shape, "member", shape)
    assert isinstance(shape, StructureShape)
    return shape


AUTHORIZE, MODIFY = (next(event for event in CHANGES if event.name.startswith(name)) for name in ("Auth", "ModifySec"))


@pytest.mark.parametrize(
    ("keys", "event", "path"),
    [
        (wire_rules.PERMISSION, AUTHORIZE, ("IpPermissions",)),
        (wire_rules.IPV4_RANGE, AUTHORIZE, ("IpPermissions", "IpRanges")),
        (wire_rules.IPV6_RANGE, AUTHORIZE, ("IpPermissions", "Ipv6Ranges")),
        (wire_rules.PREFIX_LIST, AUTHORIZE, ("IpPermissions", "PrefixListIds")),
        (wire_rules.GROUP_PAIR, AUTHORIZE, ("IpPermissions", "UserIdGroupPairs")),
        (wire_rules.RULE_REQUEST, MODIFY, ("SecurityGroupRules", "SecurityGroupRule")),
    ],
)
def test_every_key_of_a_rule_is_known(keys: KeyNames, event: WatchedEvent, path: tuple[str, ...]) -> None:
    for names in spellings(_member(model_of(event), *path)):
        assert {keys.by_folded.get(fold(name)) for name in names} - {None}, names


@every("event", CHANGES, ids=lambda event: event.name)
def test_a_parameter_that_is_not_known_is_named_and_may_open_anything(event: WatchedEvent) -> None:
    alike = {record["eventName"]: record for record in WHOLE.values() if "errorCode" not in record}
    opposite = event.name.replace("Egress", "Ingress") if event.is_egress else event.name.replace("Ingress", "Egress")
    sample = (alike.get(event.name) or alike[opposite]) | {"eventName": event.name}
    plain = read_change(read_record(sample))
    change = read_change(read_record(sample | {"requestParameters": sample["requestParameters"] | {"newFlag": False}}))
    assert any("newFlag" in item.text for item in change.unknowns)
    assert (len(change.unread) > len(plain.unread)) == may_open(event)


@every("record", WHOLE.values(), ids=WHOLE)
def test_no_record_of_ours_has_an_unknown_parameter(record: dict[str, Any]) -> None:
    event = next(event for event in CHANGES if event.name == record["eventName"])
    assert read_request(event, record["requestParameters"]).unknown == ()


def test_what_stands_in_a_request_and_beside_it_alike_counts_once() -> None:
    request = {"groupId": r.GROUP_ID, "ModifySecurityGroupRulesRequest": {"groupId": r.GROUP_ID, "x": 1}}
    assert unwrapped("ModifySecurityGroupRules", request) == {"groupId": r.GROUP_ID, "x": 1}
