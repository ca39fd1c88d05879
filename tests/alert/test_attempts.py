"""Attempts: the alert names the worst rule that was asked for, however many stand before it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from tests.support import records as r
from tests.support.examples import examples
from tests.support.records import items

Json = dict[str, Any]


def permission(port: int, cidr: str, protocol: str = "tcp") -> Json:
    return {"ipProtocol": protocol, "fromPort": port, "toPort": port, "ipRanges": items({"cidrIp": cidr})}


MILD = st.lists(
    st.builds(
        permission,
        st.integers(1, 65535),
        st.sampled_from(["10.0.0.0/8", "192.168.0.0/16", "203.0.113.0/24", "100.64.0.0/10"]),
        st.sampled_from(["tcp", "udp"]),
    ),
    max_size=6,
)
ATTEMPTS = {
    "AuthorizeSecurityGroupIngress": "opening",
    "RevokeSecurityGroupIngress": "closing",
    "UpdateSecurityGroupRuleDescriptionsIngress": "describing",
}


@pytest.mark.parametrize(("name", "doing"), ATTEMPTS.items())
@pytest.mark.parametrize("code", [r.DENIED, r.FAILED, r.DRY_RUN])
@settings(max_examples=examples(20), deadline=None)
@given(before=MILD, after=MILD)
def test_an_attempt_speaks_of_the_worst_rule_wherever_it_stands(
    name: str, doing: str, code: str, before: list[Json], after: list[Json]
) -> None:
    asked = [*before, permission(22, "0.0.0.0/0"), *after]
    told = alert_of(r.record(name, {"groupId": r.GROUP_ID, "ipPermissions": items(*asked)}, None, errorCode=code))
    assert f"{doing} tcp/22" in told.title
    assert "the internet" in told.title
    assert "tcp/22 from 0.0.0.0/0" in told.summary
    rest = len(asked) - 1
    if rest:
        counted = f"and {rest} more rule{'' if rest == 1 else 's'}"
        assert counted in told.title
        assert counted in told.summary


def test_an_attempt_on_a_prefix_list_names_the_widest_range() -> None:
    entries = [{"Cidr": f"10.0.{number}.0/24", "tag": number} for number in range(30)]
    asked = {"AddEntry": [*entries, {"Cidr": "0.0.0.0/0", "tag": 31}], "RemoveEntry": {"Cidr": "10.9.0.0/16", "tag": 1}}
    request = {"ModifyManagedPrefixListRequest": {"PrefixListId": r.LIST_ID, **asked}}
    told = alert_of(r.record("ModifyManagedPrefixList", request, None, errorCode=r.DENIED))
    doing = "adding 0.0.0.0/0 and 30 more ranges to and removing 10.9.0.0/16 from"
    assert told.title == f"Denied: {doing} prefix list {r.LIST_ID}"


IDS = [f"sgr-{number:017x}" for number in range(300)]
UPDATES = [r.new_values(item, place, CidrIpv4="10.0.0.0/8") for place, item in enumerate(IDS)]
BY_ID = {"groupId": r.GROUP_ID, "securityGroupRuleIds": items(*({"securityGroupRuleId": item} for item in IDS))}
DESCRIBED = items(*({"securityGroupRuleId": item, "description": "x"} for item in IDS))
MANY = {
    "modified": r.modify(*UPDATES),
    "modified, denied": r.modify(*UPDATES, errorCode=r.DENIED),
    "revoked by id": r.record("RevokeSecurityGroupIngress", BY_ID),
    "revoked by id, denied": r.record("RevokeSecurityGroupIngress", BY_ID, errorCode=r.DENIED),
    "described by id": r.record(
        "UpdateSecurityGroupRuleDescriptionsIngress",
        {"groupId": r.GROUP_ID, "securityGroupRuleDescriptions": DESCRIBED},
    ),
}


@pytest.mark.parametrize("made", MANY.values(), ids=MANY)
def test_of_hundreds_of_rules_the_sentences_name_a_few_and_count_the_rest(made: Json) -> None:
    unknowns = [item.text for item in alert_of(made).unknowns]
    assert sum(map(len, unknowns)) < 3_000
    assert any("more" in text and any(char.isdigit() for char in text.partition("more")[0]) for text in unknowns)


@pytest.mark.parametrize("code", [None, "AccessDenied"])
def test_inbound_rules_that_privatelink_would_pass_by_are_said_done_or_denied(code: str | None) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/web/0123456789abcdef"
    asked = {"enforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "off", "securityGroups": ["sg-1"]}
    service = "elasticloadbalancing.amazonaws.com"
    made = r.record("SetSecurityGroups", {"loadBalancerArn": arn, **asked}, {}, eventSource=service, errorCode=code)
    told = alert_of(made)
    assert told.severity == "medium"
    assert "PrivateLink" in (told.summary if code else told.title)
    assert told.title.startswith("Denied: " if code else "Inbound rules of load balancer net/web/0123456789abcdef")
