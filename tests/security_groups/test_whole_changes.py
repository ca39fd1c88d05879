"""What is read of a record, whole, with what no alert shows: tags, ids, what a call gives and takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.records import read_record
from chalicelib.security_groups import wire_rules
from chalicelib.security_groups.changes import Change, NotUnderstood, NotWatched
from chalicelib.security_groups.ec2_format import to_ip_permissions
from chalicelib.security_groups.parse import named_group, read_change
from chalicelib.security_groups.request_keys import REQUEST_KEYS
from chalicelib.security_groups.rules import (
    Direction,
    ModifiedRule,
    Peer,
    PeerType,
    RuleDiff,
    SecurityGroupRule,
    diff,
    invert,
)
from chalicelib.security_groups.rules import apply as applied
from chalicelib.security_groups.wire_shapes import KeyNames, fold, items
from tests.support import records as r
from tests.support.goldens import check_golden
from tests.support.unknowns import sentences

Json = dict[str, Any]


def tagged(**specifications: Any) -> Json:
    record = r.authorize(r.permission("tcp", 22, v4=("10.0.0.0/8",)))
    return record | {"requestParameters": record["requestParameters"] | specifications}


def specification(kind: object, key: str = "tags", **tags: object) -> Json:
    return {"resourceType": kind, key: [{"key": name, "value": value} for name, value in tags.items()]}


def with_tags() -> Iterator[tuple[str, Json]]:
    rule_tags, group_tags = specification("security-group-rule", a="1", b=None), specification("security-group", c="2")
    yield "tags of the rule", tagged(tagSpecificationSet=r.items(rule_tags))
    yield "tags of the rule and the group", tagged(tagSpecificationSet=r.items(group_tags, rule_tags, rule_tags))
    yield "tags under another name", tagged(tagSpecification=specification("security-group-rule", "tag", a="1"))
    yield "tags of nothing", tagged(tagSpecificationSet=r.items({"tags": [{"key": "a", "value": "1"}]}))
    listed = r.stored(cidrIpv4="0.0.0.0/0", tagSet=r.items({"key": "k", "value": "v"}, {"value": "x"}, {"key": "e"}))
    for name, made in {"authorize": r.authorize, "revoke": r.revoke}.items():
        found = "securityGroupRuleSet" if name == "authorize" else "revokedSecurityGroupRuleSet"
        answer = {found: r.items(listed, r.stored("sgr-2", cidrIpv4="10.0.0.0/8", tagSet={}))}
        yield f"{name}, the answer has tags", made(r.world(), r.permission(v4=("10.0.0.0/8",)), answer=answer)


def with_answers() -> Iterator[tuple[str, Json]]:
    yield (
        "the answer has an id and the request the words",
        r.authorize(
            r.permission(v4=({"cidrIp": "0.0.0.0/0", "description": "office"},)),
            r.permission(
                groups=({"groupId": r.PEER_ID, "userId": r.OTHER_ACCOUNT, "vpcId": "vpc-2", "description": "x"},)
            ),
            answer={
                "securityGroupRuleSet": r.items(
                    r.stored(cidrIpv4="0.0.0.0/0"), r.stored("sgr-2", referencedGroupInfo={"groupId": r.PEER_ID})
                )
            },
        ),
    )
    whole = r.stored(cidrIpv4="10.0.0.0/8", description="x", tagSet=r.items({"key": "k", "value": "v"}))
    whole |= {"referencedGroupInfo": {"groupId": "sg-2"}, "prefixListId": "pl-1", "cidrIpv6": "::/0"}
    for name, spelled in {"capitals": str.title, "small letters": str.lower, "capitals alone": str.upper}.items():
        rule = {
            (key[:1].upper() + key[1:] if spelled is str.title else spelled(key)): value for key, value in whole.items()
        }
        answer = {"securityGroupRuleSet": r.items(rule)}
        yield f"an answer in {name}", r.authorize(r.permission("tcp", 1, v4=("192.0.2.0/24",)), answer=answer)
    peers: tuple[Json, ...] = (
        *({"cidrIpv4": "10.0.0.0/8", "cidrIpv6": "::/0"}, {"cidrIp": "10.0.0.0/8"}, {"prefixListId": "pl-1"}),
        *({"referencedGroupId": "sg-2"}, {"referencedGroupInfo": {"groupId": "sg-2", "userId": "1", "vpcId": "vpc-2"}}),
        *({"cidrIpv4": ["10.0.0.0/8"], "prefixListId": "pl-1"}, {"cidrIpv4": "", "referencedGroupId": {}}, {}),
    )
    for peer in peers:
        answer = {"securityGroupRuleSet": r.items(r.stored(**peer))}
        yield f"an answer with {peer}", r.authorize(r.permission("tcp", 1, v4=("192.0.2.0/24",)), answer=answer)
    for said in (True, "true", "True", False, "false", None, "no"):
        answer = {"securityGroupRuleSet": r.items(r.stored(cidrIpv4="10.0.0.0/8") | {"isEgress": said})}
        yield f"an answer that says egress {said!r}", r.authorize(r.permission(v4=("10.0.0.0/8",)), answer=answer)
        update = r.new_values(CidrIpv4="10.0.0.0/8", IsEgress=said)
        yield f"an update that says egress {said!r}", r.modify(update)


def with_values() -> Iterator[tuple[str, Json]]:
    protocols: tuple[object, ...] = (
        6,
        "6",
        "006",
        "17",
        1,
        "58",
        "TCP",
        " udp ",
        "ALL",
        -1,
        "-1",
        "icmpv6",
        "47",
        "esp",
        "1234567",
        None,
        [],
        True,
    )
    for protocol in protocols:
        yield f"protocol {protocol!r}", r.authorize(r.permission(protocol, 7, 9, v4=("10.0.0.0/8",)))
    ports: tuple[object, ...] = (None, "", "22", 22.0, 22.5, -1, -2, 65535, 65536, "x", True, [], 1e400, "1" * 5000)
    for port in ports:
        entry = r.permission("tcp", 0, v4=("10.0.0.0/8",)) | {"fromPort": port}
        yield f"from port {str(port)[:9]!r}", r.authorize(entry)
        entry = r.permission("icmp", 3, v4=("10.0.0.0/8",)) | {"toPort": port}
        yield f"code {str(port)[:9]!r}", r.authorize(entry)
    for cidr in ("10.1.2.3/8", "::1/0", "2001:DB8::/32", "10.0.0.0/8 ", "10.0.0.1", "nowhere", 7, ["10.0.0.0/8"]):
        yield f"range {cidr!r}", r.authorize(r.permission(v4=({"cidrIp": cidr},)))
        yield f"IPv6 range {cidr!r}", r.authorize(r.permission(v6=({"cidrIpv6": cidr},)))
    for name, given in {
        "a group by name": {"groupName": "web"},
        "a group by name and id": {"groupName": "web", "groupId": "sg-2", "userId": 12},
        "a group in pieces": {"GroupId": "sg-2", "UserId": "1", "VpcId": "vpc-2"},
        "a group over a peering": {"groupId": "sg-2", "vpcPeeringConnectionId": "pcx-1", "peeringStatus": "active"},
    }.items():
        yield name, r.authorize(r.permission(groups=(given,)))
    deep: Any = "10.0.0.0/8"
    for _ in range(30_000):
        deep = [deep]
    yield "nested too deeply", r.authorize(r.permission(v4=({"cidrIp": deep},)))


def with_requests() -> Iterator[tuple[str, Json]]:
    yield (
        "ids among the descriptions",
        r.record(
            "UpdateSecurityGroupRuleDescriptionsIngress",
            {
                "groupId": r.GROUP_ID,
                "securityGroupRuleDescriptions": r.items(
                    {"securityGroupRuleId": "sgr-1", "x": 1}, {"description": "d"}
                ),
            },
        ),
    )
    yield (
        "a revoke by ids with more",
        r.record(
            "RevokeSecurityGroupIngress",
            {
                "groupId": r.GROUP_ID,
                "securityGroupRuleIds": r.items({"securityGroupRuleId": "sgr-1", "x": 1}, "sgr-1", ""),
            },
        ),
    )
    yield "an update with more", r.modify(r.new_values(CidrIpv4="10.0.0.0/8") | {"Extra": 1})
    yield "an update of nothing", r.modify({"SecurityGroupRuleId": "sgr-1"})
    yield (
        "a group of the answer's rules",
        r.authorize(
            r.world(),
            group={"groupName": "web"},
            answer={"securityGroupRuleSet": r.items({}, r.stored(cidrIpv4="0.0.0.0/0"))},
        ),
    )
    for key in ("requestParameters", "responseElements"):
        for given in (None, {}, "x", {"omitted": "true"}, {"omitted": False}, {"omitted": True, "groupId": "sg-3"}):
            for name, record in {"create": r.create(), "delete": r.delete(), "revoke": r.revoke(r.world())}.items():
                yield f"{name} with {key} {given!r}", record | {key: given}


def with_groups() -> Iterator[tuple[str, Json]]:
    for name, request in {
        "wrapped twice": {"ModifyVpcEndpointRequest": {"VpcEndpointId": "vpce-1"}, "VpcEndpointId": "vpce-2"},
        "wrapped in lower case": {
            "modify_vpc_endpoint_request": {"vpcendpointid": "vpce-1", "addsecuritygroupids": "sg-2"}
        },
        "wrapped as a request": {"request": {"vpcEndpointId": "vpce-1", "addSecurityGroupIds": ["sg-2", "sg-2"]}},
        "a wrapper that holds nothing": {"ModifyVpcEndpointRequest": "vpce-1"},
        "an endpoint nowhere": {"addSecurityGroupIds": "sg-2"},
        "groups that are none": {"vpcEndpointId": "vpce-1", "removeSecurityGroupIds": {"x": 1}},
        "nothing at all": {"dryRun": "true"},
        "groups with odd keys": {
            "vpcEndpointId": "vpce-1",
            "addSecurityGroupIds": {"x": "sg-2", "tag": 1, "id": "sg-3"},
        },
    }.items():
        yield name, r.record("ModifyVpcEndpoint", request)
    for given in (
        "sg-1, sg-2",
        '["sg-1"]',
        {"groupName": "web"},
        {"items": [{"groupName": " web "}]},
        "not-sg-1",
        7,
        {"tag": 1},
    ):
        request = {"loadBalancerName": "old", "securityGroups": given}
        yield f"groups {given!r}", r.record("ApplySecurityGroupsToLoadBalancer", request, eventSource=r.ELB)
    keys = (
        "groupId",
        "GroupName",
        "securityGroupId",
        "security_group",
        "content",
        "value",
        "item",
        "member",
        "id",
        "x",
    )
    for key in keys:
        request = {"loadBalancerName": "old", "securityGroups": [{key: "web", "tag": 1}]}
        yield f"a group under {key}", r.record("ApplySecurityGroupsToLoadBalancer", request, eventSource=r.ELB)
    for attribute in ("groupSet", "group_id", "securityGroups", "userData", 7):
        request = {"instanceId": "i-1", "attribute": attribute, "value": "sg-1"}
        yield f"attribute {attribute!r}", r.record("ModifyInstanceAttribute", request)
    odd = {"instanceId": "i-1", "value": "sg-1", "extra": "sg-2"}
    for key in (
        "addGroupId",
        "add_security_groups",
        "AddSecurityGroupIds",
        "removeGroupIds",
        "removeSecurityGroupId.1",
    ):
        yield f"an endpoint's {key}", r.record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", key: "sg-1"})
    for key in ("groups", "GroupId", "group_ids", "securityGroupIds", "security_groups", "groupSet.1"):
        yield f"an instance's {key}", r.record("ModifyInstanceAttribute", {"instanceId": "i-1", key: "sg-1"})
    for key in ("group_id", "GROUPID", "groupid"):
        yield f"a group's {key}", r.record("DeleteSecurityGroup", {key: r.GROUP_ID})
    both = {"instanceId": "i-1", "attribute": "groupSet", "value": "sg-1", "groupSet": r.items({"groupId": "sg-2"})}
    yield "a value beside the groups", r.record("ModifyInstanceAttribute", both)
    yield "a value of no attribute", r.record("ModifyInstanceAttribute", odd)
    yield "no instance", r.record("ModifyInstanceAttribute", {"groupSet": r.items({"groupId": "sg-1"})})
    yield "no group of an instance", r.record("ModifyInstanceAttribute", {"instanceId": "i-1", "userData": "x"})
    yield "a client vpn nowhere", r.record("ModifyClientVpnEndpoint", {"vpcId": r.VPC_ID})
    yield (
        "a client vpn that names no group",
        r.record("ApplySecurityGroupsToClientVpnTargetNetwork", {"clientVpnEndpointId": "c"}),
    )


def with_entries() -> Iterator[tuple[str, Json]]:
    for number in ("3", 3, "x", "-1", "9" * 18, "9" * 19, 3.0):
        request = {"prefixListId": "pl-1", "currentVersion": number, "removeEntries": r.items({"cidr": "10.0.0.0/8"})}
        yield f"version {number!r}", r.record("ModifyManagedPrefixList", request)
    for name in ("ModifyManagedPrefixList", "ModifyIpamPrefixListResolverTarget", "ModifyIpamPrefixListResolver"):
        yield f"{name} of nothing", r.record(name, {"dryRun": "false"})
        yield f"{name} of nothing, denied", r.record(name, {"dryRun": "false"}, errorCode=r.DENIED)
    yield (
        "entries of a list nowhere",
        r.record("ModifyManagedPrefixList", {"addEntries": r.items({"cidr": "::/0", "x": 1})}),
    )
    yield (
        "rules of a resolver nowhere",
        r.record("ModifyIpamPrefixListResolver", {"rules": r.items({"staticCidr": "::/0"})}),
    )
    answer = {
        "ipamPrefixListResolverTarget": {
            "prefixListId": "pl-1",
            "ipamPrefixListResolverId": "i",
            "ipamPrefixListResolverTargetId": "t",
        }
    }
    yield "a target by its answer", r.record("ModifyIpamPrefixListResolverTarget", {"dryRun": "false"}, answer)
    yield "not watched", r.record("RunInstances", {"a": 1})
    yield "of another service", r.create(eventSource="rds.amazonaws.com")
    yield "of no service", r.create(eventSource=None)
    for code in (
        "-",
        "None",
        "OK",
        "200",
        "Server.DryRunOperation",
        "Client.UnauthorizedOperation.Other",
        "AccessDenied",
        "Other",
    ):
        yield f"error code {code}", r.authorize(r.world(), errorCode=code)


def records() -> Iterator[tuple[str, Json]]:
    yield from r.samples().items()
    yield from r.other_samples().items()
    for made in (with_tags, with_answers, with_values, with_requests, with_groups, with_entries):
        yield from made()


def said(change: Change) -> Iterator[str]:
    """Every field that is not as it is by default."""
    default = Change(change.event, change.outcome)
    yield f"{change.event.name} {change.outcome} {change.direction}{' keeps its groups' if change.keeps_groups else ''}"
    for name, value in change._asdict().items():
        if name == "changes":
            yield from (
                f"{key}: {_shown(some)}"
                for key, some in value._asdict().items()
                if some != getattr(default.changes, key)
            )
        elif name not in ("event", "outcome") and value != getattr(default, name):
            yield f"{name}: {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, SecurityGroupRule):
        peer = " ".join(filter(None, value.peer))
        words = [
            value.direction,
            value.protocol,
            value.from_port,
            value.to_port,
            peer,
            value.description,
            value.id,
            value.tags,
        ]
        return f"<{' '.join(map(str, words))}; {value.ports}>"
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        inner = (
            [f"{key}={_shown(some)}" for key, some in zip(fields, value, strict=True)] if fields else map(_shown, value)
        )
        return f"({'; '.join(inner)})"
    return str(value)


def read(record: Json) -> Iterator[str]:
    try:
        yield from said(read_change(read_record(record)))
    except (NotUnderstood, NotWatched) as error:
        yield f"{type(error).__name__}: {error}"
    yield f"named: {named_group(read_record(record))}"


def test_what_is_read_of_records_word_for_word() -> None:
    lines = [line for name, record in records() for line in (f"== {name}", *(f"  {each}" for each in read(record)))]
    check_golden(Path("changes") / "read.txt", "\n".join(lines) + "\n")


def rule(
    value: str, low: int | None = 22, high: int | None = 22, protocol: str = "tcp", **fields: Any
) -> SecurityGroupRule:
    starts = {"pl-": PeerType.PREFIX_LIST, "sg-": PeerType.SECURITY_GROUP, "web": PeerType.SECURITY_GROUP}
    kind = starts.get(value[:3]) or (PeerType.IPV6 if ":" in value else PeerType.IPV4)
    peer = Peer(kind, value, fields.pop("account", None), fields.pop("vpc", None))
    return SecurityGroupRule(fields.pop("direction", Direction.INGRESS), protocol, low, high, peer, **fields)


RULES = (
    *(rule("10.0.0.0/8", description="office", id="sgr-1"), rule("::/0", -1, -1), rule("10.0.0.0/8", 22, None)),
    *(
        rule("10.0.0.0/8", None, 22),
        rule("10.0.0.0/8", 22, -1),
        rule("pl-1", 3, None, "icmp"),
        rule("pl-1", None, None, "icmpv6"),
    ),
    *(rule("sg-1", 1, 2, "50", account="1", vpc="vpc-1", description=""), rule("web", None, None, "-1", account="1")),
)


def test_rules_are_written_for_ec2_word_for_word() -> None:
    lines = [f"{_shown(each)}\n  {to_ip_permissions([each])}\n  {each.identity}" for each in RULES]
    lines += [f"undescribed\n  {to_ip_permissions(RULES[:1], described=False)}"]
    check_golden(Path("changes") / "ec2_format.txt", "\n".join(lines) + "\n")


def test_a_rule_is_the_same_whatever_its_tags_are_and_no_other() -> None:
    one = rule("10.0.0.0/8", tags=(("a", "1"),))
    assert one == rule("10.0.0.0/8")
    assert hash(one) == hash(rule("10.0.0.0/8"))
    assert not one != rule("10.0.0.0/8")  # noqa: SIM202 - the operator is what is asked
    assert one != rule("10.0.0.0/8", id="sgr-1")
    assert one != tuple(one)
    assert one.identity == rule("10.0.0.0/8", id="sgr-1", description="x").identity
    assert rule("10.0.0.0/8", direction=None).identity[0] == ""


def test_a_peer_is_completed_by_the_same_peer_alone() -> None:
    bare, full = Peer(PeerType.SECURITY_GROUP, "sg-1"), Peer(PeerType.SECURITY_GROUP, "sg-1", "1", "vpc-1")
    assert bare.completed(full) == full
    assert full.completed(bare) == full
    assert full._replace(vpc_id=None).completed(full._replace(account_id="2")) == full
    assert bare.completed(full._replace(value="sg-2")) == bare
    assert bare.completed(full._replace(type=PeerType.PREFIX_LIST)) == bare


def test_rules_are_matched_by_id_and_then_by_what_they_are() -> None:
    kept, moved, described = rule("10.0.0.0/8"), rule("10.0.0.0/8", 23, 23, id="sgr-1"), rule("::/0", id="sgr-2")
    before = [kept, moved, described, rule("pl-1"), rule("pl-2")]
    after = [
        rule("192.0.2.0/24", id="sgr-1"),
        rule("::/0", description="x"),
        rule("pl-1"),
        kept,
        rule("sg-2", id="sgr-9"),
    ]
    found = diff(before, after)
    assert found == RuleDiff(
        added=(after[4],),
        removed=(before[4],),
        modified=(ModifiedRule(moved, after[0]), ModifiedRule(described, after[1])),
    )
    assert [bool(found), bool(RuleDiff()), bool(diff(before, before))] == [True, False, False]
    assert [bool(RuleDiff(**{kind: getattr(found, kind)})) for kind in ("added", "removed", "modified")] == [True] * 3
    assert set(applied(before, found)) == set(after)
    assert invert(found) == RuleDiff(
        (before[4],), (after[4],), (ModifiedRule(after[0], moved), ModifiedRule(after[1], described))
    )
    unknown = RuleDiff(modified=(ModifiedRule(None, kept),))
    assert invert(unknown) == RuleDiff()
    assert applied([kept], unknown) == (kept,)
    twice = diff([rule("10.0.0.0/8"), rule("10.0.0.0/8")], [rule("10.0.0.0/8")])
    assert twice == RuleDiff(removed=(rule("10.0.0.0/8"),))


def test_spellings_of_a_key_and_wrappers_of_a_list_fold_into_one() -> None:
    names = ("groupSet", "Groups", "group_s", "GROUP", "group.1.2", "group-set", "groupss", "settings", "a.1b")
    assert [fold(name) for name in names] == [
        "group",
        "group",
        "group",
        "group",
        "group",
        "group",
        "groups",
        "setting",
        "a.1b",
    ]
    lists: list[object] = [
        *(
            None,
            [],
            {},
            {"items": None},
            {"items": []},
            {"items": [1]},
            {"item": 1},
            {"member": {"items": [1, 2]}},
            "x",
            0,
        ),
        *(
            {"a": 1},
            {"items": [1], "tag": 1},
            {"items": [1], "a": 2},
            {"items": [1], "a": ""},
            {"items": [1], "member": 2},
        ),
        {"items": {"items": {}}},
    ]
    assert [items(each) for each in lists] == [
        *([], [], [], [], [], [1], [1], [1, 2], ["x"], [0], [{"a": 1}], [1], [1, {"a": 2}], [1], [1, 2], []),
    ]


@pytest.mark.parametrize("said", [True, "true", False])
def test_a_direction_that_a_request_names_is_not_believed_and_said(said: object) -> None:
    alert = alert_of(r.modify(r.new_values(CidrIpv4="0.0.0.0/0", IsEgress=said)))
    assert (alert.severity, alert.changes.modified[0].after.direction) == ("critical", None)
    assert "part of the request: the key IsEgress, which sgwatch does not know" in sentences(alert.unknowns)


def test_every_key_is_found_under_its_own_name() -> None:
    tables = [names for names in vars(wire_rules).values() if isinstance(names, KeyNames)]
    for names in (*REQUEST_KEYS.values(), *tables):
        own = names.spelled - {"tag", "content"}
        assert {names.by_folded[fold(name)] for name in own} == own
