"""MIN_SEVERITY, WHEN and IGNORE_WHEN."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from chalicelib.alert.filters import ConditionFailed, Filter, compile_condition
from chalicelib.alert.model import Account, Alert, AlertKind, SecurityGroup, Severity

ALERT = Alert(
    id="1",
    kind=AlertKind.SECURITY_GROUP_CHANGE,
    severity=Severity.HIGH,
    title="t",
    summary="s",
    occurred_at=datetime(2026, 11, 23, tzinfo=UTC),
    account=Account("123456789012"),
    region="eu-west-1",
    security_group=SecurityGroup("sg-1", "web"),
)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("severity == 'high'", True),
        ("severity == 'low' || account.id == '123456789012'", True),
        ("contains(['eu-west-1', 'eu-west-2'], region)", True),
        ("starts_with(security_group.name, 'prod')", False),
        ("exposures[?contains(controls, 'EC2.13')]", False),
        ("principal", False),
        ("length(unknowns)", True),  # 0 is true in JMESPath
        ("changes.added[*].peer.value | [0]", False),
        ("not_null(security_group.tags.team, security_group.attached.public_addresses)", False),
        ("!(principal.cross_account)", True),
        ("{mine: region}.mine == 'eu-west-1'", True),
        ("changes.added[?peer.value == '0.0.0.0/0'].description | [0]", False),
        ("not_null(account.name, security_group.name) == 'web'", True),
    ],
)
def test_a_condition_reads_the_published_alert(expression: str, holds: bool) -> None:
    assert compile_condition(expression).holds(ALERT) is holds


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("severity = 'high'", "is not a JMESPath expression"),
        ('severity == "high"', "A string in JMESPath has single quotes: 'high'"),
        ("serverity == 'high'", "reads the field serverity"),
        ("contans(region, 'eu')", "calls contans()"),
        ("event.nmae == 'DeleteSecurityGroup'", "reads event.nmae, and event has no field nmae; it has name, source"),
        ('exposures[?contains(controls, "EC2.13")]', "reads the field EC2.13, which no part of an alert has"),
        ("changes.added[?peer.valeu == '0.0.0.0/0']", "reads the field valeu, which no part of an alert has"),
        ("exposures[?!rule.direction]", "write !(a.b) in place of !a.b"),
        ("!event.name", "write !(a.b) in place of !a.b"),
        ("region == 'eu-west-1' && !principal.cross_account", "write !(a.b) in place of !a.b"),
        ("!(security_group.attached.address)", "security_group.attached has no field address; it has interfaces"),
        ("exposures.severity == 'high'", "without fields (those of a list's items: exposures[].severity)"),
        ("severity.name == 'high'", "severity is a value or a list without fields"),
        ("changes.add[*].peer", "changes has no field add; it has added"),
        ("(" * 5000, "is not a JMESPath expression"),
        ("a\nb", "is not a JMESPath expression"),
    ],
)
def test_a_condition_that_can_never_work_is_a_fault(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        compile_condition(expression)
    assert "\n" not in str(caught.value)


def test_fields_of_what_a_projection_yields_are_not_taken_for_the_alerts_own() -> None:
    condition = compile_condition("exposures[?severity == 'high'].rule.peer | [0].value")
    assert not condition.holds(ALERT)


def test_a_condition_that_fails_on_an_alert_says_so() -> None:
    condition = compile_condition("contains(account.name, 'prod')")
    with pytest.raises(ConditionFailed, match="contains"):
        condition.holds(ALERT)


def test_severities_below_the_minimum_are_refused() -> None:
    wanted = Filter(min_severity=Severity.HIGH)
    assert wanted.refusal(ALERT) is None
    assert wanted.refusal(ALERT._replace(severity=Severity.CRITICAL)) is None
    assert wanted.refusal(ALERT._replace(severity=Severity.MEDIUM)) == "MIN_SEVERITY"


def test_what_a_condition_is_not_true_of_is_refused() -> None:
    assert Filter(when=compile_condition("region == 'us-east-1'")).refusal(ALERT) == "WHEN"
    assert Filter(when=compile_condition("region == 'eu-west-1'")).refusal(ALERT) is None


def test_jmespath_is_imported_only_where_a_condition_is_set() -> None:
    code = "import sys, app, chalicelib.functions.composition.alerting; sys.exit('jmespath' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
