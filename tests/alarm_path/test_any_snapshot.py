"""Whatever stands in a snapshot, the audit answers or refuses it in a sentence."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.repair import Subscriber, plan
from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError, read_snapshot
from sgwatch.audit_html import page
from tests.support.alarm_paths import KEY, NOW, Account, alarm, composite, error, named_coverage
from tests.support.examples import examples

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 0, -1, 1.5, float("nan"), True, [], {}, ["x"], {"x": 1}, [{}], [None], "(" * 3000]
)


def _full() -> dict[str, Any]:
    account = Account()
    account.trail["EventSelectors"]["AdvancedEventSelectors"] = [
        {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    ]
    stat = {
        "Metric": {"Namespace": "CISBenchmark", "MetricName": "sg-changes", "Dimensions": []},
        "Period": 60,
        "Stat": "Sum",
    }
    account.alarms.append(
        alarm(
            "math",
            Metrics=[{"Id": "m1", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "FILL(m1,0)"}],
        )
    )
    account.composites = [composite("ALARM(sg-changes)", ActionsSuppressor="math", ActionsSuppressorWaitPeriod=1)]
    account.topic["Attributes"]["KmsMasterKeyId"] = KEY
    account.topic["KeyPolicy"] = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*"}]}
    account.topic["Subscriptions"][0]["Attributes"]["FilterPolicy"] = '{"$or": [{"a": [{"exists": false}]}]}'
    account.errors = [error("kms:DescribeKey", resource=KEY)]
    document = account.document()
    document["regions"]["us-east-1"]["alarm_mute_rules"] = [{"Name": "n", "MuteTargets": {"AlarmNames": ["x"]}}]
    document["self"] = {
        "region": "us-east-1",
        "rules": [{"Name": "r", "State": "ENABLED", "EventPattern": "{}", "Expected": {}, "Targets": [{"Arn": "f"}]}],
        "functions": [{"FunctionName": "f", "Configuration": {"FunctionArn": "f"}, "Policy": "{}", "Metrics": {}}],
        "dead_letter_queues": [{"QueueArn": "q", "Attributes": {"ApproximateNumberOfMessages": "0"}}],
        "event_source_mappings": [{"UUID": "m", "State": "Enabled"}],
        "alarms": [{"AlarmName": "a", "AlarmActions": ["t"]}],
        "alarm_topics": {"t": ["arn:aws:sns:x"]},
        "deliveries": {"slack": {"AlertsSent": None}},
        "forwarding": {"expected": {}, "regions": {"eu-west-1": {"rules": []}}},
    }
    return document


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inside for place in _places(item, (*path, key)))]


FULL = _full()
PLACES = _places(FULL)[1:]


@settings(max_examples=examples(400), deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3))
def test_junk_anywhere_is_answered_or_refused_in_a_sentence(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = copy.deepcopy(FULL)
    for path, junk in changes:
        place: Any = document
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = copy.deepcopy(junk)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        snapshot = read_snapshot(document)
    except SnapshotError:
        return
    report = audit(snapshot, named_coverage, checked_at=NOW)
    assert report.to_json()["status"] in {"pass", "fail", "unknown"}
    assert page(report, document)
    plan(snapshot, report, Subscriber("email", "security@example.com"))


def test_the_account_that_is_spoiled_here_is_sound_to_begin_with() -> None:
    assert audit(read_snapshot(FULL), named_coverage, checked_at=NOW).status == "pass"
