"""An SNS topic: mail and text messages (``text``), programs behind queues and functions (``json``), or Amazon Q
Developer in chat applications (``chatbot``), which drops what is not its custom notification.

Limits: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from chalicelib.alert.model import Alert, to_json
from chalicelib.destinations.aws_errors import error_from
from chalicelib.destinations.contract import Receipt, Tools, no_runbook
from chalicelib.destinations.delivery_ids import delivery_id, group_key, safe_id
from chalicelib.destinations.http_door import encode_json
from chalicelib.destinations.outline import Outline, first_fitting, outline
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import headline, value
from chalicelib.rendering.plain_text import plain_text
from chalicelib.rendering.shrink import shrink
from chalicelib.text import clip

SnsFormat = Literal["text", "json", "chatbot"]

# Message, attribute names, types and values together; a topic can be set to more, none to less.
MAX_BYTES = 262_144
# "less than 100 characters long"
MAX_SUBJECT = 99

_ASCII = str.maketrans({"…": "...", "→": "->", "–": "-", "—": "-", "·": "-", "×": "x", "’": "'", "“": '"', "”": '"'})


class SnsPublisher(Protocol):
    """The one call that is needed of an SNS client."""

    def publish(self, **kwargs: Any) -> Any:
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html."""


def subject(alert: Alert) -> str:
    """``[CRITICAL] tcp/22 opened to the internet on web (sg-…)`` in ASCII, under 100 characters."""
    text = headline(alert).replace(f"{alert.severity.upper()}: ", f"[{alert.severity.upper()}] ", 1)
    ascii_text = text.translate(_ASCII).encode("ascii", "replace").decode()
    return clip(ascii_text, MAX_SUBJECT - 2)[0].translate(_ASCII)


def attributes(alert: Alert) -> dict[str, dict[str, str]]:
    """What subscription filter policies match on; SNS refuses an empty value, so those are left out."""
    values = {
        "severity": alert.severity.value,
        "account": alert.account.id,
        "region": alert.region,
        "event": alert.event.name,
        "kind": alert.kind.value,
    }
    return {name: {"DataType": "String", "StringValue": value(text)} for name, text in values.items() if text}


def payload(alert: Alert, form: SnsFormat, runbook: str | None = None) -> dict[str, Any]:
    """What ``publish`` is given, without the topic."""
    named = attributes(alert)
    size = sum(len(name) + len("String") + len(item["StringValue"].encode()) for name, item in named.items())
    room = MAX_BYTES - size
    if form == "chatbot":
        message = encode_json(custom_notification(alert, runbook)).decode()
    else:
        message = plain_text(alert, room) if form == "text" else json_within(alert, room)
    return {"Subject": subject(alert), "Message": message, "MessageAttributes": named}


# What a description may be; the whole is far under SNS's limit then.
MAX_DESCRIPTION = 8_000
_NO_MARKDOWN = str.maketrans(
    {"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", "<": "‹", ">": "›", "[": "⁅", "]": "⁆", "@": "＠"}
)


_MARKUP = {"```": "a code fence", "<": "a character that chats read as markup"}


def custom_notification(alert: Alert, runbook: str | None = None) -> dict[str, Any]:
    """The alert as Amazon Q Developer shows it in Slack and Teams; alerts on one group share a thread.

    https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html. Both chats' markdown is read in it: what
    others chose has its markup replaced, and a command that holds markup is not shown.
    """
    cut = first_fitting(lambda each: _description(outline(alert, each, runbook, _MARKUP)).encode(), MAX_DESCRIPTION)
    parts = outline(alert, cut, runbook, _MARKUP)
    content: dict[str, Any] = {
        "textType": "client-markdown",
        "title": _plain(parts.headline),
        "description": _description(parts),
        "keywords": [alert.severity.value, *(_plain(value(item)) for item in (alert.account.id, alert.region) if item)],
    }
    steps = [*(_step(parts)), *(f"{link.label}: {link.url}" for link in parts.links)]
    if steps:
        content["nextSteps"] = steps
    group = alert.security_group
    return {
        "version": "1.0",
        "source": "custom",
        "id": delivery_id(alert),
        "content": content,
        "metadata": {
            "threadId": group_key(alert),
            "summary": _plain(parts.headline),
            "eventType": alert.kind.value,
            "relatedResources": [value(group.id)] if group and group.id else [],
        },
    }


def _description(parts: Outline) -> str:
    lines = [*map(_plain, parts.lead)]
    if parts.diff:
        lines += [f"*{parts.diff_title}*", "```", "\n".join(parts.diff).replace("`", "ˋ").replace("<", "‹"), "```"]
    lines += [f"• {_plain(item)}" for item in parts.why]
    if parts.commands:
        lines += [
            f"*{parts.undo_title}*",
            *([_plain(parts.undo_note)] if parts.undo_note else []),
            "```",
            *parts.commands,
            "```",
        ]
    lines += [f"*{fact.label}* {_plain(', '.join(fact.lines))}" for fact in parts.facts]
    lines += [f"Not known: {_plain(item)}" for item in parts.unknowns]
    return "\n".join(lines)


def _step(parts: Outline) -> list[str]:
    return [f"{parts.undo_title}: {_plain(parts.undo_note)}"] if parts.undo_note and not parts.commands else []


def _plain(text: str) -> str:
    return text.translate(_NO_MARKDOWN)


def json_within(alert: Alert, room: int) -> str:
    """The alert's JSON in at most that many bytes; what had to go is said in its ``unknowns``."""
    return encode_json(to_json(shrink(alert, room, "an SNS message"))).decode()


class Sns(NamedTuple):
    """Publishes alerts to a topic; ``client`` is called for the SNS client when there is something to send."""

    name: str
    topic_arn: str
    format: SnsFormat
    client: Callable[[], SnsPublisher]
    runbook: Callable[[Alert], str | None] = no_runbook

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is SNS's MessageId.

        Raises:
            DeliveryError: it was not delivered.
        """
        request = {"TopicArn": self.topic_arn, **payload(alert, self.format, self.runbook(alert))}
        if self.topic_arn.endswith(".fifo"):
            # Two destinations may publish to one topic, and SNS keeps only the first of each id for five minutes.
            once = safe_id(f"{delivery_id(alert)}-{self.name.replace('.', '-')}")
            request |= {"MessageGroupId": group_key(alert), "MessageDeduplicationId": once}
        try:
            answer = self.client().publish(**request)
        except Exception as error:  # noqa: BLE001 - boto3 raises what it likes where no answer comes, and SNS has said nothing of taking it
            failure = error_from(error, "SNS")
        else:
            return Receipt(answer.get("MessageId"))
        raise failure


def build(name: str, values: Mapping[str, str], tools: Tools) -> Sns:
    """The destination of these settings."""
    topic = values["TOPIC_ARN"]
    region = topic.split(":")[3]  # settings/fields.py has matched the whole ARN
    forms: dict[str, SnsFormat] = {"json": "json", "chatbot": "chatbot"}
    return Sns(name, topic, forms.get(values["FORMAT"], "text"), lambda: tools.client("sns", region), tools.runbook)
