"""The audit as a whole: unions, standards, organization trails, composites, the report's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError, read_snapshot
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, Standard, pattern_for
from tests.support.alarm_paths import (
    ACCOUNT,
    NO_RUNS,
    NOW,
    OTHER_ACCOUNT,
    REGION,
    TOPIC,
    Account,
    Document,
    alarm,
    broken,
    composite,
    metric_filter,
    reasons,
    trail,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "audit.v1.json").read_text())
MODIFY = ("ModifySecurityGroupRules",)


def valid(report: Report) -> Document:
    document = json.loads(json.dumps(report.to_json()))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    return document  # type: ignore[no-any-return]


def standards(account: Account) -> dict[str, str]:
    return {name: status.value for name, status in account.report().standards.items()}


def test_a_sound_path_passes_and_says_how_soon() -> None:
    document = valid(Account().report())
    assert document["status"] == "pass"
    assert set(document["coverage"]) == {*CLASSIC_EVENTS, *MODIFY}
    assert all(answer == {"status": "pass", "seconds": 300} for answer in document["coverage"].values())
    path = document["paths"][0]
    assert [path[link] for link in ("trail", "log_group", "metric_filter", "alarm")] == [
        "main",
        "trail-logs",
        "sg-changes",
        "sg-changes",
    ]
    assert path["topic"] == TOPIC


def test_one_filter_cannot_satisfy_both_texts() -> None:
    account = Account()
    assert standards(account) == {"cis_1_to_4": "pass", "cis_5": "pass", "security_hub": "fail"}
    account.filters = [metric_filter(events=CLASSIC_EVENTS)]
    assert standards(account) == {"cis_1_to_4": "pass", "cis_5": "fail", "security_hub": "pass"}
    assert account.report(Standard.CIS_1_TO_4).status == "pass"


def test_two_filters_with_an_alarm_each_satisfy_all() -> None:
    account = Account()
    account.filters = [metric_filter(events=CLASSIC_EVENTS), metric_filter("modify", MODIFY)]
    account.alarms = [alarm(), alarm("modify", "modify", Period=60)]
    assert standards(account) == {"cis_1_to_4": "pass", "cis_5": "pass", "security_hub": "pass"}
    report = account.report()
    assert [path.status for path in report.paths] == ["pass", "pass"]
    assert report.coverage["ModifySecurityGroupRules"].seconds == 60


def test_two_filters_on_one_metric_need_only_one_alarm() -> None:
    account = Account()
    shared = {"metricName": "sg-changes"}
    account.filters = [metric_filter("one", CLASSIC_EVENTS, transformation=shared)]
    account.filters += [metric_filter("two", MODIFY, transformation=shared)]
    assert account.report().status == "pass"


def test_a_union_with_one_broken_half_fails_for_that_half() -> None:
    account = Account()
    account.filters = [metric_filter(events=CLASSIC_EVENTS), metric_filter("modify", MODIFY)]
    account.alarms = [alarm(), alarm("modify", "modify", ActionsEnabled=False)]
    assert standards(account) == {"cis_1_to_4": "pass", "cis_5": "fail", "security_hub": "pass"}
    assert "actions of alarm modify are disabled" in reasons(account.report())


def test_a_union_may_span_two_trails() -> None:
    account = Account()
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:second:*"
    account.more_trails = [trail(Name="two", TrailARN="arn:aws:cloudtrail:us-east-1:123456789012:trail/two")]
    account.more_trails[0]["CloudWatchLogsLogGroupArn"] = group
    account.filters = [metric_filter(events=CLASSIC_EVENTS), metric_filter("modify", MODIFY, logGroupName="second")]
    account.alarms = [alarm(), alarm("modify", "modify")]
    document = account.document()
    document["regions"][REGION]["log_groups"].append({"logGroupName": "second", "arn": group})
    report = audit(read_snapshot(document), coverage_of, checked_at=NOW)
    assert report.status == "pass"


def test_filters_that_share_the_callers_out_together_cover_them_all() -> None:
    account = Account()
    names = pattern_for((*CLASSIC_EVENTS, *MODIFY))[1:-1]
    rooted = '($.userIdentity.type = "Root")'
    others = '($.userIdentity.type != "Root")'
    account.filters = [
        metric_filter("root", filterPattern=f"{{ ({names}) && {rooted} }}"),
        metric_filter("others", filterPattern=f"{{ ({names}) && {others} }}"),
    ]
    account.alarms = [alarm("root", "root"), alarm("others", "others")]
    report = audit(read_snapshot(account.document()), coverage_of, checked_at=NOW)
    assert report.status == "pass"
    account.alarms = [alarm("others", "others")]
    report = audit(read_snapshot(account.document()), coverage_of, checked_at=NOW)
    assert report.status == "fail"


def test_matching_other_calls_too_is_a_note_and_no_failure() -> None:
    account = Account()
    account.filters = [metric_filter(filterPattern="{ $.eventName = * }")]
    report = audit(read_snapshot(account.document()), coverage_of, checked_at=NOW)
    assert report.status == "pass"
    assert any("matches other calls too" in note for note in report.notes)


def test_writes_only_and_an_alarm_in_alarm_are_notes() -> None:
    account = Account()
    account.trail = trail(EventSelectors={"EventSelectors": [{"ReadWriteType": "WriteOnly"}]})
    account.alarms = [alarm(StateValue="ALARM")]
    report = account.report()
    assert report.status == "pass"
    assert any("CIS asks for All" in note for note in report.notes)
    assert any("is in ALARM now" in note for note in report.notes)


def organization_trail(**changes: object) -> Document:
    arn = f"arn:aws:cloudtrail:{REGION}:{OTHER_ACCOUNT}:trail/organization"
    group = f"arn:aws:logs:{REGION}:{OTHER_ACCOUNT}:log-group:organization:*"
    shadow = trail(Name="organization", TrailARN=arn, IsOrganizationTrail=True, CloudWatchLogsLogGroupArn=group)
    shadow["Status"] = {"IsLogging": True}
    return {**shadow, **changes}


def test_an_organization_trail_of_another_account_is_unknown_and_says_where_to_look() -> None:
    account = Account()
    account.trail = organization_trail()
    report = account.report()
    assert report.status == "unknown"
    assert f"audit account {OTHER_ACCOUNT}" in reasons(report)


def test_a_broken_path_under_an_organization_trail_is_unknown() -> None:
    account = Account()
    account.alarms = []
    assert account.report().status == "fail"
    account.more_trails = [organization_trail()]
    assert account.report().status == "unknown"


def test_an_organization_trail_that_fails_to_deliver_is_broken_wherever_its_log_group_is() -> None:
    account = Account()
    error = {"IsLogging": True, "LatestCloudWatchLogsDeliveryError": "AccessDenied"}
    account.trail = organization_trail(Status=error)
    report = account.report()
    assert report.status == "fail"
    assert "fails to deliver to CloudWatch Logs: AccessDenied" in reasons(report)


def test_a_good_path_beside_an_organization_trail_passes() -> None:
    account = Account()
    account.more_trails = [organization_trail()]
    assert account.report().status == "pass"


def test_an_organization_trail_that_delivers_here_is_judged_here() -> None:
    account = Account()
    account.trail = trail(IsOrganizationTrail=True, TrailARN=f"arn:aws:cloudtrail:{REGION}:{OTHER_ACCOUNT}:trail/main")
    assert account.report().status == "pass"


def test_no_trail_is_a_finding_of_no_path() -> None:
    document = Account().document()
    document["trails"] = []
    report = audit(read_snapshot(document), coverage_of, checked_at=NOW)
    assert (report.status, report.paths) == ("fail", ())
    assert report.findings[0].check == "trail-exists"
    valid(report)


def test_a_suppressor_that_is_not_in_alarm_is_a_note_and_its_wait_counts() -> None:
    account = Account()
    account.alarms = [alarm(AlarmActions=[]), alarm("maintenance", "other")]
    account.composites = [
        composite("ALARM(sg-changes)", ActionsSuppressor="maintenance", ActionsSuppressorWaitPeriod=120)
    ]
    report = account.report()
    assert report.status == "pass"
    assert report.coverage["CreateSecurityGroup"].seconds == 420
    assert any("unless alarm maintenance suppresses" in note for note in report.notes)


def test_a_composite_alarm_in_alarm_is_noted() -> None:
    account = Account()
    account.alarms = [alarm(AlarmActions=[])]
    account.composites = [composite("ALARM(sg-changes)", StateValue="ALARM")]
    report = account.report()
    assert report.status == "pass"
    assert any("Alarm parent is in ALARM now" in note for note in report.notes)


@pytest.mark.parametrize(
    ("protection", "noted"),
    [
        ({"dataProtectionStatus": "ACTIVATED"}, True),
        ({"inheritedProperties": ["ACCOUNT_DATA_PROTECTION"]}, True),
        ({"dataProtectionStatus": "DELETED"}, False),
    ],
)
def test_a_log_group_that_masks_data_is_noted(protection: dict[str, Any], noted: bool) -> None:
    document = Account().document()
    document["regions"][REGION]["log_groups"][0] |= protection
    report = audit(read_snapshot(document), coverage_of, checked_at=NOW)
    assert report.status == "pass"
    assert any("masks data" in note for note in report.notes) == noted


@pytest.mark.parametrize(("state", "answer"), [("ACTIVE", "fail"), ("SCHEDULED", "pass"), ("EXPIRED", "pass")])
def test_an_alarm_muted_now_shows_nobody(state: str, answer: str) -> None:
    document = Account().document()
    rule = {"Name": "night", "Status": state, "MuteTargets": {"AlarmNames": ["sg-changes"]}}
    document["regions"][REGION]["alarm_mute_rules"] = [rule]
    report = audit(read_snapshot(document), coverage_of, checked_at=NOW)
    assert report.status == answer
    assert any("night" in note for note in report.notes) == (state == "SCHEDULED")


def test_a_composite_above_a_composite_is_followed() -> None:
    account = Account()
    account.alarms = [alarm(AlarmActions=[])]
    account.composites = [composite("ALARM(sg-changes)", "middle", AlarmActions=[]), composite("ALARM(middle)", "top")]
    assert account.report().status == "pass"


def test_a_composite_rule_that_is_not_understood_is_unknown() -> None:
    account = Account()
    account.alarms = [alarm(AlarmActions=[])]
    account.composites = [composite("AT_MOST(1, OK, (sg-changes))")]
    assert account.report().status == "unknown"
    assert ("composite-alarm", "unknown") in broken(account.report())


def test_an_alarm_on_metric_math_over_both_halves_covers_both() -> None:
    account = Account()
    account.filters = [metric_filter("one", CLASSIC_EVENTS), metric_filter("two", MODIFY)]
    stats = [
        {
            "Id": f"m{number}",
            "MetricStat": {"Metric": {"Namespace": "CISBenchmark", "MetricName": name}, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        }
        for number, name in enumerate(("one", "two"))
    ]
    item = alarm(Metrics=[*stats, {"Id": "e1", "Expression": "SUM(METRICS())", "ReturnData": True}])
    account.alarms = [
        {key: value for key, value in item.items() if key not in {"MetricName", "Namespace", "Statistic"}}
    ]
    assert account.report().status == "pass"


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_other_partitions_are_judged_alike(partition: str) -> None:
    text = json.dumps(Account().document()).replace("arn:aws:", f"arn:{partition}:")
    report = audit(read_snapshot(json.loads(text)), coverage_of, checked_at=NOW)
    assert report.status == "pass"


def test_sgwatchs_own_path_is_judged_beside_the_standards() -> None:
    document = Account().document()
    rule = {"Name": "changes", "Arn": "arn:aws:events:us-east-1:123456789012:rule/changes", "State": "DISABLED"}
    pattern = {"detail": {"eventName": ["B", "A"]}}
    function = "arn:aws:lambda:us-east-1:123456789012:function:sgwatch-prod-alert"
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
    }
    document["self"] = {
        "rules": [
            {
                **rule,
                "EventPattern": json.dumps(pattern),
                "Expected": {"detail": {"eventName": ["A", "B"]}},
                "Targets": [{"Id": "1", "Arn": function}],
            }
        ],
        "functions": [
            {
                "Configuration": {"FunctionArn": function, "State": "Active"},
                "Policy": {"Statement": [{**permission, "Resource": function}]},
                "EventInvokeConfig": None,
                "Metrics": NO_RUNS,
            }
        ],
        "dead_letter_queues": [{"QueueArn": "arn:q", "Attributes": {"ApproximateNumberOfMessages": "2"}}],
    }
    report = audit(read_snapshot(document), coverage_of, checked_at=NOW)
    assert report.status == "pass"
    assert {finding.check: finding.status.value for finding in report.findings} == {
        "own-rule": "fail",
        "own-pattern": "pass",
        "own-target": "pass",
        "own-permission": "pass",
        "own-function": "pass",
        "own-on-failure": "fail",
        "own-errors": "pass",
        "own-dead-letters": "fail",
    }
    valid(report)


@pytest.mark.parametrize(
    "document",
    [[], {"version": "2"}, {"trails": {}}, {"trails": [1]}, {"regions": []}, {"regions": {"x": {"topics": []}}}],
)
def test_what_is_no_snapshot_is_refused_with_a_sentence(document: object) -> None:
    with pytest.raises(SnapshotError):
        read_snapshot(document)


def test_judging_looks_at_each_pattern_and_region_once() -> None:
    account = Account()
    account.filters = [metric_filter(f"f{number}") for number in range(50)]
    account.alarms = [alarm(f"a{number}", f"f{number}") for number in range(50)]
    asked: list[tuple[str, ...]] = []

    def counted(patterns: tuple[str, ...]):  # type: ignore[no-untyped-def]
        asked.append(patterns)
        return coverage_of(patterns)

    assert audit(read_snapshot(account.document()), counted, checked_at=NOW).status == "pass"
    assert len(asked) == 1
