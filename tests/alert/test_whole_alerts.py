"""Alerts word for word: one of every kind of call, peer, outcome and look-up, and of texts that were made to harm.

The goldens hold all that an alert says that is not the same in every other: ``git diff`` reviews them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chalicelib.alert.build import alert_of, not_a_record, not_of_our_rule
from chalicelib.alert.model import Alert, to_json
from chalicelib.alert.resolution import RecordAlone, Resolution
from chalicelib.cloudtrail.catalog import EVENTS, EventGroup, WatchedEvent
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.cloudtrail.tamper_calls import TAMPER_CALLS, TamperCall
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.controls import ADMINISTRATION_PORTS, HIGH_RISK_PORTS
from chalicelib.security_groups.lookup_result import GroupInfo, Interface, LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.unknowns import other
from tests.alert.test_tampering import request_of
from tests.support import records as r
from tests.support.goldens import check_golden

Json = dict[str, Any]

# A line break, a color, a text that runs backwards, a letter under three marks, and more of it than any place takes.
HOSTILE = "a\nb\x1b[31m\u202ec\u0301\u0301\u0301'\"`$(id)*?\\" + "x" * 130


class Known(NamedTuple):
    """What was found out: the group's rules before and after, what each modified rule was, and the look-ups."""

    before: tuple[SecurityGroupRule, ...] | None = None
    after: tuple[SecurityGroupRule, ...] | None = None
    was: tuple[SecurityGroupRule, ...] = ()
    groups_before: tuple[str, ...] | None = None
    is_guessed: bool = False
    group: GroupInfo | None = None
    notes: tuple[str, ...] = ()
    looked_up: LookupResult = LookupResult()


class Resolver(RecordAlone):
    """Finds out what it was given."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:
        known = self._known
        if known.was:
            pairs = zip(known.was, change.changes.modified, strict=True)
            modified = tuple(ModifiedRule(was, item.after._replace(direction=was.direction)) for was, item in pairs)
            change = change._replace(changes=change.changes._replace(modified=modified, before_known=True))
        if change.attachment is not None:
            change = change._replace(attachment=change.attachment._replace(groups_before=known.groups_before))
        if change.event.name == "DeleteSecurityGroup" and known.before is not None:
            changes = change.changes._replace(removed=known.before, before_known=True)
            change = change._replace(changes=changes, group_name=known.group and known.group.name, unknowns=())
        resolved = ResolvedChange(change, known.before, known.before is not None, known.after, known.is_guessed)
        return Resolution(resolved, known.looked_up, known.group, notes=known.notes)


def rule(
    value: str,
    low: int | None = 22,
    high: int | None = None,
    *,
    protocol: str = "tcp",
    direction: Direction | None = Direction.INGRESS,
    **fields: Any,
) -> SecurityGroupRule:
    starts = {"pl-": PeerType.PREFIX_LIST, "sg-": PeerType.SECURITY_GROUP}
    kind = starts.get(value[:3]) or (PeerType.IPV6 if ":" in value else PeerType.IPV4)
    account = fields.pop("account", None)
    return SecurityGroupRule(
        direction, protocol, low, low if high is None else high, Peer(kind, value, account), **fields
    )


def permission(peer: str | Json, protocol: object = "tcp", low: object = 22, high: object = None) -> Json:
    text = str(next(iter(peer.values()))) if isinstance(peer, dict) else peer
    starts = {"pl-": "lists", "sg-": "groups"}
    key = starts.get(text[:3]) or ("v6" if ":" in text else "v4")
    return r.permission(protocol, low, high, **{key: (peer,)})


def but(fields: dict[str, object]) -> Json:
    """A record that opens SSH to the world, with other fields; those that are ABSENT left out."""
    return {key: value for key, value in {**r.authorize(r.world()), **fields}.items() if value is not r.ABSENT}


SERVICES: tuple[tuple[object, ...], ...] = (
    *(("tcp", 22), ("tcp", 443), ("tcp", 8443), ("tcp", 20, 25), ("tcp", 3000, 9300), ("tcp", 0, 65535)),
    *(("udp", 53), ("icmp", -1), ("icmp", 8, -1), ("icmp", 3, 4), ("icmpv6", 128, 0), ("50", None), ("-1", None)),
)
V4 = (
    *("0.0.0.0/0", "0.0.0.0/1", "0.0.0.0/2", "8.0.0.0/8", "203.0.113.0/24", "203.0.113.9/32", "0.0.0.0/4"),
    *("10.0.0.0/8", "10.1.2.3/32", "240.0.0.0/4", "240.0.0.1/32", "100.64.0.0/10", "172.0.0.0/8", "11.0.0.0/32"),
)
V6 = (
    *("::/0", "2000::/3", "2600::/16", "2001:db8::/32", "2001:db8::1/128", "fc00::/7", "fe80::1/128", "1000::/3"),
    *("::/2", "everywhere", r.LIST_ID, r.PEER_ID),
)
LISTS = {
    "pl-all": PrefixList("all", aws_managed=False, cidrs=("0.0.0.0/0", "::/0"), owner_id=r.ACCOUNT),
    "pl-quarter": PrefixList("quarter", aws_managed=False, cidrs=("0.0.0.0/2",), owner_id=r.ACCOUNT),
    "pl-many": PrefixList(
        "many", aws_managed=False, cidrs=tuple(f"203.0.113.{n}/32" for n in range(5)), owner_id=r.ACCOUNT
    ),
    "pl-both": PrefixList(None, aws_managed=False, cidrs=("8.0.0.0/8", "2001:db8::/32"), owner_id=r.OTHER_ACCOUNT),
    "pl-inner": PrefixList("inner", aws_managed=False, cidrs=("10.0.0.0/8",), owner_id=r.ACCOUNT, is_whole=False),
    "pl-empty": PrefixList("empty", aws_managed=False, cidrs=(), owner_id=r.ACCOUNT),
    "pl-theirs": PrefixList("theirs", aws_managed=False, cidrs=(), owner_id=r.OTHER_ACCOUNT),
    "pl-odd": PrefixList("odd", aws_managed=False, cidrs=("everywhere",), owner_id=r.ACCOUNT),
    "pl-aws": PrefixList("com.amazonaws.eu-west-1.s3", aws_managed=True, cidrs=("0.0.0.0/0",), owner_id="AWS"),
    "pl-hostile": PrefixList(HOSTILE, aws_managed=False, cidrs=("203.0.113.0/24",), owner_id=HOSTILE, is_whole=False),
}
GROUPS = {
    "sg-open": GroupInfo("sg-open", "open", rules=(rule("0.0.0.0/0"), rule("0.0.0.0/0", direction=Direction.EGRESS))),
    "sg-inner": GroupInfo("sg-inner", "inner", rules=(rule("10.0.0.0/8"),)),
    "sg-half": GroupInfo("sg-half", None, rules=(rule("0.0.0.0/1"),)),
    "sg-list": GroupInfo("sg-list", "list", rules=(rule(r.LIST_ID), rule(r.LIST_ID, direction=Direction.EGRESS))),
    "sg-hostile": GroupInfo("sg-hostile", HOSTILE, rules=(rule("203.0.113.0/24"), rule(r.LIST_ID, 3389))),
    r.PEER_ID: GroupInfo(r.PEER_ID, "peers"),
}
ADDRESSES = (
    Interface("eni-1", (r.GROUP_ID,), "i-1", "ec2", ("203.0.113.7", "2001:db8::7", "203.0.113.7")),
    Interface("eni-2", (r.GROUP_ID,), "i-1", "lambda", tuple(f"203.0.113.{n}" for n in range(10, 14))),
)


def calls_from_v4() -> Iterator[tuple[str, Alert]]:
    for service, peer in product(SERVICES, V4):
        yield f"{service} from {peer}", alert_of(r.authorize(permission(peer, *service)))


def calls_from_others() -> Iterator[tuple[str, Alert]]:
    for service, peer in product(SERVICES, V6):
        yield f"{service} from {peer}", alert_of(r.authorize(permission(peer, *service)))


def calls_with_ports() -> Iterator[tuple[str, Alert]]:
    for port in sorted({*HIGH_RISK_PORTS, *ADMINISTRATION_PORTS, 80, 443, 0, 65535}):
        for protocol in ("tcp", "udp"):
            yield f"{protocol}/{port}", alert_of(r.authorize(permission("0.0.0.0/0", protocol, port)))
    for low, high in ((20, 21), (80, 443), (21, 24), (23, 3389), (1, 19), (443, 444), (3388, 3390), (100, 5986)):
        yield f"{low} to {high}", alert_of(r.authorize(permission("0.0.0.0/0", "tcp", low, high)))
        yield f"{low} to {high}, IPv6", alert_of(r.authorize(permission("::/0", "udp", low, high)))


def calls_out() -> Iterator[tuple[str, Alert]]:
    for service, peer in product((("tcp", 22), ("-1", None)), (*V4, *V6, *LISTS)):
        known = Known(looked_up=LookupResult(prefix_lists=LISTS))
        yield (
            f"{service} out to {peer}",
            alert_of(r.authorize(permission(peer, *service), direction="Egress"), Resolver(known)),
        )


def calls_with_lists() -> Iterator[tuple[str, Alert]]:
    known = Known(looked_up=LookupResult(prefix_lists=LISTS, groups=GROUPS, interfaces=ADDRESSES))
    for service, peer in product((("tcp", 22), ("tcp", 443), ("-1", None)), (*LISTS, r.PEER_ID)):
        yield f"{service} from {peer}", alert_of(r.authorize(permission(peer, *service)), Resolver(known))
    for peer in ("0.0.0.0/0", "::/0", "203.0.113.0/24", "10.0.0.0/8"):
        yield f"8443 from {peer} with addresses", alert_of(r.authorize(permission(peer, "tcp", 8443)), Resolver(known))
    odd = Known(looked_up=LookupResult(interfaces=(Interface("eni-3", public_addresses=("odd", "203.0.113.9")),)))
    yield "8443 with an odd address", alert_of(r.authorize(permission("0.0.0.0/0", "tcp", 8443)), Resolver(odd))
    two = known._replace(looked_up=LookupResult(interfaces=ADDRESSES[:1]))
    yield "8443 with two addresses", alert_of(r.authorize(permission("0.0.0.0/0", "tcp", 8443)), Resolver(two))
    stranger = {"groupId": r.PEER_ID, "userId": r.OTHER_ACCOUNT, "vpcId": "vpc-2", "description": "peering"}
    yield "a group of another account", alert_of(r.authorize(permission(stranger)), Resolver(known))


def calls_together() -> Iterator[tuple[str, Alert]]:
    def several(*permissions: Json, **known: Any) -> Alert:
        return alert_of(r.authorize(*permissions), Resolver(Known(**known)))

    halves = ("0.0.0.0/1", "128.0.0.0/1")
    yield "two halves", several(*map(permission, halves))
    yield "two halves of IPv6", several(permission("::/1"), permission("8000::/1"))
    yield (
        "two halves by all traffic and tcp",
        several(permission(halves[0], "-1", None), permission(halves[1], "tcp", 20, 30)),
    )
    yield "two eighths", several(permission("0.0.0.0/3"), permission("32.0.0.0/3"))
    yield "two halves of an /8", several(permission("8.0.0.0/9"), permission("8.128.0.0/9"))
    yield "two halves of an IPv6 /16", several(permission("2600::/17"), permission("2600:8000::/17"))
    yield "a half beside the other", several(permission(halves[0]), before=(rule(halves[1]),))
    yield "a half beside the other, guessed", several(permission(halves[0]), before=(rule(halves[1]),), is_guessed=True)
    yield "what was there", several(permission("0.0.0.0/0"), before=(rule("0.0.0.0/0", 0, 65535),))
    yield (
        "what was there, guessed",
        several(permission("0.0.0.0/0"), before=(rule("0.0.0.0/0", 0, 65535),), is_guessed=True),
    )
    yield "what a guess shows alike", several(permission("0.0.0.0/0"), before=(rule("0.0.0.0/0"),), is_guessed=True)
    yield (
        "the worst of four",
        several(
            permission("10.0.0.0/8"), permission("0.0.0.0/0", "tcp", 443), permission("0.0.0.0/0"), permission("::/0")
        ),
    )
    yield "a part of the internet, then all", several(permission("8.0.0.0/8"), permission("0.0.0.0/0", "tcp", 443))
    before = (
        rule("10.0.0.0/8"),
        rule("192.168.0.0/16"),
        rule("203.0.113.0/24", 0, 65535),
        rule("198.51.100.0/24", 21, 23),
    )
    yield "who could before", several(permission("0.0.0.0/0"), before=before)
    yield "nobody could before", several(permission("0.0.0.0/0"), before=(rule("0.0.0.0/0", 23), rule("0.0.0.0/0", 21)))
    default = {"groupId": r.GROUP_ID, "groupName": "default"}
    for direction in ("Ingress", "Egress"):
        record = r.authorize(permission("10.0.0.0/8"), direction=direction, group=default)
        yield f"{direction} of a default group", alert_of(record)
    looked_up = LookupResult(groups={r.GROUP_ID: GroupInfo(r.GROUP_ID, "default")})
    yield "a default group by a look-up", several(permission("10.0.0.0/8"), looked_up=looked_up)


def removals() -> Iterator[tuple[str, Alert]]:
    answer = {"revokedSecurityGroupRuleSet": r.items(r.stored(cidrIpv4="0.0.0.0/0", description="office"))}
    many = [permission(peer) for peer in ("10.0.0.0/8", "0.0.0.0/0", "203.0.113.0/24", r.PEER_ID, r.LIST_ID, "::/0")]
    yield "by values", alert_of(r.revoke(*many))
    yield "egress", alert_of(r.revoke(permission("0.0.0.0/0", "-1", None), direction="Egress"))
    yield "with an answer", alert_of(r.revoke(permission("0.0.0.0/0"), answer=answer))
    yield (
        "others allow the same",
        alert_of(
            r.revoke(permission("0.0.0.0/0"), answer=answer), Resolver(Known(after=(rule("0.0.0.0/0", 0, 65535),)))
        ),
    )
    yield "by an id", alert_of(r.revoke_by_ids(r.RULE_ID, r.RULE_ID, "sgr-2"))
    yield "by ids with an answer", alert_of(r.revoke_by_ids(r.RULE_ID, "sgr-2", answer=answer))
    yield (
        "none was there",
        alert_of(r.revoke(permission("0.0.0.0/0"), answer={"unknownIpPermissionSet": r.items(r.world())})),
    )
    yield "some were there", alert_of(r.revoke(*many, answer={"unknownIpPermissionSet": r.items(r.world())}))
    yield "without an answer", alert_of(r.revoke(*many, responseElements=None))
    yield (
        "by ids without an answer",
        alert_of(
            r.revoke_by_ids(*(f"sgr-{n}" for n in range(7)), responseElements={"omitted": True, "originalSize": 9})
        ),
    )
    yield "a part cannot be read", alert_of(r.revoke(permission("0.0.0.0/0"), permission("10.0.0.0/8", "tcp", "x")))
    yield "of nothing", alert_of(r.revoke())
    yield "of no peer", alert_of(r.revoke({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22}))
    hard = [permission(peer, "tcp", port) for peer in ("0.0.0.0/0", "8.0.0.0/8") for port in (443, 22)]
    yield "the worst first", alert_of(r.revoke(permission("0.0.0.0/0", "-1", None), *hard, permission("10.0.0.0/8")))
    lists = Known(looked_up=LookupResult(prefix_lists=LISTS))
    yield "of lists", alert_of(r.revoke(*map(permission, ("pl-inner", "pl-all", "pl-many"))), Resolver(lists))


def modifications() -> Iterator[tuple[str, Alert]]:
    one = r.new_values(CidrIpv4="0.0.0.0/0")
    yield "of unknown past", alert_of(r.modify(one))
    yield "of several", alert_of(r.modify(one, r.new_values("sgr-2", 2, ReferencedGroupId=r.PEER_ID)))
    for name, before in {
        "from the same": rule("0.0.0.0/0"),
        "described otherwise": rule("0.0.0.0/0", description="office"),
        "from a private range": rule("10.0.0.0/8"),
        "from another port": rule("0.0.0.0/0", 23),
        "from all ports": rule("0.0.0.0/0", 0, 65535),
        "from another port and range": rule("10.0.0.0/8", 23, 25),
        "from a half": rule("0.0.0.0/1"),
        "from all traffic": rule("0.0.0.0/0", None, protocol="-1"),
        "from a list": rule(r.LIST_ID),
        "of egress": rule("10.0.0.0/8", direction=Direction.EGRESS),
    }.items():
        known = Known(was=(before._replace(id=r.RULE_ID),), before=(before._replace(id=r.RULE_ID),))
        yield name, alert_of(r.modify(one), Resolver(known))
    for name, before in {
        "ports of many": rule("0.0.0.0/0", 100, 110),
        "ports around": rule("0.0.0.0/0", 22, 443),
    }.items():
        wide = r.new_values(CidrIpv4="0.0.0.0/0", low=20, high=9300)
        yield name, alert_of(r.modify(wide), Resolver(Known(was=(before._replace(id=r.RULE_ID),))))
    quiet = Known(before=(rule("0.0.0.0/0", 0, 65535),), was=(rule("10.0.0.0/8", 23, id=r.RULE_ID),))
    yield "to what others allow", alert_of(r.modify(one), Resolver(quiet))
    yield "to a list", alert_of(r.modify(r.new_values(PrefixListId=r.LIST_ID)))
    yield "denied", alert_of(r.modify(one, errorCode=r.DENIED, response=None))
    for name, record in {
        "described by values": r.describe_by_values(),
        "described by ids": r.describe_by_ids(),
        "described by values, denied": r.describe_by_values(errorCode=r.DENIED),
        "described by ids, failed": r.describe_by_ids(errorCode=r.FAILED),
        "no rule described": r.record("UpdateSecurityGroupRuleDescriptionsIngress", {"groupId": r.GROUP_ID}),
        "described several": r.record(
            "UpdateSecurityGroupRuleDescriptionsEgress",
            {"groupId": r.GROUP_ID, "ipPermissions": r.items(permission("10.0.0.0/8"), permission("::/0"))},
        ),
        "no description any more": r.record(
            "UpdateSecurityGroupRuleDescriptionsIngress",
            {"groupId": r.GROUP_ID, "securityGroupRuleDescriptions": r.items({"securityGroupRuleId": "sgr-1"})},
        ),
    }.items():
        yield name, alert_of(record)


def attachments() -> Iterator[tuple[str, Alert]]:
    looked_up = LookupResult(groups=GROUPS, interfaces=ADDRESSES)

    def given(*groups: str, known: Known | None = None, **fields: Any) -> Alert:
        request = {"networkInterfaceId": "eni-1", "groupSet": r.items(*({"groupId": group} for group in groups))}
        record = r.record("ModifyNetworkInterfaceAttribute", request, **fields)
        return alert_of(record, Resolver(known) if known else RecordAlone())

    for before in (None, (), ("sg-inner",), ("sg-half",), ("sg-open",), ("sg-elsewhere",)):
        for groups in (("sg-open",), ("sg-inner", "sg-half"), ("sg-hostile",)):
            known = Known(groups_before=before, looked_up=looked_up)
            yield f"from {before} to {groups}", given(*groups, known=known)
    yield "denied", given("sg-open", errorCode=r.DENIED)
    yield "too many", given(*(f"sg-{n}" for n in range(20)), errorCode=r.FAILED)
    endpoint: Json = {"VpcEndpointId": "vpce-1"}
    added, removed = {"AddSecurityGroupId": "sg-open"}, {"RemoveSecurityGroupId": ["sg-inner", "sg-half"]}
    for name, request in {
        "both": {**endpoint, **added, **removed},
        "away": {**endpoint, **removed},
        "none": endpoint,
    }.items():
        record = r.wrapped("ModifyVpcEndpoint", request)
        yield f"endpoint: {name}", alert_of(record)
        known = Known(groups_before=("sg-inner", "sg-half"), looked_up=looked_up)
        yield f"endpoint: {name}, known", alert_of(record, Resolver(known))
        yield f"endpoint: {name}, denied", alert_of(record | {"errorCode": r.DENIED})
    names = r.other_samples()
    kinds = ("interface", "instance", "connect endpoint", "client vpn", "client vpn network")
    for kind in (*kinds, "load balancer", "classic load balancer"):
        yield kind, alert_of(names[kind], Resolver(Known(groups_before=("sg-inner", "sg-half"))))
        yield f"{kind}, dry run", alert_of(names[kind] | {"errorCode": r.DRY_RUN})
    arn = {"loadBalancerArn": r.LOAD_BALANCER_ARN, "securityGroups": [r.GROUP_ID]}
    for said in ("off", "on", " ON ", "maybe"):
        key = "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
        yield f"PrivateLink {said}", alert_of(r.record("SetSecurityGroups", {**arn, key: said}, eventSource=r.ELB))
    vpn = {"ClientVpnEndpointId": "cvpn-endpoint-1"}
    yield "client vpn of a VPC", alert_of(r.wrapped("ModifyClientVpnEndpoint", {**vpn, "VpcId": r.VPC_ID}))
    yield "client vpn otherwise", alert_of(r.wrapped("ModifyClientVpnEndpoint", {**vpn, "Description": "x"}))
    older = {"instanceId": "i-1", "attribute": "groupSet", "value": "sg-open, sg-inner"}
    yield "the older spelling", alert_of(r.record("ModifyInstanceAttribute", older))
    yield (
        "an unknown parameter with groups",
        alert_of(
            r.record("ModifyInstanceAttribute", {"instanceId": "i-1", "groupsToAttach": {"a": [{"b": "sg-open"}]}})
        ),
    )
    odd = {"networkInterfaceId": "eni-1", "groupSet": r.items({"groupId": "sg-1", "role": "admin", "tag": 1})}
    yield "an unknown key of a group", alert_of(r.record("ModifyNetworkInterfaceAttribute", odd))
    yield (
        "an unknown key of a group, denied",
        alert_of(r.record("ModifyNetworkInterfaceAttribute", odd, errorCode=r.DENIED)),
    )


def prefix_lists() -> Iterator[tuple[str, Alert]]:
    def changed(*added: str, removed: tuple[str, ...] = (), known: Known | None = None, **more: Any) -> Alert:
        request: Json = {"PrefixListId": r.LIST_ID, "CurrentVersion": 3}
        request |= {"AddEntry": [{"Cidr": cidr, "Description": "x"} for cidr in added]} if added else {}
        request |= {"RemoveEntry": [{"Cidr": cidr} for cidr in removed]} if removed else {}
        fields = {key: more.pop(key) for key in ("errorCode",) if key in more}
        record = r.wrapped("ModifyManagedPrefixList", request | more, **fields)
        return alert_of(record, Resolver(known) if known else RecordAlone())

    many = ("10.0.0.0/8", "203.0.113.0/24", "0.0.0.0/0", "198.51.100.0/24", "everywhere")
    yield "added", changed(*many)
    yield "removed", changed(removed=many)
    yield "both", changed("203.0.113.0/24", removed=("198.51.100.0/24", "0.0.0.0/0"))
    yield "private", changed("10.0.0.0/8")
    yield "unreadable", changed("everywhere", "nowhere")
    yield "renamed", changed(PrefixListName="corp")
    yield "renamed and added", changed("10.0.0.0/8", PrefixListName="corp")
    yield "denied", changed("0.0.0.0/0", removed=("10.0.0.0/8",), errorCode=r.DENIED)
    yield "an unknown key", changed(AddEntry={"Cidr": "10.0.0.0/8", "Fqdn": "example.com"})
    yield "an entry without a range", changed(AddEntry={"Description": "x"})
    for said in ("true", "false", "False "):
        yield f"filled by IPAM: {said}", changed(IpamPrefixListResolverSyncEnabled=said)
    for name, looked_up in {
        "nobody names it": LookupResult(groups={}),
        "one group": LookupResult(groups={"sg-list": GROUPS["sg-list"], "sg-open": GROUPS["sg-open"]}),
        "two groups": LookupResult(groups=GROUPS),
        "had it already": LookupResult(groups=GROUPS, entries_before=("0.0.0.0/0",)),
        "lost it again": LookupResult(groups=GROUPS, entries_after=("203.0.113.0/24",)),
        "of a name": LookupResult(groups=GROUPS, prefix_lists={r.LIST_ID: LISTS["pl-theirs"]}),
        "many groups": LookupResult(
            groups={f"sg-{n}": GroupInfo(f"sg-{n}", f"app-{n}", rules=(rule(r.LIST_ID, n),)) for n in range(52)}
        ),
    }.items():
        yield f"0.0.0.0/0, {name}", changed("0.0.0.0/0", known=Known(looked_up=looked_up))
    halves = LookupResult(groups=GROUPS, entries_before=("0.0.0.0/1", "10.0.0.0/8"))
    yield "a half for the other", changed("128.0.0.0/1", removed=("0.0.0.0/1",), known=Known(looked_up=halves))
    yield "a half beside the other", changed("128.0.0.0/1", removed=("10.0.0.0/8",), known=Known(looked_up=halves))
    for name in ("list restored", "list target", "list target changed", "list resolver"):
        yield name, alert_of(r.other_samples()[name])
        yield f"{name}, failed", alert_of(r.other_samples()[name] | {"errorCode": r.FAILED})
    yield (
        "an unknown key of a resolver's rule",
        alert_of(
            r.wrapped(
                "ModifyIpamPrefixListResolver",
                {"IpamPrefixListResolverId": "ipam-1", "Rule": {"RuleType": "x", "Pools": ["pool-1"]}},
            )
        ),
    )
    yield (
        "a resolver's description",
        alert_of(r.wrapped("ModifyIpamPrefixListResolver", {"IpamPrefixListResolverId": "ipam-1", "Description": "x"})),
    )


def group_calls() -> Iterator[tuple[str, Alert]]:
    made = {
        "created": r.create(),
        "deleted": r.delete(),
        "deleted by name": r.delete({"groupName": "web"}),
        "associated": r.association(),
        "disassociated": r.association("DisassociateSecurityGroupVpc"),
        "created without an answer": r.create(answer={"requestId": "1"}),
        "deleted without a name": r.delete({"dryRun": False}),
    }
    for name, record in made.items():
        yield name, alert_of(record)
        for outcome, code in {"denied": r.DENIED, "failed": r.FAILED, "dry run": r.DRY_RUN}.items():
            yield f"{name}, {outcome}", alert_of(record | {"errorCode": code, "errorMessage": "No."})
    group = GroupInfo(r.GROUP_ID, "web", r.VPC_ID, "Web servers", {"team": "edge", "aws:cloudformation:x": "y"})
    tagged = rule("203.0.113.0/24", 443, description="office", tags=(("owner", "it's"), ("aws:x", "y")))
    rules = (rule(r.GROUP_ID), tagged, rule("0.0.0.0/0", None, protocol="-1", direction=Direction.EGRESS))
    yield "deleted, known", alert_of(r.delete(), Resolver(Known(rules, group=group)))
    poor = {"name": group._replace(name=None), "description": group._replace(description="")}
    for lost, poorer in (poor | {"VPC": group._replace(vpc_id=None)}).items():
        yield f"deleted without its {lost}", alert_of(r.delete(), Resolver(Known(rules, group=poorer)))


def outcomes() -> Iterator[tuple[str, Alert]]:
    samples = {**r.samples(), **r.other_samples()}
    codes = {"denied": r.DENIED, "failed": r.FAILED, "dry run": r.DRY_RUN, "denied by a policy": "VpceAccessDenied"}
    for name, record in samples.items():
        yield name, alert_of(record)
        for outcome, code in codes.items():
            yield f"{name}, {outcome}", alert_of(record | {"errorCode": code})
    yield "root", alert_of(r.authorize(r.world(), userIdentity=r.ROOT))
    yield "root failed", alert_of(r.authorize(r.world(), userIdentity=r.ROOT, errorCode=r.FAILED))
    yield "root denied", alert_of(r.authorize(r.world(), userIdentity=r.ROOT, errorCode=r.DENIED))
    many = [permission(f"203.0.113.{number}/32") for number in range(3)]
    for name, record in {"authorize": r.authorize(*many), "revoke": r.revoke(*many)}.items():
        yield f"{name} several, denied", alert_of(record | {"errorCode": r.DENIED})


def through_an_endpoint() -> Iterator[tuple[str, Alert]]:
    """Calls that a VPC endpoint's policy denied: their only record has neither a request nor an answer."""
    activity: Json = {"eventCategory": "NetworkActivity", "eventType": "AwsVpceEvent", "errorCode": "VpceAccessDenied"}
    activity |= {"vpcEndpointId": "vpce-1", "vpcEndpointAccountId": r.ACCOUNT, "userAgent": r.ABSENT}

    def denied(event: WatchedEvent, **fields: Any) -> Alert:
        given = activity | {"eventSource": event.source, "requestParameters": r.ABSENT} | fields
        return alert_of(r.record(event.name, None, r.ABSENT, **given))

    for event in EVENTS:
        yield event.name, denied(event)
    other = {"type": "AWSAccount", "principalId": "AKIAIOSFODNN7EXAMPLE", "accountId": r.OTHER_ACCOUNT}
    others: dict[str, Json] = {
        "of another account": {"userIdentity": other},
        "by root": {"userIdentity": r.ROOT},
        "without the endpoint": {"vpcEndpointId": r.ABSENT, "vpcEndpointAccountId": r.ABSENT},
        "through an endpoint of another account": {"vpcEndpointAccountId": r.OTHER_ACCOUNT},
        "without a region": {"awsRegion": r.ABSENT, "vpcEndpointAccountId": r.ABSENT},
    }
    for name, fields in others.items():
        yield name, denied(EVENTS[0], **fields)


def doubts() -> Iterator[tuple[str, Alert]]:
    """What the record does not tell, or tells in a way that cannot be read."""
    lost = ("eventID", "eventSource", "eventTime", "recipientAccountId", "awsRegion", "userIdentity", "sourceIPAddress")
    for field in (*lost, "userAgent", "requestParameters", "responseElements"):
        yield f"without {field}", alert_of(but({field: r.ABSENT}))
        yield f"{field} is no text", alert_of(but({field: [1]}))
    bare: Json = {
        "userIdentity": r.ABSENT,
        "recipientAccountId": r.ABSENT,
        "awsRegion": r.ABSENT,
        "eventTime": "yesterday",
    }
    yield "next to nothing", alert_of(but(bare))
    yield "a supplement", alert_of(r.authorize(r.world(), addendum={"originalEventID": "5f0e-1"}))
    yield "only the kind of caller", alert_of(r.authorize(r.world(), userIdentity={"type": "IAMUser"}))
    yield "from the console", alert_of(r.authorize(r.world(), userAgent=None, sessionCredentialFromConsole="true"))
    parts: tuple[object, ...] = (
        *(
            "text",
            7,
            {"ipProtocol": "tcp"},
            {"ipProtocol": "", "ipRanges": "0.0.0.0/0"},
            {"ipProtocol": "tcp", "fromPort": 70000},
        ),
        *(
            {"ipProtocol": "tcp", "fromPort": True},
            {"ipProtocol": "tcp", "fromPort": 1.5},
            permission({"cidrIp": None}),
        ),
        *({**permission({"groupName": None}), "groups": r.items({"userId": "1"})}, permission({"prefixListId": ""})),
        *(
            {**permission("10.0.0.0/8"), "fqdnRanges": ["example.com"]},
            permission({"cidrIp": "10.0.0.0/8", "zone": "a"}),
        ),
    )
    for part in parts:
        yield f"alone: {json.dumps(part)}", alert_of(r.authorize(part))
        yield f"beside another: {json.dumps(part)}", alert_of(r.authorize(permission("10.0.0.0/8"), part))
    yield "all of them", alert_of(r.authorize(*parts))
    yield "the same twice", alert_of(r.authorize(permission("10.0.0.0/8"), parts[0], parts[0]))
    for name, record in {
        "authorize": r.authorize(permission("10.0.0.0/8")),
        "revoke": r.revoke(permission("10.0.0.0/8")),
        "associate": r.association(),
        "create": r.create(),
    }.items():
        odd = record | {"requestParameters": record["requestParameters"] | {"quotaBypass": "all"}}
        yield f"{name} with an unknown parameter", alert_of(odd)
        yield f"{name} with an unknown parameter, denied", alert_of(odd | {"errorCode": r.DENIED})
    short = {"securityGroupRuleSet": r.items(r.stored(cidrIpv4="10.0.0.0/8"))}
    yield (
        "an answer with fewer rules",
        alert_of(r.authorize(permission("10.0.0.0/8"), permission("::/0"), answer=short)),
    )
    yield "no answer", alert_of(r.authorize(r.world(), responseElements={"omitted": True, "originalSize": 120384}))
    yield (
        "an answer with an odd rule",
        alert_of(
            r.authorize(r.world(), answer={"securityGroupRuleSet": r.items({"ipProtocol": "tcp", "isEgress": "?"}, 7)})
        ),
    )
    for flat in (
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0", "cidrIpv6": "::/0"},
        {"sourceSecurityGroupName": "web", "sourceSecurityGroupOwnerId": r.OTHER_ACCOUNT},
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "sourceSecurityGroupId": r.PEER_ID, "cidrIp": "10.0.0.0/8"},
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": ["0.0.0.0/0"]},
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "10.0.0.0/8", "cidrIpv6": {"a": 1}},
    ):
        yield f"flat {json.dumps(flat)}", alert_of(r.flat(**flat))
    yield "no record", not_a_record({"id": "1", "account": r.ACCOUNT, "region": r.REGION}, HOSTILE + HOSTILE + HOSTILE)
    yield "nor an event", not_a_record([1], "x")
    yield "not of our rule", not_of_our_rule(r.record("DescribeInstances", {}))
    yield "not of our rule, bare", not_of_our_rule({"userIdentity": r.ALICE})
    yield "incomplete", alert_of(r.authorize(r.world(), sgwatchIncomplete=HOSTILE))
    yield "incomplete and failed", alert_of(r.authorize(r.world(), sgwatchIncomplete="it is cut", errorCode=r.FAILED))


def tampering() -> Iterator[tuple[str, Alert]]:
    for call in TAMPER_CALLS:

        def called(request: Json | None, of: TamperCall = call, **fields: Any) -> Alert:
            return alert_of(r.record(of.name, request, eventSource=of.source, **fields))

        yield call.name, called(request_of(call))
        yield f"{call.name} by root, failed", called(request_of(call), userIdentity=r.ROOT, errorCode=r.FAILED)
        yield f"{call.name} of who knows what", called(None, responseElements=None)
        if call is TAMPER_CALLS[0]:
            yield f"{call.name} to harm", called(request_of(call, f"sgwatch{HOSTILE}"))
        if call.name in ("RemoveTargets", "PutTargets"):
            for count in (0, "0", 1, "2", "x", "-1", 1234567890, 12345678901):
                answer = {"failedEntryCount": count}
                yield f"{call.name}, {count} refused", called(request_of(call), responseElements=answer)


def harmful() -> Iterator[tuple[str, Alert]]:
    """Every text of a record that a caller chooses, made to harm."""
    names = {"groupId": r.GROUP_ID, "groupName": HOSTILE}
    peers = (
        *({"cidrIp": HOSTILE, "description": HOSTILE}, {"cidrIpv6": f":{HOSTILE}"}, {"prefixListId": f"pl-{HOSTILE}"}),
        *({"groupId": f"sg-{HOSTILE}"}, {"groupId": r.PEER_ID, "userId": HOSTILE}, {"groupId": "sg-hostile"}),
    )
    known = Known(looked_up=LookupResult(groups=GROUPS, prefix_lists=LISTS))
    for peer, protocol, direction in product(peers, ("tcp", HOSTILE), ("Ingress", "Egress")):
        part = permission(peer, protocol, 22 if protocol == "tcp" else None)
        record = r.authorize(part, direction=direction, group=names)
        name = f"{direction} {'of' if protocol != HOSTILE else 'of a harmful'} {protocol[:3]} {next(iter(peer))}"
        yield name, alert_of(record, Resolver(known))
        yield f"{name}, denied", alert_of(record | {"errorCode": r.DENIED})
        yield f"{name}, revoked", alert_of(record | {"eventName": f"RevokeSecurityGroup{direction}"})
    for field in ("userAgent", "sourceIPAddress", "errorCode", "errorMessage", "awsRegion", "recipientAccountId"):
        yield field, alert_of(but({field: HOSTILE}))
    yield "eventID", alert_of(r.authorize(r.world(), eventID=HOSTILE, addendum={"originalEventID": f"{HOSTILE}y"}))
    session = {"type": "AssumedRole", "arn": f"arn:aws:sts::{r.ACCOUNT}:assumed-role/x/{HOSTILE}"}
    context = {"sessionContext": {"sourceIdentity": HOSTILE}}
    for identity in ({"type": HOSTILE}, {"type": "IAMUser", "userName": HOSTILE}, session, session | context):
        yield f"caller {sorted(identity)}", alert_of(r.authorize(r.world(), userIdentity=identity))
    yield "a name alone", alert_of(r.authorize(r.world(), group={"groupName": HOSTILE}))
    yield "an id beside a name", alert_of(r.authorize(r.world(), group={"groupId": HOSTILE, "groupName": "web"}))
    yield "an id", alert_of(r.authorize(r.world(), group={"groupId": HOSTILE}))
    yield "created", alert_of(r.create(HOSTILE))
    group = GroupInfo(r.GROUP_ID, HOSTILE, r.VPC_ID, HOSTILE, {HOSTILE: HOSTILE})
    rules = (
        rule("0.0.0.0/0", description=HOSTILE, tags=((HOSTILE, HOSTILE),)),
        rule(r.GROUP_ID, description="NEW_GROUP_ID"),
    )
    yield "deleted", alert_of(r.delete(), Resolver(Known(rules, group=group, notes=("Noted.", "And noted."))))
    yield "associated", alert_of(r.wrapped("AssociateSecurityGroupVpc", {"GroupId": r.GROUP_ID, "VpcId": HOSTILE}))
    yield "by ids", alert_of(r.revoke_by_ids(HOSTILE, "sgr-1"))
    yield "by ids, without an answer", alert_of(r.revoke_by_ids(HOSTILE, responseElements=None))
    yield "modified", alert_of(r.modify(r.new_values(HOSTILE, ReferencedGroupId=HOSTILE, Description=HOSTILE)))
    described = r.items({"securityGroupRuleId": HOSTILE, "description": HOSTILE})
    yield (
        "described",
        alert_of(
            r.record(
                "UpdateSecurityGroupRuleDescriptionsIngress",
                {"groupId": r.GROUP_ID, "securityGroupRuleDescriptions": described},
            )
        ),
    )
    looked_up = LookupResult(groups=GROUPS, unknowns=(other(f"attached: {HOSTILE}"),), account_name=HOSTILE)
    request = {"networkInterfaceId": HOSTILE, "groupSet": r.items({"groupName": HOSTILE}, {HOSTILE: HOSTILE})}
    before = Known(groups_before=(HOSTILE, "sg-inner"), looked_up=looked_up)
    yield "attached", alert_of(r.record("ModifyNetworkInterfaceAttribute", request), Resolver(before))
    yield "attached, denied", alert_of(r.record("ModifyNetworkInterfaceAttribute", request, errorCode=r.DENIED))
    balancer = {
        "loadBalancerArn": f"arn:aws:elasticloadbalancing:loadbalancer/{HOSTILE}",
        "securityGroups": ["sg-open"],
    }
    yield "a load balancer", alert_of(r.record("SetSecurityGroups", balancer, eventSource=r.ELB), Resolver(before))
    entries: Json = {"PrefixListId": HOSTILE, "AddEntry": [{"Cidr": HOSTILE, "Description": HOSTILE, HOSTILE: "x"}]}
    entries |= {"RemoveEntry": {"Cidr": HOSTILE}, "CurrentVersion": HOSTILE}
    yield "a list", alert_of(r.wrapped("ModifyManagedPrefixList", entries), Resolver(before))
    yield "a list, denied", alert_of(r.wrapped("ModifyManagedPrefixList", entries, errorCode=r.DENIED))
    resolver = {"IpamPrefixListResolverId": HOSTILE, "Rule": {"StaticCidr": HOSTILE, HOSTILE: "x"}}
    yield "a resolver", alert_of(r.wrapped("ModifyIpamPrefixListResolver", resolver))
    yield "a resolver, denied", alert_of(r.wrapped("ModifyIpamPrefixListResolver", resolver, errorCode=r.DENIED))
    target = {"IpamPrefixListResolverTargetId": HOSTILE}
    yield "a target", alert_of(r.wrapped("ModifyIpamPrefixListResolverTarget", target))
    yield "a parameter", alert_of(r.authorize(r.world(), group={"groupId": r.GROUP_ID, HOSTILE: "x"}))
    yield "a key of a rule", alert_of(r.authorize({**permission("10.0.0.0/8"), HOSTILE: "x"}))
    yield "a port", alert_of(r.authorize(permission("10.0.0.0/8", "tcp", HOSTILE)))
    yield "not of our rule", not_of_our_rule(r.record(HOSTILE, {}, recipientAccountId=HOSTILE, awsRegion=HOSTILE))
    yield (
        "not understood",
        alert_of(r.authorize(group=names, requestParameters=names, eventName="AuthorizeSecurityGroupIngress")),
    )


# Every alert has them, and other tests hold them.
_EVERYWHERE = {"version", "id", "occurred_at", "account", "region", "event", "principal", "kind"}


def shown(name: str, alert: Alert, *, brief: bool) -> str:
    """What the alert says, a line for each thing."""
    document = to_json(alert)
    lines = [f"== {name}", f"{document['severity']}: {document['title']}", f"  {document['summary']}"]
    for found, item in zip(document["exposures"], alert.exposures, strict=True):
        marks = " ".join(filter(None, (item.kind, item.opens, *found["controls"])))
        about = "" if found["rule"] is None else f" <{_said(found['rule'])}>"
        lines.append(f"  - {found['severity']}: {found['reason']} [{marks}]{about}")
    lines += [f"  ? {item.topic}: {item.text}" for item in alert.unknowns]
    if brief:
        return "\n".join(lines[:2] + lines[3:]) + "\n"
    undo = document["undo"] or {"commands": [], "reason": None}
    lines += [f"  $ {command}" for command in undo["commands"] or ()]
    lines += [f"  undo: {undo['reason']}"] if undo["reason"] else []
    rest = {key: document[key] for key in document.keys() - _EVERYWHERE}
    for key in ("severity", "title", "summary", "exposures", "unknowns", "undo"):
        del rest[key]
    lines += [f"  {key}: {_said(value)}" for key, value in sorted(rest.items()) if value]
    return "\n".join(lines) + "\n"


def _said(value: object) -> str:
    """The values alone, without what is empty and the links that follow from ids."""
    if isinstance(value, dict):
        said = (
            f"{_said(key)}={_said(inner)}"
            for key, inner in value.items()
            if key != "url" and inner not in (None, [], {})
        )
        return " ".join(item for item in said if not item.endswith("="))
    if isinstance(value, list):
        return "[" + "; ".join(map(_said, value)) + "]" if value else ""
    return ascii(value) if isinstance(value, str) and not value.isprintable() else str(value)


# Where every alert is of the same call, what it asks for and how it is undone follow from the name of the case.
_BRIEF = {"calls_from_v4", "calls_from_others", "calls_with_ports", "calls_out", "outcomes", "tampering"}


@pytest.mark.parametrize(
    "made",
    [
        *(
            calls_from_v4,
            calls_from_others,
            calls_with_ports,
            calls_out,
            calls_with_lists,
            calls_together,
            removals,
            modifications,
            attachments,
        ),
        *(prefix_lists, group_calls, outcomes, through_an_endpoint, doubts, tampering, harmful),
    ],
    ids=lambda made: str(made.__name__),
)
def test_alerts_word_for_word(made: Callable[[], Iterator[tuple[str, Alert]]]) -> None:
    brief = made.__name__ in _BRIEF
    said = "".join(shown(name, alert, brief=brief) for name, alert in made())
    said = re.sub("x{9,}", lambda run: f"x*{len(run[0])}", said)
    check_golden(Path("alerts") / f"{made.__name__}.txt", said)


def test_every_watched_call_on_groups_and_lists_is_among_them() -> None:
    watched = {event.name for event in EVENTS if event.group is not EventGroup.TAMPER}
    called = {alert.event.name for made in (outcomes, removals) for _, alert in made()}
    assert watched <= called


def test_an_event_without_a_record_says_where_it_came_from_only_in_words() -> None:
    told = not_a_record({"id": 7, "account": 123456789012, "region": "eu-west-1"}, "x")
    assert (told.id, told.account.id, told.region) == ("7", "123456789012", "eu-west-1")
    odd = not_a_record({"id": [7], "account": {"a": 1}, "region": ["eu-west-1"]}, "x")
    assert (odd.id[:7], odd.account.id, odd.region) == ("sha256-", None, None)


def test_what_every_alert_says_of_its_event_is_of_the_record() -> None:
    code = {"errorCode": r.DENIED, "errorMessage": "You are not authorized."}
    for record in (r.authorize(r.world()), r.authorize(), r.create(), r.authorize(r.world(), eventID=None)):
        for fields in ({}, code):
            alert = alert_of(record | fields, Resolver(Known(looked_up=LookupResult(account_name="prod"))))
            event, given = alert.event, record | {"errorCode": None, "errorMessage": None} | fields
            assert (event.name, event.source, event.request_id) == (
                given["eventName"],
                given["eventSource"],
                given["requestID"],
            )
            assert (event.error_code, event.error_message) == (given["errorCode"], given["errorMessage"])
            assert event.outcome == ("denied" if fields else "succeeded")
            assert (event.id, alert.id) == (given["eventID"] or event.id, event.id)
            assert (event.url or "None").endswith(str(given["eventID"]))
            assert (alert.account.id, alert.region) == (r.ACCOUNT, r.REGION)
            assert alert.occurred_at is not None
            assert alert.occurred_at.isoformat() == "2026-11-23T10:00:00+00:00"
            assert alert.principal is not None
            assert alert.principal.name == "alice"
            assert alert.account.name == (None if alert.kind == "not_understood" else "prod")
