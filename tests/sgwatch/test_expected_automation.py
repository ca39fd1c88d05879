"""Expected automation rests on the role or the user and its account, and on nothing that a caller chooses."""

from __future__ import annotations

import pytest

from chalicelib.alert.filters import compile_condition
from chalicelib.alert.model import Alert, Severity
from chalicelib.cloudtrail.principals import Principal
from sgwatch.expected_automation import parse_automation
from tests.support.alerts import revoke

ACCOUNT = "123456789012"


def by(role: str | None, session: str = "run-1", account: str = ACCOUNT, kind: str = "AssumedRole") -> Alert:
    """A change by a session of a role, or by a user who is called like the session."""
    principal = revoke().principal
    assert principal is not None
    who = f"sts::{account}:assumed-role/{role}/{session}" if role else f"iam::{account}:user/ci/{session}"
    made: Principal = principal._replace(
        type=kind,
        name=session,
        role=role,
        session_name=session,
        source_identity=session,
        account_id=account,
        arn=f"arn:aws:{who}",
    )
    return revoke()._replace(principal=made)


def covers(text: str, alert: Alert, when: str | None = None) -> bool:
    return compile_condition(parse_automation(text, lambda: ACCOUNT).condition(when)).holds(alert)


@pytest.mark.parametrize(
    "text", ["role/terraform-ci", "role/ci/terraform-ci", f"arn:aws:iam::{ACCOUNT}:role/ci/terraform-ci"]
)
def test_it_covers_every_session_of_its_role_and_no_other(text: str) -> None:
    assert covers(text, by("terraform-ci"))
    assert covers(text, by("terraform-ci", session="anything"))
    assert not covers(text, by("other", session="terraform-ci"))
    assert not covers(text, by("other", session="x/terraform-ci"))
    assert not covers(text, by("terraform-ci", account="444455556666"))
    assert not covers(text, by(None, session="terraform-ci", kind="IAMUser"))


def test_a_user_is_covered_by_name_and_account_whatever_the_path() -> None:
    assert covers("user/deployer", by(None, session="deployer", kind="IAMUser"))
    assert not covers("user/deployer", by("any", session="deployer"))
    assert not covers("user/deployer", by(None, session="my-deployer", kind="IAMUser"))


def test_an_arn_names_the_account_itself() -> None:
    other = "arn:aws-cn:iam::444455556666:role/terraform-ci"
    assert covers(other, by("terraform-ci", account="444455556666"))
    assert not covers(other, by("terraform-ci"))


def test_a_condition_narrows_it() -> None:
    narrowed = "severity == 'info' || severity == 'low'"
    assert covers("role/terraform-ci", by("terraform-ci"), narrowed)
    assert not covers("role/terraform-ci", by("terraform-ci")._replace(severity=Severity.HIGH), narrowed)
    assert not covers("role/terraform-ci", by("other"), narrowed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("terraform-ci", "neither role/NAME"),
        ("role/", "neither role/NAME"),
        ("role/x' || 'a", "neither role/NAME"),
        ("group/admins", "neither role/NAME"),
        ("arn:aws:sts::123456789012:assumed-role/terraform-ci/run-1", "the caller's choice"),
        ("arn:aws:iam::*:role/terraform-ci", "neither role/NAME"),
        ("role/AWSReservedSSO_Admin_0123456789abcdef", "for people"),
        ("role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef", "for people"),
    ],
)
def test_what_is_no_automation_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_automation(text, lambda: ACCOUNT)
