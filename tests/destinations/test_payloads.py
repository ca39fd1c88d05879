"""What each service is sent: golden, within the service's limits, and harmless whatever others chose."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft6Validator

from chalicelib.alert.model import AlarmPath, Alert, AlertKind, Changes, Event, Undo, to_json
from chalicelib.destinations import (
    cloudevents,
    discord,
    event_bus,
    google_chat,
    jsm,
    ocsf,
    pagerduty,
    security_hub,
    sns,
    teams,
)
from chalicelib.destinations.http_door import encode_json
from chalicelib.settings.kinds import KINDS
from localcloud.receivers import discord as discord_receiver
from localcloud.receivers import google_chat as google_receiver
from localcloud.receivers import jsm as jsm_receiver
from localcloud.receivers import teams as teams_receiver
from tests.support.alerts import HOSTILE, SAMPLES, critical_open_ssh, hostile, rule
from tests.support.goldens import check_golden
from tests.support.rows import every

NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
HOME = security_hub.Home("aws", "123456789012", "eu-west-1")
RUNBOOK = "https://wiki.example.com/runbooks/security-groups"
CARD_SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "adaptive-card-1.4.schema.json").read_text())

Payload = Callable[[Alert], dict[str, Any]]
PAYLOADS: dict[str, Payload] = {
    "teams": lambda alert: teams.payload(alert, RUNBOOK),
    "google_chat": lambda alert: google_chat.payload(alert, RUNBOOK),
    "discord": lambda alert: discord.payload(alert, RUNBOOK),
    "pagerduty": lambda alert: pagerduty.payload(alert, RUNBOOK),
    "jsm": lambda alert: jsm.payload(alert, RUNBOOK),
    "event_bus": event_bus.payload,
    "security_hub": lambda alert: security_hub.payload(alert, HOME, NOW, RUNBOOK),
    "sns_chatbot": lambda alert: sns.custom_notification(alert, RUNBOOK),
    "webhook_cloudevents": cloudevents.event,
    "webhook_ocsf": lambda alert: ocsf.event(alert, NOW, RUNBOOK),
}
# Whose golden is the alert itself over again is checked for what is around it.
GOLDENS = [name for name in PAYLOADS if name not in ("event_bus", "webhook_cloudevents")]
CHATS = ("teams", "google_chat", "discord", "sns_chatbot")
# Whose payloads have test modules of their own beside this one.
ELSEWHERE = {"slack", "sns", "webhook"}


def test_no_kind_of_destination_is_left_out_here() -> None:
    missing = {kind.key for kind in KINDS} - ELSEWHERE - PAYLOADS.keys()
    assert sorted(missing) == [], "no row in PAYLOADS of tests/destinations/test_payloads.py"
    assert sorted(PAYLOADS.keys() - CHECKS.keys()) == [], "no row in CHECKS of tests/destinations/test_payloads.py"


def recovered() -> Alert:
    """The audit's word that the path works again."""
    return SAMPLES["trial"]()._replace(
        kind=AlertKind.ALARM_PATH,
        title="the alarm path works again",
        event=Event(),
        alarm_path=AlarmPath("pass", NOW),
    )


def broken() -> Alert:
    return recovered()._replace(title="the alarm path is broken", alarm_path=AlarmPath("fail", NOW))


@pytest.mark.parametrize("sample", ["critical_open_ssh", "modify_before_known", "revoke", "not_understood", "hostile"])
@pytest.mark.parametrize("name", GOLDENS)
def test_the_payload_is_the_golden_one(name: str, sample: str) -> None:
    alert = hostile() if sample == "hostile" else SAMPLES[sample]()
    document = PAYLOADS[name](alert)
    for holder, key in ((document, "unmapped"), (document.get("payload", {}), "custom_details")):
        holder.pop(key, None)
    # A lone surrogate has no UTF-8.
    text = json.dumps(document, indent=2, ensure_ascii=sample == "hostile", default=str)
    check_golden(Path(name) / f"{sample}.json", text + "\n")


def check(name: str, alert: Alert) -> None:
    CHECKS[name](PAYLOADS[name](alert))


def check_teams(message: dict[str, Any]) -> None:
    assert len(encode_json(message)) < 20_000
    assert teams_receiver.card_problem(message) is None
    (attachment,) = message["attachments"]
    # Teams' own addition to the schema.
    card = {key: item for key, item in attachment["content"].items() if key != "msteams"}
    assert list(Draft6Validator(CARD_SCHEMA).iter_errors(card)) == []
    # A TextBlock would read Markdown.
    assert {element["type"] for element in attachment["content"]["body"]} == {"RichTextBlock"}


def check_google(message: dict[str, Any]) -> None:
    assert google_receiver.problem_of(message, len(encode_json(message))) is None
    assert "<" not in message["text"]


def check_discord(message: dict[str, Any]) -> None:
    assert discord_receiver.problem_of(message) is None
    assert message["allowed_mentions"] == {"parse": []}
    embed = message["embeds"][0]
    outside = re.sub(r"```.*?```", "", embed["description"], flags=re.DOTALL)
    for line in outside.split("\n"):
        own_link = re.fullmatch(r"\[Open the [A-Za-z ]+\]\(<https://[^>]+>\)", line)
        assert own_link or not re.search(r"(?<!\\)\]\(|https?://", line), line


def check_pagerduty(event: dict[str, Any]) -> None:
    assert len(encode_json(event)) < 512 * 1024
    assert 0 < len(event["dedup_key"]) <= 255
    if event["event_action"] == "trigger":
        assert 0 < len(event["payload"]["summary"]) <= 1_024
        assert event["payload"]["severity"] in {"critical", "error", "warning", "info"}
        assert event["payload"]["source"]


def check_jsm(alert: dict[str, Any]) -> None:
    assert jsm_receiver.problem_of(alert) is None


def check_bus(entry: dict[str, Any]) -> None:
    size = len(entry["Source"]) + len(entry["DetailType"]) + len(entry["Detail"].encode()) + 14
    assert size + sum(len(item.encode()) for item in entry["Resources"]) <= 262_144
    validate("events", "PutEvents", {"Entries": [{"EventBusName": "arn", **entry}]})


def check_hub(finding: dict[str, Any]) -> None:
    validate("securityhub", "BatchImportFindings", {"Findings": [finding]})
    assert len(finding["Title"]) <= 256
    assert 0 < len(finding["Description"]) <= 1_024
    assert 0 < len(finding["Remediation"]["Recommendation"]["Text"]) <= 512
    assert len(encode_json(finding)) < 240_000
    for moment in (finding["CreatedAt"], finding["UpdatedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    assert all(0 < len(text) <= 2_048 for text in finding["ProductFields"].values())


def check_chatbot(document: dict[str, Any]) -> None:
    assert (document["version"], document["source"]) == ("1.0", "custom")
    assert set(document) <= {"version", "source", "id", "content", "metadata"}
    assert set(document["content"]) <= {"textType", "title", "description", "nextSteps", "keywords"}
    assert document["content"]["textType"] == "client-markdown"
    assert set(document["metadata"]) <= {"threadId", "summary", "eventType", "relatedResources", "additionalContext"}
    assert document["metadata"]["threadId"]
    assert "<" not in json.dumps(document["content"])
    assert len(encode_json(document)) < 200_000


def check_cloudevent(document: dict[str, Any]) -> None:
    assert all(document[name] for name in ("specversion", "id", "source", "type"))
    assert re.fullmatch(r"urn:sgwatch:[\w-]*:[\w-]*", document["source"])


def check_ocsf(document: dict[str, Any]) -> None:
    assert document["type_uid"] == document["class_uid"] * 100 + document["activity_id"]
    assert document["class_uid"] in (2004, 6003)
    assert isinstance(document["time"], int)


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "teams": check_teams,
    "google_chat": check_google,
    "discord": check_discord,
    "pagerduty": check_pagerduty,
    "jsm": check_jsm,
    "event_bus": check_bus,
    "security_hub": check_hub,
    "sns_chatbot": check_chatbot,
    "webhook_cloudevents": check_cloudevent,
    "webhook_ocsf": check_ocsf,
}


@cache
def service_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"))


def validate(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Against botocore's own model, as a client does before it sends."""
    shape = service_model(service).operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


@every("sample", SAMPLES)
@every("name", PAYLOADS)
def test_every_sample_is_within_the_limits(name: str, sample: str) -> None:
    check(name, SAMPLES[sample]())


nasty = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("<>&`*_~@|![]()#\\\n\r\u202e\u200b\ud800\U0001f600")),
    max_size=300,
) | st.builds(lambda a, b, n: a + b * n, st.sampled_from(["", HOSTILE]), st.characters(), st.integers(0, 2_000))


@pytest.mark.parametrize("name", PAYLOADS)
@given(text=nasty)
@settings(max_examples=10, deadline=None)
def test_no_text_at_all_breaks_the_limits_or_becomes_markup(name: str, text: str) -> None:
    check(name, hostile(text))


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("count", [1, 8, 60, 61, 400])
def test_the_most_rules_that_fit_are_shown_and_the_rest_is_counted(name: str, count: int) -> None:
    rules = tuple(rule(f"10.{i // 250}.{i % 250}.0/24", description=f"branch {i}") for i in range(count))
    alert = critical_open_ssh()._replace(changes=Changes(added=rules))
    check(name, alert)
    text = json.dumps(PAYLOADS[name](alert), ensure_ascii=False)
    shown = text.count("+ ingress tcp 22 from 10.")
    assert 0 < shown <= count
    left = count - shown
    assert (f"… and {left} more rule" in text) is (left > 0)


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("length", [300, 1_400, 2_900, 12_000])
def test_an_undo_command_is_whole_or_not_there(name: str, length: int) -> None:
    command = "aws ec2 begin " + "x" * length + " end-of-it"
    text = json.dumps(PAYLOADS[name](critical_open_ssh()._replace(undo=Undo((command,)))), ensure_ascii=False)
    assert ("aws ec2 begin" in text) == ("end-of-it" in text)
    assert ("end-of-it" in text) != ("Not shown" in text)


@pytest.mark.parametrize("name", CHATS)
def test_the_order_is_what_why_the_way_back_and_who(name: str) -> None:
    text = json.dumps(PAYLOADS[name](critical_open_ssh()), ensure_ascii=False)
    parts = [
        "CRITICAL: tcp/22 opened",
        "+ ingress tcp 22 from 0.0.0.0/0",
        "ingress from 0.0.0.0/0 to tcp/22",
        "aws ec2 revoke-security-group-ingress",
    ]
    places = [text.find(part.replace("/22", "/22")) for part in parts if name != "discord"]
    assert places == sorted(places)
    assert -1 not in places


@pytest.mark.parametrize("name", CHATS)
def test_the_runbook_and_the_console_are_linked_and_nothing_else(name: str) -> None:
    alert = critical_open_ssh()._replace(event=critical_open_ssh().event._replace(url="https://evil.example.com/"))
    text = json.dumps(PAYLOADS[name](alert))
    assert RUNBOOK in text
    assert "console.aws.amazon.com" in text
    assert "evil.example.com" not in text


def test_a_recovered_alarm_path_closes_what_its_break_opened() -> None:
    assert pagerduty.payload(broken())["event_action"] == "trigger"
    assert pagerduty.payload(recovered()) == {
        "event_action": "resolve",
        "dedup_key": pagerduty.payload(broken())["dedup_key"],
    }
    opened, archived = (security_hub.payload(alert, HOME, NOW) for alert in (broken(), recovered()))
    assert (opened["RecordState"], archived["RecordState"]) == ("ACTIVE", "ARCHIVED")
    assert opened["Id"] == archived["Id"]
    assert [ocsf.event(alert, NOW)["activity_name"] for alert in (broken(), recovered())] == ["Create", "Close"]


def test_a_call_that_left_the_path_working_resolves_nothing() -> None:
    call = recovered()._replace(event=critical_open_ssh().event._replace(name="PutMetricAlarm"))
    assert pagerduty.payload(call)["event_action"] == "trigger"
    assert security_hub.payload(call, HOME, NOW)["RecordState"] == "ACTIVE"


def test_every_alert_on_a_change_is_an_incident_of_its_own() -> None:
    first, second = critical_open_ssh(), critical_open_ssh()._replace(id="another")
    assert pagerduty.payload(first)["dedup_key"] != pagerduty.payload(second)["dedup_key"]


def test_alerts_on_one_group_share_a_thread() -> None:
    other = critical_open_ssh()._replace(id="another")
    assert google_chat.payload(other)["thread"] == google_chat.payload(critical_open_ssh())["thread"]
    threads = {sns.custom_notification(alert)["metadata"]["threadId"] for alert in (other, critical_open_ssh())}
    assert threads == {"sg-0a1b2c3d4e5f60718"}


def test_the_event_of_the_bus_and_the_cloudevent_hold_the_alert() -> None:
    alert = critical_open_ssh()
    assert json.loads(event_bus.payload(alert)["Detail"]) == to_json(alert)
    assert cloudevents.event(alert)["data"] == to_json(alert)
    assert cloudevents.event(alert)["time"] == "2026-11-23T10:00:00Z"


def test_ocsf_has_a_finding_for_what_opens_and_an_activity_for_the_rest() -> None:
    assert ocsf.event(critical_open_ssh(), NOW)["class_name"] == "Detection Finding"
    activity = ocsf.event(SAMPLES["dry_run"](), NOW)
    assert (activity["class_name"], activity["status"]) == ("API Activity", "Failure")
    assert activity["src_endpoint"] == {"ip": "203.0.113.7"}


def each_text(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from (text for item in node.values() for text in each_text(item))
    elif isinstance(node, list):
        yield from (text for item in node for text in each_text(item))


@pytest.mark.parametrize("name", CHATS)
def test_nothing_that_would_not_be_seen_is_in_a_message(name: str) -> None:
    for text in each_text(PAYLOADS[name](hostile())):
        assert not re.search("[\u202e\u200b\x1b\x07\u2028]", text)
