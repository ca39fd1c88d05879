"""What the functions that guard the alarm path tell, keep and ping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from chalicelib.alarm_path.audit_run import Audited, NotAudited
from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.alerts import RepairCall
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import MemoryUnavailable
from chalicelib.delivery.direct import NotDelivered
from chalicelib.delivery.heartbeat import Heartbeat, failure_url
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.settings.model import SettingsError
from tests.support.alarm_paths import ACCOUNT, GROUP, NOW, OTHER_ACCOUNT, Account, Document
from tests.support.guards import Guarded, Kept, audited, event, refused, sound, without_filter
from tests.support.receiver import Answer, Receiver, receiver

PARTS = frozenset({"main", "trail-logs", "sg-changes", "security"})
OTHER_ALARM = event("PutMetricAlarm", "monitoring", {"alarmName": "TargetTracking-table/orders-AlarmHigh"})


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def guarded(webhook: Receiver) -> Guarded:
    return Guarded(webhook, Kept(RememberedStatus(Status.PASS, None, PARTS)))


def test_tampering_is_reported_with_who_did_it_and_what_is_broken_now(guarded: Guarded) -> None:
    guarded.finds = without_filter
    (alert,) = guarded.tampered()
    assert (alert["kind"], alert["severity"]) == ("alarm_path", "high")
    assert alert["principal"]["name"] == "mallory"
    assert alert["title"] == (
        "The alarm path is broken: metric filter sg-changes was deleted (DeleteMetricFilter by mallory)"
    )
    assert "No metric filter on log group trail-logs matches security group changes" in alert["summary"]
    assert "aws logs put-metric-filter" in alert["exposures"][1]["reason"]
    (finding,) = alert["alarm_path"].pop("findings")
    assert (finding["check"], finding["subject"]) == ("filter-exists", f"{GROUP}:*")
    assert alert["alarm_path"] == {
        "status": "fail",
        "was": "pass",
        "broken_by_this_call": True,
        "checked_at": "2026-11-23T10:00:00Z",
    }


def test_what_tampering_broke_is_not_announced_a_second_time_but_remembered(guarded: Guarded) -> None:
    guarded.finds = without_filter
    assert len(guarded.tampered()) == 1
    assert guarded.kept.memory is not None
    assert (guarded.kept.memory.status, guarded.kept.memory.announced_at) == (Status.FAIL, NOW)
    assert guarded.scheduled() == []


def test_a_path_that_was_broken_daily_is_reported_and_its_recovery(guarded: Guarded) -> None:
    guarded.finds = without_filter
    told = []
    for hour in range(26):
        guarded.now = NOW + hour * timedelta(hours=1)
        told += [(hour, alert["title"], alert["severity"]) for alert in guarded.scheduled()]
    guarded.finds = sound
    told += [(99, alert["title"], alert["severity"]) for alert in guarded.scheduled()]
    assert told == [
        (0, "The alarm path is broken", "high"),
        (24, "The alarm path still is broken after 1 day", "high"),
        (99, "The alarm path works again after 1 day", "info"),
    ]


def overtaken(guarded: Guarded, stale: Callable[[], Audited], fresh: Callable[[], Audited]) -> list[str]:
    """The titles that two audits led to: the first is still under way when the other begins, and ends after it."""
    audits = [stale]

    def slow() -> Audited:
        if not audits:
            return fresh()
        guarded.finds = fresh
        guarded.tampered()
        return audits.pop()()

    guarded.finds = slow
    return [alert["title"] for alert in guarded.scheduled()]


def test_an_audit_from_before_the_tampering_does_not_end_as_if_nothing_had_been(guarded: Guarded) -> None:
    titles = overtaken(guarded, stale=sound, fresh=without_filter)
    assert titles == ["The alarm path is broken: metric filter sg-changes was deleted (DeleteMetricFilter by mallory)"]
    assert guarded.kept.memory is not None
    assert guarded.kept.memory.status is Status.FAIL
    guarded.finds = sound
    assert [alert["title"] for alert in guarded.scheduled()] == ["The alarm path works again after less than a minute"]


def test_an_audit_from_before_the_mending_does_not_say_that_it_still_is_broken(guarded: Guarded) -> None:
    guarded.kept.memory = RememberedStatus(Status.FAIL, NOW - timedelta(days=2), PARTS)
    titles = overtaken(guarded, stale=without_filter, fresh=sound)
    assert titles[-1].startswith("The alarm path works again")
    assert guarded.scheduled() == []


@pytest.mark.parametrize("stale", [1, 2, 3])
def test_an_audit_that_found_a_break_hears_of_one_that_ended_meanwhile_and_found_it_mended(
    guarded: Guarded, stale: int
) -> None:
    guarded.scheduled()
    finds = [without_filter] * stale

    def slow() -> Audited:
        if not finds:
            return sound()
        found = finds.pop()()
        guarded.now += timedelta(seconds=3)
        guarded.finds = sound
        guarded.scheduled()
        guarded.finds = slow
        return found

    guarded.finds = slow
    broken, mended = guarded.tampered()
    assert (broken["alarm_path"]["status"], broken["severity"]) == ("fail", "high")
    assert mended["title"].startswith("The alarm path works again")
    assert guarded.kept.memory is not None
    assert guarded.kept.memory.status is Status.PASS
    assert guarded.scheduled() == []


@pytest.mark.parametrize("has_conditions", [False, True], ids=["parameter", "table"])
def test_an_audit_that_ends_while_another_writes_its_status_does_not_hide_what_that_one_found(
    guarded: Guarded, *, has_conditions: bool
) -> None:
    guarded.scheduled()
    guarded.kept.has_conditions = has_conditions
    finds = [sound]

    def break_it() -> None:
        guarded.finds = without_filter
        guarded.tampered()

    guarded.kept.before_save.append(break_it)
    guarded.finds = lambda: finds.pop()() if finds else without_filter()
    (broken,) = guarded.scheduled()
    assert broken["title"].startswith("The alarm path is broken: metric filter sg-changes was deleted")
    assert guarded.kept.memory is not None
    assert guarded.kept.memory.status is Status.FAIL
    guarded.finds = sound
    assert [alert["title"] for alert in guarded.scheduled()] == ["The alarm path works again after less than a minute"]


@pytest.mark.parametrize("has_conditions", [False, True], ids=["parameter", "table"])
def test_a_break_that_was_mended_while_it_was_written_is_known_to_be_mended(
    guarded: Guarded, *, has_conditions: bool
) -> None:
    guarded.scheduled()
    guarded.kept.has_conditions = has_conditions
    finds = [without_filter]

    def mend_it() -> None:
        guarded.finds = sound
        assert guarded.scheduled() == []

    guarded.kept.before_save.append(mend_it)
    guarded.finds = lambda: finds.pop()() if finds else sound()
    broken, mended = guarded.tampered()
    assert (broken["alarm_path"]["status"], broken["severity"]) == ("fail", "high")
    assert mended["title"].startswith("The alarm path works again")
    assert guarded.kept.memory is not None
    assert guarded.kept.memory.status is Status.PASS
    assert guarded.scheduled() == []


def test_a_recovery_is_reported_once_with_who_mended_it_and_how_long_it_was_broken(guarded: Guarded) -> None:
    guarded.kept.memory = RememberedStatus(Status.FAIL, NOW, PARTS, NOW - timedelta(hours=2))
    put = event("PutMetricFilter", "logs", {"logGroupName": "trail-logs", "filterName": "sg-changes"})
    (alert,) = guarded.tampered(put)
    assert (alert["severity"], alert["alarm_path"]["status"], alert["alarm_path"]["was"]) == ("low", "pass", "fail")
    assert alert["alarm_path"]["broken_by_this_call"] is False
    assert alert["title"].startswith("The alarm path works again after 2 hours: metric filter sg-changes was created")
    assert guarded.scheduled() == []


def test_a_recovery_by_a_mending_call_says_who_made_it(guarded: Guarded) -> None:
    guarded.kept.memory = RememberedStatus(Status.FAIL, NOW, PARTS, NOW - timedelta(minutes=5))
    started = event("StartLogging", "cloudtrail", {"name": "main"})
    (alert,) = guarded.after(lambda guard, invocation: guard.on_schedule(started, invocation))
    assert alert["title"] == "The alarm path works again after 5 minutes: StartLogging by mallory"


def test_a_changed_part_that_still_works_is_low(guarded: Guarded) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:security"
    (alert,) = guarded.tampered(event("SetTopicAttributes", "sns", {"topicArn": topic}))
    assert (alert["severity"], alert["alarm_path"]["broken_by_this_call"]) == ("low", False)
    assert "It concerns a part of the alarm path or of sgwatch; the alarm path still works." in alert["summary"]


def test_of_many_things_that_a_call_names_the_paths_own_are_said(guarded: Guarded) -> None:
    names = [*(f"autoscaling-{number}" for number in range(99)), "sg-changes"]
    (alert,) = guarded.tampered(event("DeleteAlarms", "monitoring", {"alarmNames": names}))
    assert "Of what it names, sg-changes is a part of the alarm path or of sgwatch; " in alert["summary"]


def test_a_call_on_something_else_is_counted_and_not_alerted(guarded: Guarded) -> None:
    assert guarded.tampered(OTHER_ALARM) == []
    assert "call touches neither the alarm path nor sgwatch" in guarded.logged()
    assert guarded.counted("AlertsSuppressed") == [1]


def test_a_call_on_something_else_at_which_the_path_was_found_broken_blames_nobody(guarded: Guarded) -> None:
    guarded.finds = without_filter
    (alert,) = guarded.tampered(OTHER_ALARM)
    assert (alert["severity"], alert["title"], alert["principal"]) == ("high", "The alarm path is broken", None)


def test_what_was_broken_before_is_said_and_not_blamed_on_the_caller(guarded: Guarded) -> None:
    guarded.kept.memory = RememberedStatus(Status.FAIL, NOW, PARTS)
    guarded.finds = without_filter
    (alert,) = guarded.tampered()
    assert (alert["severity"], alert["alarm_path"]["broken_by_this_call"]) == ("low", False)
    assert alert["title"].startswith("The alarm path was broken before and still is")


def test_a_call_that_cannot_have_broken_what_is_broken_is_not_blamed(guarded: Guarded) -> None:
    guarded.finds = without_filter
    call, announced = guarded.tampered(event("StopLogging", "cloudtrail", {"name": "main"}))
    assert (call["severity"], call["alarm_path"]["broken_by_this_call"]) == ("low", False)
    assert call["title"].startswith("The alarm path is broken, but not by this call")
    assert (announced["severity"], announced["title"]) == ("high", "The alarm path is broken")


def test_without_an_earlier_audit_it_is_not_known_whether_the_call_broke_it(guarded: Guarded) -> None:
    guarded.kept.memory, guarded.finds = None, without_filter
    (alert,) = guarded.tampered()
    path = alert["alarm_path"]
    assert (alert["severity"], path["was"], path["broken_by_this_call"]) == ("high", None, None)


def test_a_path_that_may_be_broken_is_as_severe_as_the_call_by_itself_and_at_least_medium(guarded: Guarded) -> None:
    account = Account().document()
    account["regions"]["us-east-1"].pop("metric_filters")
    guarded.finds = lambda: audited(account)
    assert [alert["severity"] for alert in guarded.tampered()] == ["high"]
    guarded.kept.memory, guarded.now = RememberedStatus(Status.PASS, None, PARTS), NOW + timedelta(minutes=2)
    put = event("PutMetricFilter", "logs", {"logGroupName": "trail-logs", "filterName": "sg-changes"})
    assert [alert["severity"] for alert in guarded.tampered(put)] == ["medium"]


def test_the_write_of_its_own_status_starts_no_audit(guarded: Guarded) -> None:
    guarded.finds = lambda: pytest.fail("an audit")
    assert guarded.tampered(event("PutParameter", "ssm", {"name": "/sgwatch/prod/alarm-path"})) == []


def test_times_of_the_future_in_the_remembered_status_mute_nothing(guarded: Guarded) -> None:
    guarded.finds = without_filter
    future = NOW + timedelta(days=36_500)
    guarded.kept.memory = RememberedStatus(Status.FAIL, future, frozenset(), future)
    assert [alert["title"] for alert in guarded.scheduled()] == ["The alarm path still is broken"]
    assert guarded.scheduled() == []


@pytest.mark.parametrize("name", ["UpdateFunctionCode20150331v2", "UpdateFunctionConfiguration20150331v2"])
def test_what_a_changed_function_of_sgwatch_does_is_beyond_the_audit(guarded: Guarded, name: str) -> None:
    (alert,) = guarded.tampered(event(name, "lambda", {"functionName": "sgwatch-prod-alert_on_change"}))
    assert (alert["severity"], alert["alarm_path"]["status"]) == ("medium", "pass")
    assert alert["unknowns"] == ["what the function does now: its code and its settings are no part of the audit"]


def test_what_root_does_is_high_whatever_it_concerns(guarded: Guarded) -> None:
    root = {"type": "Root", "accountId": "123456789012", "arn": "arn:aws:iam::123456789012:root"}
    document = event("PutMetricAlarm", "monitoring", {"alarmName": "other"}, userIdentity=root)
    assert [alert["severity"] for alert in guarded.tampered(document)] == ["high"]


def test_a_denied_attempt_stays_one_and_says_how_things_stand(guarded: Guarded) -> None:
    denied = event("DeleteTrail", "cloudtrail", {"name": "main"}, errorCode="AccessDenied")
    (alert,) = guarded.tampered(denied)
    assert (alert["severity"], alert["event"]["outcome"]) == ("medium", "denied")
    assert alert["alarm_path"]["status"] == "pass"


def test_what_a_failed_call_brought_to_light_is_announced_as_urgently_as_ever(guarded: Guarded) -> None:
    guarded.finds = without_filter
    failed = event("PutMetricAlarm", "monitoring", {"alarmName": "sg-changes"}, errorCode="ValidationError")
    call, announced = guarded.tampered(failed)
    assert (call["severity"], call["event"]["outcome"]) == ("info", "failed")
    assert (announced["severity"], announced["title"]) == ("high", "The alarm path is broken")


def test_an_audit_that_takes_too_long_does_not_hold_up_the_alert(guarded: Guarded) -> None:
    def slow() -> Audited:
        time.sleep(1.0)
        return without_filter()

    guarded.finds, guarded.most_wait = slow, 0.05
    call, announced = guarded.tampered()
    assert (call["severity"], call["alarm_path"]) == ("high", None)
    assert call["unknowns"] == ["what it did to the alarm path: the audit was not done within 0.05 s"]
    assert announced["title"] == "The alarm path is broken"
    assert "log group trail-logs" in announced["summary"]


def test_a_function_without_time_for_an_audit_alerts_all_the_same(guarded: Guarded) -> None:
    def never() -> Audited:
        time.sleep(5.0)
        raise AssertionError

    guarded.finds, guarded.remaining_ms = never, 10_000
    (alert,) = guarded.tampered()
    assert alert["severity"] == "high"
    assert guarded.counted("AuditsFailed") == [1]


def test_an_audit_that_is_refused_is_said_in_the_alert(guarded: Guarded) -> None:
    guarded.finds = refused
    (alert,) = guarded.tampered()
    assert alert["severity"] == "high"
    assert alert["unknowns"][-1].endswith("the audit could not be made: AccessDenied on GetCallerIdentity")
    assert guarded.kept.saved == []


def test_a_defect_in_the_audit_does_not_lose_the_alert(guarded: Guarded) -> None:
    def defect() -> Audited:
        raise ZeroDivisionError

    guarded.finds = defect
    (alert,) = guarded.tampered()
    assert "a fault in sgwatch itself (ZeroDivisionError)" in alert["unknowns"][-1]
    assert any('"audit broke"' in line and "in defect" in line for line in guarded.written), "with its traceback"


def test_a_scheduled_audit_that_is_refused_is_reported_and_fails_the_function(guarded: Guarded) -> None:
    guarded.finds = refused
    with pytest.raises(NotAudited, match="GetCallerIdentity"):
        guarded.scheduled()
    assert b"may be broken" in guarded.webhook.requests[0].body
    assert guarded.kept.memory == RememberedStatus(Status.UNKNOWN, NOW, PARTS, NOW, NOW, 1, frozenset())


def test_a_function_of_somebody_else_is_no_tampering_and_not_audited(guarded: Guarded) -> None:
    guarded.finds = refused
    foreign = event("UpdateFunctionCode20150331v2", "lambda", {"functionName": "orders"})
    assert guarded.tampered(foreign) == []
    assert guarded.logged() == ["record is not watched"]


def test_nonsense_is_alerted_as_not_understood(guarded: Guarded) -> None:
    (alert,) = guarded.tampered(["no", "record"])
    assert alert["kind"] == "not_understood"


def test_what_was_not_delivered_is_not_remembered_as_reported(guarded: Guarded) -> None:
    guarded.finds = without_filter
    guarded.webhook.will(Answer(400))
    with pytest.raises(NotDelivered):
        guarded.scheduled()
    assert guarded.kept.saved == []
    guarded.webhook.will(Answer())
    assert len(guarded.scheduled()) == 1


def test_faulty_settings_fail_the_function_after_everything_was_done(guarded: Guarded) -> None:
    guarded.finds, guarded.more = without_filter, {"faults": ("SNS_FORMAT: no",)}
    with pytest.raises(SettingsError):
        guarded.tampered()
    assert len(guarded.webhook.requests) == 1
    assert guarded.kept.memory is not None
    assert guarded.kept.memory.status is Status.FAIL


@pytest.mark.parametrize("failing", ["load", "save"])
def test_a_status_that_cannot_be_kept_is_reported_too_often_rather_than_never(guarded: Guarded, failing: str) -> None:
    guarded.finds, guarded.kept.failing = without_filter, {failing}
    with pytest.raises(MemoryUnavailable):
        guarded.scheduled()
    assert len(guarded.webhook.requests) == 1


def test_a_recovery_is_reported_though_what_was_before_could_not_be_read_at_first(guarded: Guarded) -> None:
    guarded.kept.memory, guarded.kept.failing = RememberedStatus(Status.FAIL, NOW, PARTS), {"load"}
    with pytest.raises(MemoryUnavailable):
        guarded.scheduled()
    guarded.kept.failing = set()
    assert [alert["title"] for alert in guarded.scheduled()] == ["The alarm path works again"]


def test_every_audit_is_written_so_that_one_under_way_hears_of_it(guarded: Guarded) -> None:
    guarded.scheduled()
    guarded.now += timedelta(hours=1)
    guarded.scheduled()
    assert [each.audited_at for each in guarded.kept.saved] == [NOW, NOW + timedelta(hours=1)]


def test_sgwatchs_own_disabled_rule_is_reported_as_its_own_path(guarded: Guarded) -> None:
    rule = "arn:aws:events:us-east-1:123456789012:rule/sgwatch-prod-alert_on_change-event"
    document = Account().document()
    document["self"] = {
        "rules": [{"Name": rule.rpartition("/")[2], "Arn": rule, "State": "DISABLED", "Targets": []}],
        "functions": [],
    }
    guarded.finds = lambda: audited(document)
    (alert,) = guarded.tampered(event("DisableRule", "events", {"name": rule.rpartition("/")[2]}))
    assert alert["title"] == (
        "sgwatch's own path is broken: rule sgwatch-prod-alert_on_change-event was disabled (DisableRule by mallory)"
    )
    assert f"enable-rule --region us-east-1 --name {rule.rpartition('/')[2]}" in str(alert["exposures"])


def test_what_fails_of_sgwatchs_own_path_beside_a_broken_alarm_path_is_reported_within_the_hour(
    guarded: Guarded,
) -> None:
    broken = Account()
    broken.filters = []
    document = broken.document()
    guarded.finds = lambda: audited(document)
    assert [alert["title"] for alert in guarded.scheduled()] == ["The alarm path is broken"]
    rule = {"Name": "sgwatch-prod-alert_on_change-event", "State": "DISABLED", "Targets": []}
    document["self"] = {"rules": [rule], "functions": []}
    guarded.now += timedelta(hours=1)
    (alert,) = guarded.scheduled()
    assert (alert["title"], alert["severity"]) == ("sgwatch's own path is broken in 2 more places", "high")
    assert alert["summary"].startswith("EventBridge rule sgwatch-prod-alert_on_change-event is DISABLED.")
    guarded.now += timedelta(hours=1)
    assert guarded.scheduled() == []


def test_a_forwarder_of_another_account_is_beyond_the_audit_and_as_severe_as_the_call(guarded: Guarded) -> None:
    guarded.finds = without_filter
    rule = {"name": "sgwatch-prod-forward-changes"}
    alert, announced = guarded.tampered(event("DisableRule", "events", rule, recipientAccountId=OTHER_ACCOUNT))
    assert (alert["severity"], alert["account"]["id"], alert["alarm_path"]) == ("high", OTHER_ACCOUNT, None)
    assert alert["title"].startswith("Rule sgwatch-prod-forward-changes was disabled")
    assert f"which the audit of account {ACCOUNT} does not see" in alert["summary"]
    assert f"sgwatch fleet status --account {OTHER_ACCOUNT}" in alert["summary"]
    assert (announced["account"]["id"], announced["alarm_path"]["status"]) == (ACCOUNT, "fail"), "what the audit found"


REPAIRED = [RepairCall("logs:PutMetricFilter", "Count the 7 events.", "aws logs delete-metric-filter …")]


def test_a_repair_is_reported_with_what_it_made_and_how_things_stand_then(guarded: Guarded) -> None:
    found = iter([without_filter(), sound()])
    guarded.finds = lambda: next(found)
    asked: list[frozenset[str] | None] = []

    def repair(_: Audited, parts: frozenset[str] | None) -> list[RepairCall]:
        asked.append(parts)
        return REPAIRED

    guarded.repairs = repair
    broken, mended = guarded.tampered()
    assert broken["title"].startswith("The alarm path is broken")
    assert mended["title"] == "sgwatch repaired the alarm path (1 call)"
    assert (mended["severity"], mended["alarm_path"]["status"]) == ("medium", "pass")
    assert "delete-metric-filter" in mended["exposures"][0]["reason"]
    assert asked == [PARTS]
    assert guarded.kept.memory is not None
    assert guarded.kept.memory.status is Status.PASS


def test_a_repair_that_was_refused_is_reported_as_such(guarded: Guarded) -> None:
    guarded.finds = without_filter
    guarded.repairs = lambda *_: [RepairCall("logs:PutMetricFilter", "", "", failure="AccessDeniedException")]
    (alert,) = guarded.scheduled()
    assert alert["title"] == "sgwatch could not repair the alarm path: logs:PutMetricFilter failed"
    assert alert["severity"] == "high"


def test_sgwatchs_own_repairs_are_not_repaired(guarded: Guarded) -> None:
    account = Account()
    account.filters = []
    guarded.finds = lambda: audited(with_own_roles(account.document()))
    guarded.repairs = lambda *_: pytest.fail("it went round in circles")
    issuer = {"type": "Role", "userName": "sgwatch-prod", "arn": "arn:aws:iam::123456789012:role/sgwatch-prod"}
    role = {
        "type": "AssumedRole",
        "accountId": "123456789012",
        "arn": "arn:aws:sts::123456789012:assumed-role/sgwatch-prod/sgwatch-prod-audit_on_schedule",
        "sessionContext": {"sessionIssuer": issuer},
    }
    parameters = {"logGroupName": "trail-logs", "filterName": "sgwatch-security-group-changes"}
    assert len(guarded.tampered(event("PutMetricFilter", "logs", parameters, userIdentity=role))) == 1


def with_own_roles(document: Document) -> Document:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:sgwatch-prod-audit_on_schedule"
    configuration = {"FunctionArn": arn, "Role": "arn:aws:iam::123456789012:role/sgwatch-prod"}
    rule = {"Name": "r", "Arn": "arn:aws:events:us-east-1:123456789012:rule/r", "State": "ENABLED"}
    return {**document, "self": {"rules": [rule], "functions": [{"Configuration": configuration}]}}


def test_a_session_that_is_named_like_a_function_of_sgwatch_does_not_turn_repair_off(guarded: Guarded) -> None:
    asked: list[str] = []
    guarded.finds = without_filter

    def repair(*_: object) -> list[RepairCall]:
        asked.append("repair")
        return REPAIRED

    guarded.repairs = repair
    role = {
        "type": "AssumedRole",
        "accountId": "123456789012",
        "arn": "arn:aws:sts::123456789012:assumed-role/developer/sgwatch-prod-audit_on_schedule",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::123456789012:role/developer"}},
    }
    parameters = {"logGroupName": "trail-logs", "filterName": "sg-changes"}
    guarded.tampered(event("DeleteMetricFilter", "logs", parameters, userIdentity=role))
    assert asked == ["repair"]


def test_the_heartbeat_is_pinged_after_each_completed_audit_and_fails_when_broken(guarded: Guarded) -> None:
    with receiver() as monitor:
        guarded.more = {"heartbeat": Heartbeat(HttpDoor(), lambda: f"{monitor.url}/ping/secret?a=1")}
        guarded.scheduled()
        guarded.finds = without_filter
        guarded.scheduled()
        guarded.finds = refused
        with pytest.raises(NotAudited):
            guarded.scheduled()
        assert [request.path for request in monitor.requests] == ["/ping/secret?a=1", "/ping/secret/fail?a=1"]


def test_a_heartbeat_that_fails_fails_nothing_else_and_shows_no_secret(guarded: Guarded) -> None:
    with receiver() as monitor:
        monitor.will(Answer(500))
        guarded.more = {"heartbeat": Heartbeat(HttpDoor(), lambda: f"{monitor.url}/hush-hush")}
        guarded.scheduled()
    assert "heartbeat failed" in guarded.logged()
    assert "hush-hush" not in "".join(guarded.written)


def test_fail_stands_behind_the_path() -> None:
    assert failure_url("https://hc-ping.example.com/uuid/") == "https://hc-ping.example.com/uuid/fail"


def test_two_alerts_of_one_invocation_have_ids_of_their_own(guarded: Guarded) -> None:
    guarded.finds = without_filter
    ids = [alert["id"] for alert in guarded.tampered(event("StopLogging", "cloudtrail", {"name": "main"}))]
    assert len(ids) == len(set(ids)) == 2
