"""The paths of the report agree with its status: what other paths carry, or no standard asks for, breaks none."""

from __future__ import annotations

import copy

import pytest

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS, Standard, pattern_for
from tests.support.alarm_paths import NOW, Account, Document, alarm, metric_filter, reasons, trail


def judged(account: Account, standard: Standard = Standard.CIS_5) -> Report:
    return audit(read_snapshot(account.document()), coverage_of, checked_at=NOW, standard=standard)


def selecting(*events: str) -> Document:
    conditions = [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "eventName", "Equals": list(events)}]
    return {"AdvancedEventSelectors": [{"FieldSelectors": conditions}]}


def test_one_alarm_per_value_of_a_dimension_is_a_path_each() -> None:
    account = Account()
    account.filters = [metric_filter(transformation={"dimensions": {"event": "$.eventName"}})]
    account.alarms = [alarm(event, Dimensions=[{"Name": "event", "Value": event}]) for event in EVENTS]
    report = judged(account)
    assert [path.status for path in report.paths] == ["pass"] * len(EVENTS)
    account.alarms.pop()
    report = judged(account)
    assert {path.status for path in report.paths} == {"fail"}
    assert report.coverage["ModifySecurityGroupRules"].status == "fail"


def test_two_trails_that_share_the_events_out_are_sound_paths() -> None:
    account = Account()
    account.trail = trail(EventSelectors=selecting(*EVENTS[:3]))
    second = copy.deepcopy(account.trail)
    second |= {"Name": "two", "TrailARN": f"{second['TrailARN']}-two", "EventSelectors": selecting(*EVENTS[3:])}
    account.more_trails = [second]
    assert [path.status for path in judged(account).paths] == ["pass", "pass"]
    account.more_trails = []
    assert [path.status for path in judged(account).paths] == ["fail"]


def test_filters_that_share_the_callers_out_are_sound_paths() -> None:
    account = Account()
    names = pattern_for(EVENTS)[1:-1]
    account.filters = [
        metric_filter(name, filterPattern=f"{{ ({names}) && ($.userIdentity.type {sign} Root) }}")
        for name, sign in (("root", "="), ("others", "!="))
    ]
    account.alarms = [alarm("root", "root"), alarm("others", "others")]
    assert [path.status for path in judged(account).paths] == ["pass", "pass"]
    account.alarms.pop()
    assert {path.status for path in judged(account).paths} == {"fail"}


def test_a_trail_without_the_seventh_event_is_sound_for_a_text_that_does_not_ask_for_it() -> None:
    account = Account()
    account.trail = trail(EventSelectors=selecting(*CLASSIC_EVENTS))
    six, seven = judged(account, Standard.CIS_1_TO_4), judged(account)
    assert (six.status, six.paths[0].status) == ("pass", "pass")
    assert (seven.status, seven.paths[0].status) == ("fail", "fail")


@pytest.mark.parametrize(("events", "status"), [(CLASSIC_EVENTS, "pass"), (EVENTS, "fail")])
def test_where_security_hub_counts_a_filter_that_holds_more_is_the_broken_link(
    events: tuple[str, ...], status: str
) -> None:
    account = Account()
    account.filters = [metric_filter(events=events)]
    report = judged(account, Standard.SECURITY_HUB)
    assert (report.status, report.paths[0].status) == (status, status)
    assert ("this filter holds more than them" in reasons(report)) == (status == "fail")


def test_a_wider_filter_beside_the_one_that_security_hub_wants_is_no_broken_path() -> None:
    account = Account()
    account.filters = [metric_filter("six", CLASSIC_EVENTS), metric_filter("seven")]
    account.alarms = [alarm("six", "six"), alarm("seven", "seven")]
    report = judged(account, Standard.SECURITY_HUB)
    assert (report.status, [path.status for path in report.paths]) == ("pass", ["pass", "pass"])


def test_a_path_with_a_broken_end_does_not_blame_its_filter_for_what_another_path_carries() -> None:
    account = Account()
    account.filters = [metric_filter("six", CLASSIC_EVENTS), metric_filter("seven")]
    account.alarms = [alarm("six", "six", ActionsEnabled=False), alarm("seven", "seven")]
    report = judged(account)
    bad = {finding.check for path in report.paths for finding in path.findings if finding.status == "fail"}
    assert (report.status, bad) == ("pass", {"alarm-actions"})


def split(**second_alarm: object) -> Account:
    account = Account()
    account.filters = [metric_filter("one", EVENTS[:3]), metric_filter("two", EVENTS[3:])]
    account.alarms = [alarm("one", "one"), alarm("two", "two", **second_alarm)]
    return account


def test_where_two_filters_share_the_events_out_the_broken_half_is_blamed_and_not_the_filters() -> None:
    report = judged(split(ActionsEnabled=False))
    one, two = ([item for item in path.findings if item.status != "pass"] for path in report.paths)
    assert [item.check for item in two] == ["alarm-actions"]
    assert [(item.check, item.status) for item in one] == [("filter-coverage", "fail")]
    assert "Metric filter two matches" in one[0].reason
    assert one[0].reason.endswith("but its path is not sound: The actions of alarm two are disabled.")
    assert one[0].fix == two[0].fix


def test_a_half_whose_end_was_not_read_leaves_the_other_half_unknown_too() -> None:
    report = judged(split(AlarmActions=["arn:aws:sns:us-east-1:123456789012:unread"]))
    assert (report.status, [path.status for path in report.paths]) == ("unknown", ["unknown", "unknown"])


def test_a_catch_all_filter_without_an_alarm_is_not_blamed_for_an_event_that_the_real_one_lacks() -> None:
    account = Account()
    account.filters = [metric_filter(events=CLASSIC_EVENTS), metric_filter("all", filterPattern="{ $.eventName = * }")]
    report = judged(account)
    bad = [item for item in report.paths[0].findings if item.status != "pass"]
    assert [item.check for item in bad] == ["filter-coverage"]
    assert "put-metric-filter" in str(bad[0].fix)


@pytest.mark.parametrize(
    "pattern", ["{ ($.eventName = *Security*Group*) }", "{ $.a = ", "{ $.eventName = RunInstances }"]
)
def test_a_filter_that_was_meant_for_security_groups_is_named_though_it_matches_none(pattern: str) -> None:
    account = Account()
    account.filters = [metric_filter("security-group-changes", filterPattern=pattern)]
    account.alarms = [alarm("security-group-changes", "security-group-changes")]
    report = judged(account)
    assert report.status == "fail"
    assert {(path.metric_filter, path.alarm) for path in report.paths} == {
        ("security-group-changes", "security-group-changes")
    }
    assert [item.check for item in report.paths[0].findings if item.status == "fail"] == ["filter-coverage"]
