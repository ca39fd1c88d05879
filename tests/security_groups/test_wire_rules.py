"""Security group rules from every shape in which CloudTrail writes them, and back into the API's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.security_groups.ec2_format import to_ip_permissions
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.wire_rules import read_flat_permission, read_ip_permissions, read_rule_set
from tests.support.records import LIST_ID, OTHER_ACCOUNT, PEER_ID, RULE_ID, VPC_ID, items, permission, stored
from tests.support.strategies import rules

IN, OUT = Direction.INGRESS, Direction.EGRESS
WORLD4, WORLD6 = Peer(PeerType.IPV4, "0.0.0.0/0"), Peer(PeerType.IPV6, "::/0")
SSH = SecurityGroupRule(IN, "tcp", 22, 22, WORLD4)


def read(*permissions: object) -> tuple[SecurityGroupRule, ...]:
    reading = read_ip_permissions(items(*permissions), IN)
    assert not reading.unread
    return reading.rules


def test_one_ip_permission_is_one_rule_for_each_of_its_peers_in_order() -> None:
    made = read(
        permission("tcp", 22, 23, v4=("0.0.0.0/0", "10.0.0.0/8"), v6=("::/0",), lists=(LIST_ID,), groups=(PEER_ID,))
    )
    assert [rule.peer.value for rule in made] == ["0.0.0.0/0", "10.0.0.0/8", "::/0", LIST_ID, PEER_ID]
    assert {(rule.direction, rule.protocol, rule.from_port, rule.to_port) for rule in made} == {(IN, "tcp", 22, 23)}


@pytest.mark.parametrize(
    "value",
    [
        {"items": [permission(v4=("0.0.0.0/0",))]},
        {"items": permission(v4=("0.0.0.0/0",))},
        [permission(v4=("0.0.0.0/0",))],
        permission(v4=("0.0.0.0/0",)),
        {"item": [permission(v4=("0.0.0.0/0",))]},
        [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": {"CidrIp": "0.0.0.0/0", "tag": 1}, "tag": 1}],
        [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0", "tag": 1}]}],
        [permission("TCP", "22", "22", v4=("0.0.0.0/0",))],
        [permission(6, 22, v4=("0.0.0.0/0",))],
        [permission("006", 22.0, v4=(" 0.0.0.0/0",))],
        [permission("tcp", 22, v4=("203.0.113.7/0",))],
    ],
)
def test_every_spelling_of_one_rule_is_the_same_rule(value: object) -> None:
    assert read_ip_permissions(value, IN).rules == (SSH,)


@pytest.mark.parametrize("value", [None, {}, [], {"items": []}, {"items": None}])
def test_an_empty_set_has_no_rules(value: object) -> None:
    reading = read_ip_permissions(value, IN)
    assert (reading.rules, reading.unread) == ((), ())


@pytest.mark.parametrize(
    ("entry", "peer"),
    [
        ({"groupId": PEER_ID}, Peer(PeerType.SECURITY_GROUP, PEER_ID)),
        ({"groupName": "db"}, Peer(PeerType.SECURITY_GROUP, "db")),
        ({"groupName": "db", "groupId": PEER_ID}, Peer(PeerType.SECURITY_GROUP, PEER_ID)),
        ({"userId": OTHER_ACCOUNT, "groupId": PEER_ID}, Peer(PeerType.SECURITY_GROUP, PEER_ID, OTHER_ACCOUNT)),
        ({"userId": 444455556666, "groupId": PEER_ID}, Peer(PeerType.SECURITY_GROUP, PEER_ID, OTHER_ACCOUNT)),
        (
            {"userId": OTHER_ACCOUNT, "groupId": PEER_ID, "vpcId": VPC_ID, "vpcPeeringConnectionId": "pcx-1"},
            Peer(PeerType.SECURITY_GROUP, PEER_ID, OTHER_ACCOUNT, VPC_ID),
        ),
    ],
)
def test_a_peer_group_has_its_id_or_else_its_name_and_its_account(entry: dict[str, Any], peer: Peer) -> None:
    assert read(permission(groups=(entry,)))[0].peer == peer


@pytest.mark.parametrize(
    ("written", "protocol", "ports"),
    [
        (permission("tcp", 80), "tcp", (80, 80)),
        (permission("udp", 0, 65535), "udp", (0, 65535)),
        (permission("17", 53), "udp", (53, 53)),
        (permission("icmp", -1), "icmp", (-1, -1)),
        (permission("icmp", 8, 0), "icmp", (8, 0)),
        (permission("1", 3, 4), "icmp", (3, 4)),
        (permission("icmpv6", "-1"), "icmpv6", (-1, -1)),
        (permission("58", 128, 0), "icmpv6", (128, 0)),
        (permission("-1", None), "-1", (None, None)),
        (permission(-1, 0), "-1", (None, None)),
        (permission("-1", -1), "-1", (None, None)),
        (permission("all", None), "-1", (None, None)),
        (permission("50", None), "50", (None, None)),
        (permission("47", 0), "47", (None, None)),
    ],
)
def test_protocols_and_ports(written: dict[str, Any], protocol: str, ports: tuple[int | None, int | None]) -> None:
    (rule,) = read(written | {"ipRanges": items({"cidrIp": "0.0.0.0/0"})})
    assert (rule.protocol, (rule.from_port, rule.to_port)) == (protocol, ports)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("100.68.0.18/18", "100.68.0.0/18"), ("203.0.113.7", "203.0.113.7/32"), ("010.0.0.0/8", "010.0.0.0/8")],
)
def test_a_range_is_what_aws_stores_and_what_is_none_stays_as_it_was_written(written: str, read_as: str) -> None:
    assert read(permission(v4=(written,)))[0].peer.value == read_as


def test_an_ipv6_range_has_one_spelling() -> None:
    assert read(permission(v6=("2001:0DB8:0:0::1/32",)))[0].peer == Peer(PeerType.IPV6, "2001:db8::/32")


def test_an_ip_permission_without_a_peer_is_a_gap_and_no_rule() -> None:
    reading = read_ip_permissions(items(permission()), IN)
    assert reading.rules == ()
    assert reading.problems == ()
    assert reading.gaps == ("an IpPermission for 'tcp' that names no peer",)


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        7,
        permission(None, 22, v4=("0.0.0.0/0",)),
        permission("  ", 22, v4=("0.0.0.0/0",)),
        permission("tcp", 10**5000, v4=("0.0.0.0/0",)),
        permission("tcp", "ssh", v4=("0.0.0.0/0",)),
        permission("tcp", 70000, v4=("0.0.0.0/0",)),
        permission("tcp", 22.5, v4=("0.0.0.0/0",)),
        permission("tcp", True, v4=("0.0.0.0/0",)),
        permission("tcp", float("inf"), v4=("0.0.0.0/0",)),
        permission(v4=({"cidr": "0.0.0.0/0"},)),
        permission(groups=({"userId": OTHER_ACCOUNT},)),
        permission(lists=({},)),
    ],
)
def test_what_cannot_be_read_is_a_problem_beside_what_can(broken: object) -> None:
    reading = read_ip_permissions(items(broken, permission(v4=("0.0.0.0/0",))), IN)
    assert reading.rules == (SSH,)
    assert len(reading.problems) == 1


def test_one_unreadable_peer_costs_only_its_own_rule() -> None:
    reading = read_ip_permissions(items(permission(v4=({"cidrIp": 5.5}, "0.0.0.0/0"))), IN)
    assert reading.rules == (SSH,)
    assert len(reading.problems) == 1


@pytest.mark.parametrize(
    ("peer", "read_as"),
    [
        ({"cidrIpv4": "0.0.0.0/0"}, WORLD4),
        ({"cidrIpv6": "::/0"}, WORLD6),
        ({"prefixListId": LIST_ID}, Peer(PeerType.PREFIX_LIST, LIST_ID)),
        ({"referencedGroupId": PEER_ID}, Peer(PeerType.SECURITY_GROUP, PEER_ID)),
        (
            {"referencedGroupInfo": {"groupId": PEER_ID, "userId": OTHER_ACCOUNT, "vpcId": VPC_ID}},
            Peer(PeerType.SECURITY_GROUP, PEER_ID, OTHER_ACCOUNT, VPC_ID),
        ),
    ],
)
def test_the_rules_of_an_answer_have_their_id_direction_and_peer(peer: dict[str, Any], read_as: Peer) -> None:
    (rule,) = read_rule_set(items(stored(egress=True, description="why", **peer))).rules
    assert rule == SecurityGroupRule(OUT, "tcp", 22, 22, read_as, "why", RULE_ID)


@pytest.mark.parametrize("said", [{}, {"isEgress": None}, {"isEgress": False}, {"isEgress": True}, {"isEgress": "?"}])
def test_the_rules_of_an_answer_have_the_direction_of_the_call(said: dict[str, Any]) -> None:
    item = {key: value for key, value in stored(cidrIpv4="0.0.0.0/0").items() if key != "isEgress"}
    assert read_rule_set(items(item | said), OUT).rules[0].direction is OUT
    assert read_rule_set(items(item | said), IN).rules[0].direction is IN


@pytest.mark.parametrize(("said", "direction"), [(True, OUT), ("true", OUT), (False, IN), ("false", IN), (None, None)])
def test_rules_of_no_call_have_the_direction_they_say(said: object, direction: Direction | None) -> None:
    assert read_rule_set(items(stored(cidrIpv4="0.0.0.0/0") | {"isEgress": said})).rules[0].direction is direction


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0"}, SSH),
        ({"ipProtocol": "tcp", "fromPort": "22", "toPort": "22", "cidrIp": "0.0.0.0/0"}, SSH),
        (
            {"ipProtocol": "udp", "fromPort": 53, "toPort": 53, "sourceSecurityGroupName": "db"},
            SecurityGroupRule(IN, "udp", 53, 53, Peer(PeerType.SECURITY_GROUP, "db")),
        ),
    ],
)
def test_the_flat_form_is_one_rule(parameters: dict[str, Any], expected: SecurityGroupRule) -> None:
    assert read_flat_permission(parameters, IN).rules == (expected,)


def _as_cloudtrail(permission_of_api: dict[str, Any]) -> dict[str, Any]:
    def lower(value: Any) -> Any:
        if isinstance(value, dict):
            return {key[0].lower() + key[1:]: lower(item) for key, item in value.items()}
        return items(*map(lower, value)) if isinstance(value, list) else value

    made: dict[str, Any] = lower(permission_of_api)
    if "userIdGroupPairs" in made:
        made["groups"] = made.pop("userIdGroupPairs")
    return made


@given(st.lists(rules(direction=IN, with_id=False), max_size=6))
def test_what_is_rendered_for_the_api_reads_back_as_it_was(made: list[SecurityGroupRule]) -> None:
    rendered = to_ip_permissions(made)
    assert read_ip_permissions(rendered, IN).rules == tuple(made)
    assert read_ip_permissions(items(*map(_as_cloudtrail, rendered)), IN).rules == tuple(made)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["items", "ipProtocol", "fromPort", "ipRanges", "cidrIp", "groups", "isEgress"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_value_at_all_makes_the_readers_raise(value: Any) -> None:
    read_ip_permissions(value, None)
    read_rule_set(value, None)


def test_a_source_group_without_a_protocol_is_three_rules() -> None:
    given = {"sourceSecurityGroupName": "db", "sourceSecurityGroupOwnerId": OTHER_ACCOUNT}
    peer = Peer(PeerType.SECURITY_GROUP, "db", OTHER_ACCOUNT)
    services = [("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)]
    assert read_flat_permission(given, IN).rules == tuple(SecurityGroupRule(IN, *item, peer) for item in services)


def test_a_flat_call_with_ranges_of_both_versions_is_two_rules() -> None:
    given = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "10.0.0.0/8", "cidrIpv6": "::/0"}
    assert [rule.peer.value for rule in read_flat_permission(given, IN).rules] == ["10.0.0.0/8", "::/0"]


@pytest.mark.parametrize(
    ("permission", "key"),
    [
        ({"fqdnRanges": {"items": [{"fqdn": "*"}]}}, "fqdnRanges"),
        ({"ipRanges": {"items": [{"cidrIp": "10.0.0.0/8", "cidrIpv6": "::/0"}]}}, "cidrIpv6"),
        ({"groups": [{"groupId": "sg-1", "allGroups": True}]}, "allGroups"),
    ],
)
def test_a_key_that_is_set_and_not_known_is_named(permission: dict[str, Any], key: str) -> None:
    given = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipv6Ranges": {"items": [{"cidrIpv6": "::/0"}]}}
    assert read_ip_permissions([{**given, **permission}], IN).unknown_keys == (key,)


@pytest.mark.parametrize("value", [None, "", {}, [], {"items": []}])
def test_a_key_that_is_not_known_and_not_set_is_nothing(value: object) -> None:
    given = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": [{"cidrIp": "10.0.0.0/8"}]}
    assert read_ip_permissions([{**given, "fqdnRanges": value}], IN).unknown_keys == ()


def test_every_spelling_of_a_permissions_keys_is_read() -> None:
    given = {"IPPROTOCOL": "tcp", "fromport": 22, "ToPort": 22, "UserIdGroupPairs": [{"GROUPID": "sg-1"}]}
    assert [rule.peer.value for rule in read_ip_permissions([given], IN).rules] == ["sg-1"]


@pytest.mark.parametrize(("length", "shown"), [(78, f"'{'x' * 78}'"), (79, f"'{'x' * 76}…")])
def test_a_value_that_is_no_port_is_shown_up_to_80_characters(length: int, shown: str) -> None:
    reading = read_ip_permissions(items(permission("tcp", "x" * length, 22, v4=("0.0.0.0/0",))), IN)
    assert any(problem.endswith(f"is not a number: {shown}") for problem in reading.unread), reading.unread
