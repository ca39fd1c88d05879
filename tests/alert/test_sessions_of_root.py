"""A session that root issued acts with root's rights, whatever it is called."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from tests.support import records as r
from tests.support.records import items

Json = dict[str, Any]
ROOT = {"type": "Root", "principalId": r.ACCOUNT, "arn": f"arn:aws:iam::{r.ACCOUNT}:root", "accountId": r.ACCOUNT}


def federated(issuer: Json) -> Json:
    arn = f"arn:aws:sts::{r.ACCOUNT}:federated-user/build"
    return {
        "type": "FederatedUser",
        "principalId": f"{r.ACCOUNT}:build",
        "arn": arn,
        "accountId": r.ACCOUNT,
        "sessionContext": {"sessionIssuer": issuer},
    }


def authorize(issuer: Json, **fields: Any) -> Json:
    permission = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": items({"cidrIp": "10.0.0.0/8"})}
    request = {"groupId": r.GROUP_ID, "ipPermissions": items(permission)}
    return r.record("AuthorizeSecurityGroupIngress", request, userIdentity=federated(issuer), **fields)


@pytest.mark.parametrize("issuer", [ROOT, {"arn": ROOT["arn"]}])
def test_a_session_that_root_issued_is_high_and_said(issuer: Json) -> None:
    told = alert_of(authorize(issuer))
    assert told.severity == "high"
    assert told.exposures[0].reason == "The account's root user issued the session that made this change."
    assert told.principal is not None
    assert told.principal.name == "build"


def test_what_such_a_session_failed_to_do_is_medium() -> None:
    assert alert_of(authorize(ROOT, errorCode=r.FAILED)).severity == "medium"


@pytest.mark.parametrize(
    "issuer", [{}, {"type": "IAMUser", "arn": f"arn:aws:iam::{r.ACCOUNT}:user/root", "userName": "root"}]
)
def test_a_session_of_others_is_not_roots(issuer: Json) -> None:
    assert alert_of(authorize(issuer)).severity == "low"


def test_tampering_by_such_a_session_is_high() -> None:
    request = {"alarmName": "x", "alarmActions": ["arn:aws:sns:eu-west-1:123456789012:alarms"]}
    made = r.record("PutMetricAlarm", request, None, eventSource="monitoring.amazonaws.com")
    assert alert_of(made).severity == "medium"
    assert alert_of({**made, "userIdentity": federated(ROOT)}).severity == "high"
