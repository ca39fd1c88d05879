"""The alert's published shape: valid, whole, and the same after the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import format_time, from_json, to_json
from chalicelib.security_groups.unknowns import UnknownTopic, other
from tests.support import records as r
from tests.support.schema import SCHEMA, assert_valid

# As the contract spells it; a key that is not there may be added, none of these may go.
KEYS = {
    "": "version id kind severity title summary occurred_at account region event principal security_group changes "
    "attachment exposures undo unknowns prefix_list notes alarm_path",
    "account": "id name",
    "event": "name source id request_id outcome error_code error_message url",
    "principal": "type name arn account_id role permission_set session_name source_identity mfa access_key_id "
    "invoked_by on_behalf_of client source_ip cross_account",
    "security_group": "id name vpc_id description owner tags attached url",
    "changes": "added removed modified attempted before_known rules_after",
    "undo": "commands reason",
    "prefix_list": "id name owner_id version added removed used_by",
}
RULE_KEYS = ["id", "direction", "protocol", "from_port", "to_port", "peer", "description"]


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, record in r.samples().items():
        yield name, to_json(alert_of(record))


@pytest.mark.parametrize("document", dict(documents()).values(), ids=dict(documents()))
def test_every_alert_is_valid_whole_and_survives_the_queue(document: dict[str, Any]) -> None:
    assert_valid(document)
    for part, keys in KEYS.items():
        inside = document[part] if part else document
        if inside is not None:
            assert list(inside) == keys.split()
    assert to_json(from_json(json.loads(json.dumps(document)))) == document


def test_a_rule_has_its_keys_and_aws_values() -> None:
    document = to_json(alert_of(r.authorize(r.permission(groups=({"groupId": r.PEER_ID, "userId": r.OTHER_ACCOUNT},)))))
    (rule,) = document["changes"]["added"]
    assert list(rule) == RULE_KEYS
    assert rule == {
        "id": None,
        "direction": "ingress",
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "peer": {"type": "security_group", "value": r.PEER_ID, "account_id": r.OTHER_ACCOUNT, "vpc_id": None},
        "description": None,
    }


def test_the_whole_alert_of_a_rule_opened_to_the_world() -> None:
    document = to_json(alert_of(r.authorize(r.world(), group={"groupId": r.GROUP_ID, "groupName": "web"})))
    assert document["id"] == document["event"]["id"] == r.EVENT_ID
    assert document["occurred_at"] == "2026-11-23T10:00:00Z"
    assert document["account"] == {"id": r.ACCOUNT, "name": None}
    assert document["region"] == r.REGION
    console = f"https://{r.REGION}.console.aws.amazon.com"
    assert document["event"]["url"] == f"{console}/cloudtrailv2/home?region={r.REGION}#/events/{r.EVENT_ID}"
    assert (
        document["security_group"]["url"] == f"{console}/ec2/home?region={r.REGION}#SecurityGroup:groupId={r.GROUP_ID}"
    )
    assert document["exposures"][0]["rule"] == document["changes"]["added"][0]
    assert document["exposures"][0]["controls"] == ["EC2.13", "EC2.18", "EC2.19", "EC2.53", "CIS v5.0.0/5.3"]
    assert document["unknowns"] == []
    assert document["attachment"] is None
    assert document["alarm_path"] is None


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("us-iso-east-1", None),
        ("javascript:alert(1)//", None),
        (None, None),
    ],
)
def test_links_lead_to_the_partitions_console_or_nowhere(region: str | None, host: str | None) -> None:
    alert = alert_of(r.authorize(r.world(), awsRegion=region))
    assert alert.security_group is not None
    urls = (alert.event.url, alert.security_group.url)
    assert all(url.startswith(f"https://{host}/") if host and url else url is host for url in urls)


def test_a_reader_skips_keys_that_a_newer_writer_added() -> None:
    alert = alert_of(r.authorize(r.world()))
    document = json.loads(json.dumps(to_json(alert)))
    for part in (document, *filter(lambda value: isinstance(value, dict), document.values())):
        part["added_later"] = 1
    document["changes"]["added"][0]["added_later"] = document["changes"]["added"][0]["peer"]["added_later"] = 1
    document["exposures"][0]["added_later"] = 1
    assert from_json(document) == alert


@pytest.mark.parametrize(
    "change", [{"version": "2"}, {"severity": "awful"}, {"changes": None}, {"account": {}}, {"kind": None}]
)
def test_what_is_no_alert_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(to_json(alert_of(r.authorize(r.world()))) | change)


def test_times_are_utc_with_a_z() -> None:
    moment = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == format_time(moment.astimezone(UTC)) == "2026-11-23T10:00:00Z"


def test_the_schema_is_itself_valid_and_requires_every_key() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["required"] == KEYS[""].split()


def test_unknowns_are_sentences_in_the_json_and_of_no_topic_when_read_back() -> None:
    alert = alert_of(r.record("DeleteSecurityGroup", {"groupId": r.GROUP_ID}))
    (unknown,) = alert.unknowns
    assert unknown.topic is UnknownTopic.DELETED_RULES
    document = to_json(alert)
    assert document["unknowns"] == [unknown.text]
    assert from_json(document).unknowns == (other(unknown.text),)
