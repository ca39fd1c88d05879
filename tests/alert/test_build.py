"""Any record with a watched name yields an alert, whatever its inside looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of, not_a_record
from chalicelib.alert.model import from_json, to_json
from chalicelib.cloudtrail.catalog import EVENTS
from chalicelib.cloudtrail.records import INCOMPLETE
from chalicelib.security_groups.changes import NotWatched
from tests.support import records as r
from tests.support.schema import assert_valid
from tests.support.unknowns import sentences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("items", "groupId", "groupName", "ipPermissions", "ipProtocol", "fromPort", "toPort", "ipRanges"),
                    *("cidrIp", "groups", "omitted", "type", "arn", "securityGroupRuleSet", "SecurityGroupRule"),
                    *("SecurityGroupRuleId", "ModifySecurityGroupRulesRequest", "groupSet", "sessionContext"),
                    *("sessionIssuer", "userName", "accountId", "invokedBy"),
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
WATCHED = [(event.source, event.name) for event in EVENTS]


def whole(record: dict[str, Any]) -> None:
    """Every alert is valid, survives the queue, can be encoded, and comes of no fault of ours."""
    alert = alert_of(record)
    assert "a fault in sgwatch" not in alert.summary
    document = json.loads(json.dumps(to_json(alert), ensure_ascii=False).encode())
    assert_valid(document)
    assert to_json(from_json(document)) == document


PARTS = sorted(r.authorize(r.world()).keys() - {"eventName", "eventSource"})


@given(st.sampled_from(list(r.samples().values())), st.sampled_from(PARTS), JSON)
def test_no_value_in_place_of_a_part_hides_a_record(record: dict[str, Any], part: str, value: Any) -> None:
    whole(record | {part: value})


@given(st.sampled_from(list(r.samples().values())), st.sampled_from(PARTS))
def test_no_missing_part_hides_a_record(record: dict[str, Any], part: str) -> None:
    whole({key: value for key, value in record.items() if key != part})


@given(st.sampled_from(list(r.samples().values())), st.data())
def test_no_value_deep_inside_hides_a_record(record: dict[str, Any], data: st.DataObject) -> None:
    copy = json.loads(json.dumps(record))
    places = [place for place in _places(copy) if place[1] not in ("eventName", "eventSource")]
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(JSON)
    whole(copy)


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


@given(
    st.sampled_from([pair for pair in WATCHED if "lambda" not in pair[0]]),
    st.dictionaries(st.sampled_from(PARTS), JSON),
)
def test_nothing_but_a_name_is_needed(pair: tuple[str, str], parts: dict[str, Any]) -> None:
    record = {**parts, "eventSource": pair[0], "eventName": pair[1]}
    try:
        whole(record)
    except NotWatched:
        # These two have many other uses, told by a request that sets no group.
        assert pair[1] in ("ModifyInstanceAttribute", "ModifyNetworkInterfaceAttribute")
        assert record["requestParameters"]


@given(JSON, JSON)
def test_what_is_not_watched_is_not_judged(source: Any, name: Any) -> None:
    with pytest.raises(NotWatched):
        alert_of({"eventSource": source, "eventName": name})


def test_what_is_not_watched_is_not_judged_though_its_record_is_incomplete() -> None:
    record = {"eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances", INCOMPLETE: "it was cut off"}
    with pytest.raises(NotWatched):
        alert_of(record)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rds.amazonaws.com", "AuthorizeDBSecurityGroupIngress"),
        ("rds.amazonaws.com", "AuthorizeSecurityGroupIngress"),
        ("elasticfilesystem.amazonaws.com", "ModifyMountTargetSecurityGroups"),
        ("ec2.amazonaws.com", "DescribeSecurityGroups"),
        ("ec2.amazonaws.com", "AuthorizeSecurityGroupIngress "),
    ],
)
def test_lookalikes_are_not_watched(source: str, name: str) -> None:
    with pytest.raises(NotWatched):
        alert_of(r.authorize(r.world()) | {"eventSource": source, "eventName": name})


@pytest.mark.parametrize("source", [r.ABSENT, None, "", 7, [], {}])
def test_a_record_that_names_no_source_is_known_by_its_name(source: object) -> None:
    alert = alert_of(r.authorize(r.world(), eventSource=source))
    assert (alert.kind, alert.severity) == ("security_group_change", "critical")
    assert alert.event.source is None
    assert any(sentence.startswith("event source") for sentence in sentences(alert.unknowns))


def test_a_record_nested_too_deeply_to_show_is_still_alerted() -> None:
    deep: Any = []
    for _ in range(20_000):
        deep = [deep]
    alert = alert_of(r.authorize(requestParameters={"groupId": r.GROUP_ID, "ipPermissions": {"items": [deep]}}))
    assert (alert.kind, alert.severity) == ("not_understood", "high")


@st.composite
def listed(draw: st.DrawFn, entry: Any) -> Any:
    """The entry in a list in any of CloudTrail's spellings, perhaps beside others that make no sense."""
    odd: st.SearchStrategy[list[Any]] = st.lists(st.sampled_from([None, "text", 7, [], {}, {"other": 1}]), max_size=2)
    entries = [*draw(odd), entry, *draw(odd)]
    forms: list[Any] = [entries, {"items": entries}, {"item": entries}]
    return draw(st.sampled_from([*forms, entry, {"items": entry}] if len(entries) == 1 else forms))


@st.composite
def spelled(draw: st.DrawFn, /, **values: Any) -> dict[str, Any]:
    """The fields with small or capital first letters, perhaps beside the mark of a query's list."""
    capital = draw(st.booleans())
    fields = {key[0].upper() + key[1:] if capital else key: value for key, value in values.items()}
    return fields | draw(st.sampled_from([{}, {"tag": 1}]))


@st.composite
def ssh_from_everywhere(draw: st.DrawFn) -> dict[str, Any]:
    """A record that opens SSH to the world, by the request or by the answer, in any spelling."""
    values: dict[str, Any] = {"ipProtocol": draw(st.sampled_from(["tcp", "TCP", "6", 6, "-1", "all"]))}
    values |= {key: draw(st.sampled_from([22, "22", 22.0])) for key in ("fromPort", "toPort")}
    cidr = draw(st.sampled_from(["0.0.0.0/0", "1.2.3.4/0", "::/0", "0::/0"]))
    if draw(st.booleans()):
        values |= {"groupId": r.GROUP_ID, "cidrIpv6" if ":" in cidr else "cidrIpv4": cidr}
        answer = draw(spelled(securityGroupRuleSet=draw(listed(draw(spelled(**values))))))
        return r.record("AuthorizeSecurityGroupIngress", draw(st.sampled_from([None, {}, {"omitted": True}])), answer)
    entry = draw(spelled(cidrIpv6=cidr) if ":" in cidr else spelled(cidrIp=cidr))
    values["ipv6Ranges" if ":" in cidr else "ipRanges"] = draw(listed(entry))
    request = draw(spelled(groupId=r.GROUP_ID, ipPermissions=draw(listed(draw(spelled(**values))))))
    wrapped = draw(st.sampled_from([request, {"AuthorizeSecurityGroupIngressRequest": request}]))
    return r.record("AuthorizeSecurityGroupIngress", wrapped)


@given(ssh_from_everywhere())
def test_no_spelling_and_no_company_makes_an_opening_less_severe(record: dict[str, Any]) -> None:
    assert alert_of(record).severity == "critical"


def test_what_is_not_understood_says_who_which_group_and_why() -> None:
    record = r.modify(None)
    alert = alert_of(record)
    assert (alert.kind, alert.severity, alert.id) == ("not_understood", "high", r.EVENT_ID)
    assert alert.security_group is not None
    assert alert.security_group.id == r.GROUP_ID
    assert alert.principal is not None
    assert alert.principal.name == "alice"
    assert not alert.changes.before_known
    assert "no rule" in sentences(alert.unknowns)[0]


def test_a_record_without_an_id_has_always_the_same_id() -> None:
    record = r.authorize(r.world(), eventID=None)
    alert = alert_of(record)
    assert alert.id == alert_of(json.loads(json.dumps(record))).id
    assert alert.id.startswith("sha256-")
    assert alert.event.url is None
    assert any(sentence.startswith("event id") for sentence in sentences(alert.unknowns))


def test_a_group_that_is_gone_has_no_page_to_link_to() -> None:
    gone, refused = alert_of(r.delete()), alert_of(r.delete(errorCode="Client.DependencyViolation"))
    assert gone.security_group is not None
    assert refused.security_group is not None
    assert gone.security_group.url is None
    assert refused.security_group.url is not None


@given(JSON)
def test_an_event_that_is_no_record_is_alerted(document: Any) -> None:
    alert = not_a_record(document, "it is something else")
    assert_valid(to_json(alert))
    assert (alert.kind, alert.severity) == ("not_understood", "high")
    assert alert.id == not_a_record(document, "it is something else").id


@pytest.mark.parametrize(
    ("function", "watched"), [("sgwatch-prod-alert", True), ("billing", False), (None, True), ([], True)]
)
def test_changes_to_other_functions_are_not_watched(function: object, watched: bool) -> None:
    record = r.record("DeleteFunction20150331", {"functionName": function}, eventSource="lambda.amazonaws.com")
    if watched:
        assert alert_of(record).kind == "alarm_path"
    else:
        with pytest.raises(NotWatched):
            alert_of(record)


def test_a_caller_of_whom_only_the_kind_is_known_is_said() -> None:
    alert = alert_of(r.authorize(r.world(), userIdentity={"type": "IAMUser"}))
    assert "who made the call: the record has only the kind of caller" in [item.text for item in alert.unknowns]
    assert not alert_of(r.authorize(r.world(), userIdentity={"type": "Root"})).unknowns
