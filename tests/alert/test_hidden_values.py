"""A text that CloudTrail hid is not known: it is no name, no range and no group."""

from __future__ import annotations

from chalicelib.alert.build import alert_of
from tests.support import records as r
from tests.support.rows import every

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
INNER = r.permission(v4=("10.0.0.0/8",))


def by(**identity: str) -> r.Json:
    return r.authorize(r.world(), userIdentity={"type": "IAMUser", **identity})


def attached(name: str = "i-1", groups: str = "sg-1") -> r.Json:
    return r.record("ModifyInstanceAttribute", {"instanceId": name, "groupSet": groups})


ENTRIES = {"prefixListId": HIDDEN, "addEntries": r.items({"cidr": "::/0"})}


@every(
    ("record", "severity", "said"),
    [
        (by(userName=HIDDEN, principalId="AIDA1"), "critical", "AIDA1 ("),
        (by(userName=HIDDEN), "critical", "unknown ("),
        (r.authorize(r.permission(v4=(HIDDEN, "10.0.0.0/8"))), "high", "a peer without cidrIp"),
        (r.authorize(INNER, group={"groupId": HIDDEN}), "low", "called AuthorizeSecurityGroupIngress"),
        (attached(groups=HIDDEN), "high", "names no security group"),
        (attached(HIDDEN), "low", "Which security groups protect this instance has changed."),
        (r.record("ModifyManagedPrefixList", ENTRIES), "medium", "::/0"),
    ],
)
def test_what_cloudtrail_hid_is_no_name(record: r.Json, severity: str, said: str) -> None:
    alert = alert_of(record)
    assert (alert.severity, said in alert.summary) == (severity, True), alert.summary
    assert HIDDEN not in alert.title
    assert alert.principal is not None
    assert alert.principal.name != HIDDEN
