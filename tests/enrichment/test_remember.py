"""What the state table learns from a change whose live rules were read too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.cloudtrail.records import read_record
from chalicelib.enrichment.group_snapshots import GroupKey, observed
from chalicelib.enrichment.remember import READS_MAY_BE_STALE, SeenChange, past_of, remembered
from chalicelib.security_groups.lookup_result import ResolvedChange, Rules
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from tests.support import records as r

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = GroupKey(r.ACCOUNT, r.REGION, r.GROUP_ID)
OUT = SecurityGroupRule(Direction.EGRESS, "-1", None, None, Peer(PeerType.IPV4, "0.0.0.0/0"), None, "sgr-out")


def rule(port: int) -> SecurityGroupRule:
    return SecurityGroupRule(
        Direction.INGRESS, "tcp", port, port, Peer(PeerType.IPV4, "203.0.113.0/24"), None, f"sgr-{port}"
    )


def seen(raw: r.Json, at: datetime, live: Rules | None, *, after: timedelta = timedelta(seconds=2)) -> SeenChange:
    record = read_record(raw)._replace(event_id=f"{record_name(raw)}-{at.isoformat()}", event_time=at)
    change = read_change(record)
    return SeenChange(past_of(record, change, "alice", at), ResolvedChange(change), live, None, at + after)


def record_name(raw: r.Json) -> str:
    return str(raw["eventName"])


def added(port: int, at: datetime, live: Rules | None, **more: timedelta) -> SeenChange:
    answer = {"securityGroupRuleSet": r.items(stored(port))}
    return seen(r.authorize(r.permission("tcp", port, v4=("203.0.113.0/24",)), answer=answer), at, live, **more)


def stored(port: int) -> r.Json:
    return r.stored(
        cidrIpv4="203.0.113.0/24", fromPort=port, toPort=port, ipProtocol="tcp", securityGroupRuleId=f"sgr-{port}"
    )


def identities(rules: Rules | None) -> set[tuple[object, ...]] | None:
    return None if rules is None else {tuple(rule.identity) for rule in rules}


def test_live_rules_older_than_the_change_are_no_beginning() -> None:
    begun = remembered(None, added(22, NOON, live=(OUT,)), KEY)
    assert begun is not None
    assert (begun.rules, [past.added[0].id for past in begun.history]) == (None, ["sgr-22"])
    later = NOON + timedelta(minutes=1)
    whole = remembered(begun, added(80, later, live=(OUT, rule(22), rule(80))), KEY)
    assert whole is not None
    assert identities(whole.rules) == identities((OUT, rule(22), rule(80)))
    assert observed(whole, (OUT, rule(22), rule(80)), later, later) == whole, "nothing drifted"


def test_a_group_is_not_rebuilt_from_rules_that_lack_a_change_just_remembered() -> None:
    begun = remembered(None, added(22, NOON, live=(OUT,)), KEY)
    association = seen(r.association(), NOON + timedelta(seconds=1), live=(OUT,))
    still = remembered(begun, association, KEY)
    assert still is not None
    assert still.rules is None
    shown = remembered(still, added(80, NOON + timedelta(seconds=9), live=(OUT, rule(22), rule(80))), KEY)
    assert shown is not None
    assert identities(shown.rules) == identities((OUT, rule(22), rule(80)))


def test_a_change_without_an_effect_on_rules_does_not_prove_that_a_read_is_fresh() -> None:
    begun = remembered(None, seen(r.association(), NOON, live=(OUT,)), KEY)
    assert begun is not None
    assert begun.rules is None
    late = remembered(None, seen(r.association(), NOON, live=(OUT,), after=READS_MAY_BE_STALE), KEY)
    assert late is not None
    assert identities(late.rules) == identities((OUT,))


def test_rules_read_long_after_a_change_are_a_later_state_and_a_beginning() -> None:
    begun = remembered(None, added(22, NOON, live=(OUT,), after=READS_MAY_BE_STALE), KEY)
    assert begun is not None
    at = NOON + READS_MAY_BE_STALE
    assert (begun.base, begun.base_time, begun.known_since) == ((OUT,), at, at)
    assert identities(begun.rules) == identities((OUT,)), "this change is only remembered"


def test_a_read_that_shows_the_change_is_a_beginning_with_the_change_undone() -> None:
    begun = remembered(None, added(22, NOON, live=(OUT, rule(22))), KEY)
    assert begun is not None
    assert identities(begun.base) == identities((OUT,))
    assert identities(begun.rules) == identities((OUT, rule(22)))
