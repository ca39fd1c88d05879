"""However a request is spelled, ordered or padded, its alert is no milder, and there is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from chalicelib.security_groups.changes import NotWatched
from chalicelib.security_groups.wire_shapes import is_set
from tests.support import records as r
from tests.support.rows import every

SAMPLES = [
    record
    for record in (
        r.samples() | r.other_samples() | {"default": r.authorize(r.world(443), group={"groupName": "default"})}
    ).values()
    if isinstance(record["requestParameters"], dict) and "omitted" not in record["requestParameters"]
]
SPELLINGS: list[Callable[[str], str]] = [str, str.lower, str.upper, lambda key: key[0].upper() + key[1:]]
_KEPT = frozenset({"items", "item", "member", "tag", "content"})


def respelled(draw: st.DrawFn, value: Any) -> Any:
    """The same request with other cases of its keys, other orders and other lists."""
    if isinstance(value, list):
        members = draw(st.permutations([respelled(draw, item) for item in value]))
        return members[0] if len(members) == 1 and draw(st.booleans()) else members
    if not isinstance(value, dict):
        return value
    if set(value) == {"items"}:
        members = draw(st.permutations([respelled(draw, item) for item in value["items"]]))
        return draw(st.sampled_from([{"items": members}, members, {"item": members}]))
    keys = draw(st.permutations(list(value)))
    spell = draw(st.sampled_from(SPELLINGS))
    return {key if key in _KEPT else spell(key): respelled(draw, value[key]) for key in keys}


@st.composite
def varied(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record, and the same with its request spelled otherwise and padded."""
    record = draw(st.sampled_from(SAMPLES))
    name, request = record["eventName"], record["requestParameters"]
    inner = request.get(f"{name}Request", request)
    changed = respelled(draw, inner)
    changed |= draw(
        st.dictionaries(st.sampled_from(["padding", "dryRun", "newFlag"]), st.sampled_from([None, "", {}, False]))
    )
    wrapper = draw(st.sampled_from([None, f"{name}Request", f"{name}request"]))
    return record, record | {"requestParameters": {wrapper: changed} if wrapper else changed}


@given(varied())
def test_no_spelling_of_a_request_lowers_its_severity_or_silences_it(
    pair: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    plain, other = alert_of(pair[0]), alert_of(pair[1])
    assert other.severity.rank >= plain.severity.rank
    assert len(other.changes.added) >= len(plain.changes.added)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    )
)
def test_what_is_not_set_holds_nothing(value: Any) -> None:
    if not is_set(value):
        assert not any(_leaves(value))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [] if value in (None, "") else [True]


GROUP = "sg-0bbbbbbbbbbbbbbbb"
SHAPES: list[r.Json] = [
    {"groupSet": r.items({"groupId": GROUP})},
    {"groupSet": [GROUP]},
    {"groupSet": f" {GROUP}\n"},
    {"groups": {"value": GROUP}},
    {"Groups": [{"GroupId": GROUP}]},
    {"GroupId.1": GROUP},
    {"SecurityGroupId.1": GROUP},
    {"securityGroupIds": json.dumps([GROUP])},
    {"groupSet": json.dumps({"items": [{"groupId": GROUP}]})},
    {"group_set": [GROUP]},
    {"group-id": GROUP},
    {"GROUPSET": {"ITEMS": [{"GROUPID": GROUP}]}},
    {"securityGroupSet": {"item": {"groupId": GROUP}}},
    {"groupSet": [[[{"groupId": {"value": GROUP}}]]]},
    {"request": {"SecurityGroupId": {"tag": 1, "content": GROUP}}},
    {"Request": {"security_group_id": [{"content": GROUP}]}},
]
CALLS = {"ModifyNetworkInterfaceAttribute": "networkInterfaceId", "ModifyInstanceAttribute": "instanceId"}


@every("shape", SHAPES, ids=str)
@every("name", CALLS)
def test_groups_in_any_shape_are_an_attachment(name: str, shape: r.Json) -> None:
    request = {f"{name}Request" if key == "Request" else key: value for key, value in shape.items()}
    attachment = alert_of(r.record(name, {CALLS[name]: "x-1", **request})).attachment
    assert attachment is not None
    assert (attachment.resource_id, attachment.groups_after) == ("x-1", (GROUP,))


def test_ids_with_commas_between_are_groups_each() -> None:
    attachment = alert_of(r.record("ModifyInstanceAttribute", {"groupSet": f"{GROUP}, sg-0c"})).attachment
    assert attachment is not None
    assert attachment.groups_after == (GROUP, "sg-0c")


@pytest.mark.parametrize(
    ("name", "request_parameters"),
    [
        ("ModifyNetworkInterfaceAttribute", {"sourceDestCheck": {"value": False}}),
        ("ModifyNetworkInterfaceAttribute", {"description": {"value": GROUP}}),
        ("ModifyNetworkInterfaceAttribute", {"description": GROUP}),
        ("ModifyNetworkInterfaceAttribute", {"attachment": {"attachmentId": "eni-attach-1"}}),
        ("ModifyNetworkInterfaceAttribute", {"groupSet": {"items": []}}),
        ("ModifyInstanceAttribute", {"userData": {"value": GROUP}}),
        ("ModifyInstanceAttribute", {"attribute": "userData", "value": GROUP}),
    ],
)
def test_a_call_that_sets_no_group_is_silent_whatever_its_other_texts_look_like(
    name: str, request_parameters: r.Json
) -> None:
    with pytest.raises(NotWatched):
        alert_of(r.record(name, {CALLS[name]: "x-1", **request_parameters}))
