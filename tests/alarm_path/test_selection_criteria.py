from __future__ import annotations

import pytest

from chalicelib.alarm_path.checks.filter_checks import selected


@pytest.mark.parametrize(
    ("criteria", "here", "elsewhere"),
    [
        ('@aws.region = "us-east-1"', True, False),
        ('@aws.region != "us-east-1"', False, True),
        ('@aws.region IN ["us-east-1", "eu-west-1"]', True, False),
        ('@aws.region not in ["us-east-1"]', False, True),
        ('@aws.account = "123456789012" AND @aws.region = "us-east-1"', True, False),
        ('@aws.account = "444455556666" OR @aws.region = "us-east-1" ', True, False),
    ],
)
def test_criteria_select_by_account_and_region(criteria: str, here: bool, elsewhere: bool) -> None:
    assert selected(criteria, "123456789012", "us-east-1") is here
    assert selected(criteria, "123456789012", "eu-north-1") is elsewhere


@pytest.mark.parametrize(
    "criteria",
    [
        "@aws.region = us-east-1",
        "@aws.region IN ['us-east-1']",
        "@aws.region IN []",
        '(@aws.region = "us-east-1")',
        '@aws.region = "us-east-1" AND',
        '@aws.region = "a" AND @aws.account = "b" OR @aws.region = "c"',
        '@aws.source = "x"',
    ],
)
def test_criteria_that_are_not_understood_are_not_known(criteria: str) -> None:
    assert selected(criteria, "123456789012", "us-east-1") is None
