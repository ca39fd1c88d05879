"""The events that the standards ask an alarm for; the one list of them."""

from __future__ import annotations

# CIS AWS Foundations Benchmark 1.x (3.10), 3.0 and 4.0 (4.10), and Security Hub CloudWatch.10.
CLASSIC_EVENTS = (
    "AuthorizeSecurityGroupIngress",
    "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RevokeSecurityGroupEgress",
    "CreateSecurityGroup",
    "DeleteSecurityGroup",
)
# CIS 5.0 and later add the call that came with security group rule ids.
CIS_5_EVENTS = (*CLASSIC_EVENTS, "ModifySecurityGroupRules")
