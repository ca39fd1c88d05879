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
