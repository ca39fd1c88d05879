from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from chalicelib.alert.model import Alert, Changes, Severity, Undo
from chalicelib.destinations.contract import DeliveryError, Receipt
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.destinations.slack import Slack, flat_payload
from chalicelib.destinations.slack_markup import code, is_console_url, weight
from chalicelib.destinations.slack_message import Mentions, Presentation, parse_owner_mentions, payload
from chalicelib.text import is_plain
from tests.support.alerts import (
    HOSTILE,
    SAMPLES,
    critical_open_ssh,
    group_deleted,
    hostile,
    revoke,
    rule,
    thousand_rules,
)
from tests.support.examples import examples
from tests.support.goldens import check_golden
from tests.support.receiver import Answer, Receiver

DOOR = HttpDoor(1, 1)
# What Slack acts on when it is not escaped: <!here>, <@U…>, <#C…>, <https://…|…>.
MARKUP = re.compile(r"[<>]|&(?!(?:amp|lt|gt);)")
DATE = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[-0-9: ]+ UTC>")

FACTS = {"Who", "From", "Where", "Group", "Attached to", "Groups of", "Rules now", "When", "Call", "Alarm path"}
# A code block has no label of its own where a note stands above it.
LABELS = FACTS | {"", "Undo"} | {f"What {verb}" for verb in ("changed", "was attempted", "was closed")}


def texts(node: Any) -> Iterator[dict[str, Any]]:
    """Every text object in a message."""
    if isinstance(node, dict):
        if node.get("type") in ("plain_text", "mrkdwn"):
            yield node
        for below in node.values():
            yield from texts(below)
    elif isinstance(node, list):
        for below in node:
            yield from texts(below)


def check_limits(message: dict[str, Any]) -> None:
    assert len(json.dumps(message)) < 9_500
    blocks = message["blocks"]
    assert len(blocks) <= 50
    for block in Block.parse_all(blocks):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            block.validate_json()
    for block in blocks:
        assert len(block.get("fields", [])) <= 10
        for field in block.get("fields", []):
            assert 1 <= len(field["text"]) <= 2_000
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= 150
    for text in texts(blocks):
        assert 1 <= len(text["text"]) <= 3_000


def check_harmless(message: dict[str, Any]) -> None:
    """No text in it is markup but what we wrote ourselves."""
    assert not MARKUP.search(message["text"])
    assert not re.search(r"[*_~`]|@(?:here|channel|everyone)", message["text"])
    for text in texts(message["blocks"]):
        assert not MARKUP.search(DATE.sub("", text["text"]))
        shown = text["text"].replace("\n", "")
        assert is_plain(shown)
        if text["type"] == "plain_text":
            assert text["emoji"] is False
            assert not re.search(r"@(?:here|channel|everyone)\b", text["text"], re.IGNORECASE)
        else:
            assert text["verbatim"] is True
            check_code(text["text"])


def check_code(text: str) -> None:
    """Take away code blocks, code and our labels: what is left of mrkdwn must be ours alone."""
    assert text.count("```") in (0, 2)
    left = re.sub(r"```\n.*\n```", "", text, flags=re.DOTALL)
    left = re.sub(r"`[^`\n]+`", "", left)
    left = DATE.sub("", left)
    label, _, left = left.partition("\n")
    assert label.strip("*") in LABELS
    left = re.sub(r"… and [\d,]+ more rules?", "", left)
    assert left.strip("\n—") == ""


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_message_is_the_golden_one(sample: str) -> None:
    message = payload(SAMPLES[sample]())
    check_limits(message)
    check_harmless(message)
    check_golden(Path("slack") / f"{sample}.json", json.dumps(message, indent=2, ensure_ascii=False) + "\n")


def test_the_message_of_hostile_text_is_the_golden_one() -> None:
    message = payload(hostile())
    check_limits(message)
    check_harmless(message)
    check_golden(Path("slack") / "hostile.json", json.dumps(message, indent=2, ensure_ascii=False) + "\n")


def test_who_did_it_is_said_once_where_a_phone_shows_one_line() -> None:
    alert = critical_open_ssh()
    assert alert.principal is not None
    assert payload(alert)["text"].count(alert.principal.name) == 1
    told = alert._replace(title=f"Alarm path at risk: StopLogging by {alert.principal.name}")
    assert payload(told)["text"].count(alert.principal.name) == 1


nasty = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("<>&`*_~@|!#\n\r\u202e\u200b\ud800\U0001f600")), max_size=400
) | st.builds(lambda a, b, n: a + b * n, st.sampled_from(["", HOSTILE]), st.characters(), st.integers(0, 5_000))


@given(nasty)
@settings(max_examples=examples(150), deadline=None)
def test_no_text_at_all_breaks_the_limits_or_becomes_markup(text: str) -> None:
    message = payload(hostile(text))
    check_limits(message)
    check_harmless(message)


@pytest.mark.parametrize("character", ["&", "\U0001f600", "`", "\u202e", "a", "\ud800", '"', "\\"])
def test_the_limits_hold_for_the_heaviest_characters(character: str) -> None:
    check_limits(payload(hostile(character * 6_000)))


def test_the_worst_of_a_thousand_rules_is_shown_and_the_rest_is_counted() -> None:
    message = payload(thousand_rules())
    (diff,) = (text["text"] for text in texts(message) if "What changed" in text["text"])
    lines = diff.split("\n")
    assert lines[2] == '+ ingress tcp 22 from ::/0  "branch office 999"'
    shown = sum(line.startswith("+ ") for line in lines)
    assert shown >= 30
    assert lines[-1] == f"… and {1_000 - shown} more rules"


def test_a_list_that_fits_has_nothing_to_say_of_more() -> None:
    alert = critical_open_ssh()._replace(changes=Changes(added=(rule(),) * 20))
    assert "more rule" not in json.dumps(payload(alert))


@pytest.mark.parametrize("length", range(2_000, 3_200, 60))
def test_an_undo_command_is_shown_whole_or_not_at_all(length: int) -> None:
    command = "aws ec2 " + "x" * length + " END"
    told = json.dumps(payload(critical_open_ssh()._replace(undo=Undo(("aws first", command)))))
    assert ("xxx" in told) == ("END" in told) == ("aws first" in told)
    assert ("END" in told) != ("Not shown (2 commands): too long for Slack" in told)


def test_a_short_undo_is_shown_and_a_long_one_is_not() -> None:
    assert "Not shown" not in json.dumps(payload(critical_open_ssh()._replace(undo=Undo(("x" * 2_000,)))))
    assert "Not shown" in json.dumps(payload(critical_open_ssh()._replace(undo=Undo(("x" * 3_000,)))))


@pytest.mark.parametrize("hidden", ["```", "\u202e", "\x1b[31m", "\u200b", "a\nb"])
def test_an_undo_command_that_cannot_be_shown_exactly_is_not_shown(hidden: str) -> None:
    told = json.dumps(payload(critical_open_ssh()._replace(undo=Undo((f"aws ec2 '{hidden}' xyzzy",)))))
    assert "Not shown (1 command): it holds" in told
    assert "xyzzy" not in told


def test_an_undo_command_is_shown_exactly() -> None:
    command = 'aws ec2 x --y \'{"a": "<b> & `c` @d"}\''
    message = payload(critical_open_ssh()._replace(undo=Undo((command,))))
    (block,) = (text["text"] for text in texts(message) if text["text"].startswith("*Undo*"))
    body = block.removeprefix("*Undo*\n```\n").removesuffix("\n```")
    assert body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == command


def test_why_there_is_no_undo_is_said() -> None:
    assert "Undo not known: the rules of a deleted group are not in the record" in json.dumps(payload(group_deleted()))


def test_the_first_line_shows_what_matters() -> None:
    message = payload(critical_open_ssh())
    assert message["blocks"][0]["text"]["text"].startswith("🔴 CRITICAL: tcp/22 opened to the internet on web")
    assert message["text"].startswith("🔴 CRITICAL: tcp/22 opened to the internet on web")
    assert "by alice@example.com · prod · eu-west-1" in message["text"]


def test_every_severity_has_a_sign_of_its_own() -> None:
    signs = {payload(critical_open_ssh()._replace(severity=severity))["text"][0] for severity in Severity}
    assert len(signs) == len(Severity)


def test_a_removal_is_good_news() -> None:
    message = payload(revoke())
    assert message["text"].startswith("🟢 LOW: tcp/22 closed")
    assert "*What was closed*" in json.dumps(message)


def test_a_removal_that_is_bad_news_for_another_reason_is_not_green() -> None:
    assert payload(revoke()._replace(severity=Severity.HIGH))["text"].startswith("🟠 HIGH")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#x", True),
        ("https://console.aws.amazon.com/", True),
        ("https://console.amazonaws-us-gov.com/ec2/", True),
        ("https://cn-north-1.console.amazonaws.cn/ec2/", True),
        ("http://console.aws.amazon.com/", False),
        ("https://console.aws.amazon.com.evil.example.com/", False),
        ("https://evilconsole.aws.amazon.com/", False),
        ("https://console.aws.amazon.com@evil.example.com/", False),
        ("https://a@console.aws.amazon.com/", False),
        ("https://evil.example.com\\@console.aws.amazon.com/", False),
        ("https://console.aws.amazon.com:8443/", False),
        ("https://console.aws.amazon.com/" + "x" * 3_000, False),
        ("https://console.aws.amazon.com/\u202e", False),
        ("https://console.aws.amazon.com/a b", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("", False),
        (None, False),
    ],
)
def test_buttons_lead_only_to_the_console(url: str | None, allowed: bool) -> None:
    assert is_console_url(url) is allowed
    alert = critical_open_ssh()._replace(event=critical_open_ssh().event._replace(url=url))
    assert ("Open the CloudTrail event" in json.dumps(payload(alert))) is allowed


@given(st.text())
@settings(max_examples=examples(200), deadline=None)
def test_weight_is_never_less_than_what_slack_counts(text: str) -> None:
    assert weight(text) >= len(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


@pytest.mark.parametrize("text", ["", " ", "`", "``", " ` "])
def test_code_is_never_empty(text: str) -> None:
    assert code(text, 50) == "—" or re.fullmatch(r"`[^`\s][^`]*`", code(text, 50))


def test_ok_is_a_receipt(inbox: Receiver) -> None:
    Slack("slack", inbox.url, DOOR).send(critical_open_ssh())
    assert json.loads(inbox.requests[0].body) == payload(critical_open_ssh())


def slack_error(inbox: Receiver, answer: Answer, alert: Alert | None = None) -> DeliveryError:
    inbox.will(answer)
    with pytest.raises(DeliveryError) as caught:
        Slack("slack", inbox.url, DOOR).send(alert or critical_open_ssh())
    return caught.value


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "invalid_payload"),
        (400, "invalid_blocks"),
        (400, "user_not_found"),
        (403, "action_prohibited"),
        (403, "invalid_token"),
        (404, "channel_not_found"),
        (404, "no_service"),
        (404, "no_active_hooks"),
        (410, "channel_is_archived"),
    ],
)
def test_what_slack_refuses_stays_refused_and_its_word_is_reported(inbox: Receiver, status: int, word: str) -> None:
    error = slack_error(inbox, Answer(status, word.encode()))
    assert error.permanent
    assert error.reason.startswith(f"it answered HTTP {status}: {word}")


def test_a_removed_webhook_says_the_way_out(inbox: Receiver) -> None:
    assert slack_error(inbox, Answer(404, b"no_service")).reason == (
        "it answered HTTP 404: no_service (the webhook is disabled, removed or its URL is wrong; make a new one)"
    )


def test_a_rate_limit_waits_as_long_as_slack_says(inbox: Receiver) -> None:
    error = slack_error(inbox, Answer(429, b"rate_limited", {"Retry-After": "30"}))
    assert (error.permanent, error.retry_after) == (False, 30.0)


def test_a_fault_of_slack_s_own_is_worth_a_retry(inbox: Receiver) -> None:
    assert not slack_error(inbox, Answer(500, b"rollup_error")).permanent


@pytest.mark.parametrize(
    "body", [b"ok", b"", b'{"ok":true}', b'{"success":true}', b"{}", b"not json", b'{"ok":null}', b"\xff", b"[1]", b"1"]
)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_that_does_not_say_no_is_a_delivery(inbox: Receiver, status: int, body: bytes) -> None:
    inbox.will(Answer(status, b"" if status == 204 else body))
    assert Slack("slack", inbox.url, DOOR).send(critical_open_ssh()) == Receipt()
    assert len(inbox.requests) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"ok":false,"error":"invalid_blocks"}', "invalid_blocks"),
        (b'{"ok":false,"error":"/services/T0/B0/XXXX"}', "it said that it did not take the message"),
        (b'{"success":false}', "it said that it did not take the message"),
        (b"no_service", "no_service (the webhook is disabled, removed or its URL is wrong; make a new one)"),
        (b"invalid_payload", "invalid_payload"),
        (b"<!DOCTYPE html><html>sign in</html>", "a web page, so something else than Slack answers at this URL"),
    ],
)
def test_a_200_that_says_no_is_permanent(inbox: Receiver, body: bytes, said: str) -> None:
    error = slack_error(inbox, Answer(200, body))
    assert (error.reason, error.permanent) == (f"it answered HTTP 200: {said}", True)


@pytest.mark.parametrize("path", ["/workflows/T0/A0/1/xyz", "/triggers/E0/1/xyz"])
@pytest.mark.parametrize("sample", [*SAMPLES, "hostile"])
def test_a_workflow_gets_one_flat_object_of_texts(inbox: Receiver, path: str, sample: str) -> None:
    alert = hostile() if sample == "hostile" else SAMPLES[sample]()
    Slack("slack", inbox.url + path, DOOR).send(alert)
    body = json.loads(inbox.requests[0].body)
    assert body == flat_payload(alert)
    assert all(isinstance(value, str) and is_plain(value) and len(value) <= 3_000 for value in body.values())
    assert body["severity"] == alert.severity
    assert not re.search(r"@(?:here|channel|everyone)\b", " ".join(body.values()))


@pytest.mark.parametrize("body", [b"/services/T0/B0/XXXX", b"<html>", b"\xff\xfe", b"a" * 51, b"No_Service", b"a_1"])
def test_an_answer_that_is_no_error_word_is_not_repeated(inbox: Receiver, body: bytes) -> None:
    assert slack_error(inbox, Answer(404, body)).reason == "it answered HTTP 404"


def test_a_mention_stands_in_the_text_and_in_the_message_where_the_severity_asks_for_it() -> None:
    mentions = Mentions("<!here>", Severity.HIGH, parse_owner_mentions("Team-Web=<!subteam^S0123>, ops=<@U0123>"))
    assert mentions.of(critical_open_ssh()) == "<!here>"
    assert mentions.of(revoke()) == ""
    group = critical_open_ssh().security_group
    assert group is not None
    owned = critical_open_ssh()._replace(security_group=group._replace(owner="team-web"))
    assert mentions.of(owned) == "<!here> <!subteam^S0123>"
    message = payload(owned, Presentation(None, mentions.of(owned)))
    assert message["text"].startswith("<!here> <!subteam^S0123> ")
    assert message["blocks"][1]["text"]["text"] == "<!here> <!subteam^S0123>"
    check_limits(message)


@pytest.mark.parametrize("text", ["", "web", "web=here", "web=<!here>x", "=<!here>", "web=<https://evil.example.com>"])
def test_an_owner_without_a_mention_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an owner, = and a mention"):
        parse_owner_mentions(text)


@pytest.mark.parametrize("sample", [*SAMPLES, "hostile"])
def test_the_runbook_is_a_button_and_the_message_stays_within_its_limits(sample: str) -> None:
    url = "https://wiki.example.com/" + "x" * 500
    alert = hostile() if sample == "hostile" else SAMPLES[sample]()
    message = payload(alert, Presentation(url, "<!subteam^S0123456789>"))
    check_limits(message)
    assert message["blocks"][-1]["elements"][0]["url"] == url


@pytest.mark.parametrize(
    ("title", "times"),
    [
        ("Notifications to subscription s are now filtered by a filter policy (by alice)", 1),
        ("The alarm path is broken: DeleteAlarms by alice", 1),
        ("Trail main was stopped (StopLogging by alice)", 1),
        ("tcp/22 opened to the internet on made by alice (sg-1)", 2),
        ("tcp/22 opened to the internet on web (sg-1) by alice2", 2),
    ],
)
def test_the_lock_screen_says_once_who_it_was_and_not_whom_a_group_names(title: str, times: int) -> None:
    alert = critical_open_ssh()
    assert alert.principal is not None
    named = alert._replace(title=title, principal=alert.principal._replace(name="alice"))
    assert payload(named)["text"].count("by alice") == times
