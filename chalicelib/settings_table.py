"""Every setting there is, as tables: what it is called, what it means, how its text is read.

A new kind of destination is one more row in ``KINDS``. A row that is only ``planned`` makes its
variables a fault that says so; silently ignoring them would lose alerts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chalicelib.alerts import Severity
from chalicelib.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.destinations.http import url_fault
from chalicelib.filters import compile_condition
from chalicelib.secrets import parse_reference

# As chalicelib/alarm_path/standards.py has them; the alert function does not import that.
STANDARDS = ("cis_1_to_4", "cis_5", "security_hub")
LOG_LEVELS = ("debug", "info", "warning", "error")
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_TOPIC_ARN = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: of a kind of destination, of every destination, or of the whole.

    ``read`` makes the value out of the text or raises ValueError with a sentence that goes behind
    ``VARIABLE: `` and, of a secret, holds nothing of the value.
    """

    name: str
    meaning: str
    read: Callable[[str], object]
    required: bool = False
    secret: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of destination: ``<KIND>_<FIELD>`` and ``<KIND>__<NAME>__<FIELD>``."""

    prefix: str
    fields: tuple[Field, ...] = ()
    planned: tuple[str, ...] = ()


def choice(values: Iterable[str]) -> Callable[[str], str]:
    """A reader that accepts these values."""
    known = tuple(values)

    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f'"{text}" is not one of {", ".join(known)}{did_you_mean(text, known)}')
        return text

    return read


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """A hint that goes behind a fault, empty where nothing is near."""
    import difflib  # noqa: PLC0415 - faults only

    near = difflib.get_close_matches(text, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def read_watch(text: str) -> tuple[EventGroup, ...]:
    """The groups of a ``WATCH`` setting, in the catalog's order."""
    read_group = choice(EventGroup)
    wanted = {read_group(part.strip()) for part in text.split(",")}
    return tuple(group for group in EventGroup if group in wanted)


def _standard(text: str) -> str:
    return choice(STANDARDS)(text)


def _switch(text: str) -> bool:
    return choice(("true", "false"))(text) == "true"


def _severity(text: str) -> Severity:
    return Severity(choice(Severity)(text))


def _url(text: str) -> str:
    fault = url_fault(text) if parse_reference(text) is None else None
    if fault is not None:
        raise ValueError(f"{fault} (its value is not shown, it is a secret); a reference is ssm:/sgwatch/name")
    return text


def _signing_secret(text: str) -> str:
    if parse_reference(text) is None:
        from chalicelib.destinations.webhook import signing_key  # noqa: PLC0415 - needed where a webhook is

        signing_key(text)
    return text


def _topic_arn(text: str) -> str:
    if not _TOPIC_ARN.fullmatch(text):
        raise ValueError(f'"{text}" is not the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:security')
    return text


MIN_SEVERITY = Field(
    "MIN_SEVERITY",
    "The least severity that this destination wants: `info`, `low`, `medium`, `high` or `critical`.",
    _severity,
    default="info",
)
WHEN = Field(
    "WHEN",
    "A JMESPath expression on the alert; this destination gets those of which it is true.",
    compile_condition,
)
EVERY_DESTINATION = (MIN_SEVERITY, WHEN)

KINDS = (
    Kind(
        "SLACK",
        (
            Field(
                "WEBHOOK_URL",
                "The URL of an incoming webhook, or a reference to it.",
                _url,
                required=True,
                secret=True,
            ),
        ),
        planned=("BOT_TOKEN", "CHANNEL"),
    ),
    Kind(
        "SNS",
        (
            Field("TOPIC_ARN", "The ARN of a topic, standard or FIFO.", _topic_arn, required=True),
            Field(
                "FORMAT",
                "What is published: `text` for people, `json` for programs.",
                choice(("text", "json")),
                default="text",
            ),
        ),
    ),
    Kind(
        "WEBHOOK",
        (
            Field("URL", "Where the alert is sent as JSON, or a reference to it.", _url, required=True, secret=True),
            Field(
                "SECRET",
                "Signs what is sent, as Standard Webhooks describes: `whsec_` and base64, or a reference to it.",
                _signing_secret,
                secret=True,
            ),
        ),
        planned=("FORMAT",),
    ),
    Kind("TEAMS"),
    Kind("PAGERDUTY"),
    Kind("EVENT_BUS"),
)

GLOBALS = (
    Field(
        "WATCH",
        "Which groups of events are watched: `rules`, `groups`, `attachments`, `prefix_lists`, `tamper`, "
        "with commas between. Read when the app is deployed: the EventBridge rule is made from it.",
        read_watch,
        default=",".join(DEFAULT_WATCH),
    ),
    Field(
        "IGNORE_WHEN",
        "A JMESPath expression on the alert; alerts of which it is true are sent nowhere, but logged and counted.",
        compile_condition,
    ),
    Field(
        "LOG_LEVEL",
        "The least important log line that is written: `debug`, `info`, `warning` or `error`.",
        choice(LOG_LEVELS),
        default="info",
    ),
    Field(
        "AUDIT_STANDARD",
        "Whose answer is the status of the alarm path: `cis_1_to_4`, `cis_5` or `security_hub`.",
        _standard,
        default="cis_5",
    ),
    Field(
        "HEARTBEAT_URL",
        "Is posted to after each completed audit, with `/fail` behind its path when something is broken; "
        "or a reference to it.",
        _url,
        secret=True,
    ),
    Field(
        "AUTO_REPAIR",
        "`true` lets the functions make missing links of the alarm path, of those named `sgwatch-…` only, and say so.",
        _switch,
        default="false",
    ),
)
PLANNED_GLOBALS = ("DELIVERY_QUEUE", "STATE_TABLE")
