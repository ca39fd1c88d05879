"""Filters that read transformed log events: whose transformer, if any, and what could not be read."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alarm_path.checks.transformers import covers
from tests.support.alarm_paths import ACCOUNT, GROUP, OTHER_ACCOUNT, REGION, Account, Document, judge, metric_filter

CONFIG: list[Document] = [{"parseJSON": {}}]
EVERYWHERE = {"policyName": "everywhere", "policyType": "TRANSFORMER_POLICY", "accountId": ACCOUNT}
ELSEWHERE = EVERYWHERE | {"policyName": "lambda", "selectionCriteria": 'LogGroupNamePrefix IN ["/aws/lambda"]'}
NONE: Document = {"log_transformers": {"trail-logs": None}, "transformer_policies": []}


def scope(*errors: Document, **collected: Any) -> tuple[str, str]:
    """Status and reason of the filter's scope where these transformers were collected."""
    account = Account()
    account.filters = [metric_filter(applyOnTransformedLogs=True)]
    document = account.document()
    document["regions"][REGION] |= collected
    document["errors"] = list(errors)
    report = judge(document)
    (found,) = (item for path in report.paths for item in path.findings if item.check == "filter-scope")
    assert report.status == found.status
    return found.status.value, found.reason


def refused(call: str, resource: str | None) -> Document:
    return {"call": call, "region": REGION, "resource": resource, "code": "AccessDeniedException", "message": "no"}


@pytest.mark.parametrize("answer", [None, {}, {"transformerConfig": []}])
def test_without_a_transformer_the_filter_reads_what_cloudtrail_wrote(answer: Document | None) -> None:
    assert scope(**NONE | {"log_transformers": {"trail-logs": answer}})[0] == "pass"
    assert scope(**NONE | {"transformer_policies": [ELSEWHERE]})[0] == "pass"


def test_what_the_log_groups_own_transformer_makes_is_unknown() -> None:
    status, reason = scope(**NONE | {"log_transformers": {"trail-logs": {"transformerConfig": CONFIG}}})
    assert status == "unknown"
    assert "the log transformer of trail-logs makes" in reason


def test_what_the_accounts_transformer_makes_is_unknown_and_it_is_named() -> None:
    status, reason = scope(**NONE | {"transformer_policies": [ELSEWHERE, EVERYWHERE]})
    assert status == "unknown"
    assert "transformer policy everywhere makes" in reason


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (refused("logs:GetTransformer", f"{GROUP}:*"), "log_transformers"),
        (refused("logs:DescribeAccountPolicies", None), "transformer_policies"),
    ],
)
def test_a_refused_look_up_is_unknown_with_its_code(error: Document, lacking: str) -> None:
    status, reason = scope(error, **{key: value for key, value in NONE.items() if key != lacking})
    assert status == "unknown"
    assert f"could not be read: AccessDeniedException from {error['call']}" in reason


def test_transformers_that_were_not_collected_are_unknown() -> None:
    assert scope()[0] == "unknown"
    assert scope(log_transformers={"other": None}, transformer_policies=[])[0] == "unknown"
    assert scope(log_transformers={"trail-logs": None})[0] == "unknown"


@pytest.mark.parametrize(
    ("criteria", "covered"),
    [
        ("", True),
        ('LogGroupNamePrefix IN ["/aws/cloudtrail"]', True),
        ('LogGroupNamePrefix IN ["/aws/lambda", "/aws/cloud"]', True),
        ('LogGroupNamePrefix IN ["/aws/lambda"]', False),
        ('LogGroupNamePrefix NOT IN ["/aws/lambda"]', True),
        ('LogGroupNamePrefix NOT IN ["/aws/cloud"]', False),
        ('LogGroupName = "/aws/cloudtrail/x"', None),
        (OTHER_ACCOUNT, None),
    ],
)
def test_selection_criteria_are_read_by_prefix(criteria: str, covered: bool | None) -> None:
    assert covers(criteria, "/aws/cloudtrail/x") is covered
