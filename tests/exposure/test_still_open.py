"""What of removed rules others still allow: all of it, a part, or nothing that anybody would call open."""

from __future__ import annotations

from chalicelib.alert.headline import title
from chalicelib.cloudtrail.catalog import lookup
from chalicelib.exposure.judge import judge
from chalicelib.security_groups.changes import Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from tests.support import records as r
from tests.support.rows import every


def rule(
    value: str, low: int | None = 22, high: int | None = None, protocol: str = "tcp", *, out: bool = False
) -> SecurityGroupRule:
    starts = {"pl-": PeerType.PREFIX_LIST, "sg-": PeerType.SECURITY_GROUP}
    kind = starts.get(value[:3]) or (PeerType.IPV6 if ":" in value else PeerType.IPV4)
    direction = Direction.EGRESS if out else Direction.INGRESS
    return SecurityGroupRule(direction, protocol, low, low if high is None else high, Peer(kind, value))


EVERY_PORT = (0, 65535)
LISTS = {
    "pl-all": PrefixList("all", aws_managed=False, cidrs=("0.0.0.0/0",), owner_id=r.ACCOUNT),
    "pl-office": PrefixList("office", aws_managed=False, cidrs=("203.0.113.0/24",), owner_id=r.ACCOUNT),
}
ALL, PART = "others still allow the same", "others still allow a part of it"


@every(
    ("gone", "left", "said"),
    [
        (rule("0.0.0.0/0"), (), "closed to the internet"),
        (rule("0.0.0.0/0"), (rule("0.0.0.0/0", *EVERY_PORT),), ALL),
        (rule("0.0.0.0/0"), (rule("0.0.0.0/1"), rule("128.0.0.0/1")), ALL),
        (rule("8.0.0.0/7"), (rule("8.0.0.0/8"), rule("9.0.0.0/8")), ALL),
        (rule("sg-1", 20, 25), (rule("sg-1", 20, 22), rule("sg-1", 23, 25)), ALL),
        (rule("0.0.0.0/0", *EVERY_PORT), (rule("0.0.0.0/0"),), PART),
        (rule("0.0.0.0/0", None, protocol="-1"), (rule("0.0.0.0/0", 443),), PART),
        (rule("0.0.0.0/0", None, protocol="-1"), (rule("0.0.0.0/1", 443),), PART),
        (rule("0.0.0.0/0"), (rule("0.0.0.0/1"),), PART),
        (rule("0.0.0.0/0", *EVERY_PORT), (rule("0.0.0.0/1", 20, 25),), PART),
        (rule("0.0.0.0/0"), (rule("0.0.0.0/3"), rule("32.0.0.0/3")), PART),
        (rule("0.0.0.0/0"), (rule("pl-all", 20, 25),), ALL),
        (rule("0.0.0.0/0", 20, 25), (rule("pl-all"),), PART),
        (rule("0.0.0.0/0"), (rule("0.0.0.0/3"),), "closed to the internet"),
        (rule("0.0.0.0/0"), (rule("0.0.0.0/1", 23), rule("0.0.0.0/1", protocol="udp")), "closed to the internet"),
        (rule("0.0.0.0/0"), (rule("10.0.0.0/8"), rule("203.0.113.0/24"), rule("pl-office")), "closed to the internet"),
        (rule("0.0.0.0/0"), (rule("::/0"), rule("0.0.0.0/0", out=True)), "closed to the internet"),
        (rule("::/0", 20, 25), (rule("::/0"), rule("0.0.0.0/0", 23)), PART),
        (rule("::/0"), (rule("2000::/3"),), PART),
        (rule("10.0.0.0/8", *EVERY_PORT), (rule("10.0.0.0/8"),), PART),
        (rule("10.0.0.0/8", *EVERY_PORT), (rule("10.1.0.0/16"),), "closed to 10.0.0.0/8"),
        (rule("0.0.0.0/1"), (rule("128.0.0.0/1"),), "closed to 0.0.0.0/1"),
        (rule("sg-1", *EVERY_PORT), (rule("sg-1"),), PART),
        (rule("sg-1", *EVERY_PORT), (rule("sg-2"),), "closed to group sg-1"),
        (rule("pl-1", 20, 25), (rule("pl-1"),), PART),
        (rule("0.0.0.0/0", -1, protocol="icmp"), (rule("0.0.0.0/0", 8, -1, "icmp"),), PART),
    ],
)
def test_a_title_calls_nothing_closed_of_which_others_allow_a_part(
    gone: SecurityGroupRule, left: tuple[SecurityGroupRule, ...], said: str
) -> None:
    event = lookup("ec2.amazonaws.com", "RevokeSecurityGroupIngress")
    assert event is not None
    change = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=Changes(removed=(gone,)))
    known = ResolvedChange(change, after=left)
    exposures = judge(known, LookupResult(prefix_lists=LISTS), by_root=False, account_id=r.ACCOUNT)
    assert said in title(change, exposures)
    sentence = {ALL: "still allow the same.", PART: "still allow a part of it."}.get(said)
    assert exposures[0].reason.endswith(sentence) if sentence else "still" not in exposures[0].reason


def test_of_egress_too_a_part_is_a_part() -> None:
    event = lookup("ec2.amazonaws.com", "RevokeSecurityGroupEgress")
    assert event is not None
    gone, left = rule("0.0.0.0/0", None, protocol="-1", out=True), rule("0.0.0.0/0", 443, out=True)
    change = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=Changes(removed=(gone,)))
    exposures = judge(ResolvedChange(change, after=(left,)), by_root=False, account_id=r.ACCOUNT)
    assert title(change, exposures).endswith("others still allow a part of it")


def test_of_egress_the_way_is_out() -> None:
    event = lookup("ec2.amazonaws.com", "RevokeSecurityGroupEgress")
    assert event is not None
    gone = rule("0.0.0.0/0", out=True)
    change = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=Changes(removed=(gone,)))
    left = rule("0.0.0.0/0", *EVERY_PORT, out=True)
    exposures = judge(ResolvedChange(change, after=(left,)), by_root=False, account_id=r.ACCOUNT)
    assert title(change, exposures).startswith("Rule for tcp/22 to the internet removed on ")
