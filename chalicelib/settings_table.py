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
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_FIFO_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
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


def queue_name(text: str) -> str:
    """The name of the delivery queue, which may be given as a URL or an ARN too."""
    name = re.split(r"[/:]", text)[-1]
    if not _FIFO_QUEUE.fullmatch(name):
        raise ValueError(f'"{text}" is not a FIFO queue, by name, ARN or URL, such as sgwatch-prod-deliveries.fifo')
    return name


def _table_name(text: str) -> str:
    if not _TABLE.fullmatch(text):
        raise ValueError(f'"{text}" is not the name of a DynamoDB table such as sgwatch-prod-state')
    return text


def _regions(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if not _REGION.fullmatch(name):
            raise ValueError(f'"{name}" is not a region such as eu-west-1')
    return names


def _window(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError(f'"{text}" is not a number of seconds from 0 to 9999')
    return int(text)


def _topic_arn(text: str) -> str:
    if not _TOPIC_ARN.fullmatch(text):
        raise ValueError(f'"{text}" is not the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:security')
    return text


def read_switch(text: str) -> bool:
    """The reader of settings that are ``true`` or ``false``."""
    return choice(("true", "false"))(text) == "true"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 20:
        raise ValueError(f'"{text}" is not a number of seconds between 0.1 and 20')
    return seconds


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_ROLE = re.compile(r"(arn:[a-z-]+:iam::(\d{12}|\{account\}):role/([\w+=,.@/-]{1,512}/)?)?[\w+=,.@-]{1,64}")


def _role(text: str) -> str:
    if not _ROLE.fullmatch(text):
        raise ValueError(f'"{text}" is neither a role\'s name nor an ARN such as arn:aws:iam::{{account}}:role/sgwatch')
    return text


def read_account_names(text: str) -> dict[str, str]:
    """Account ids and their names, from ``id=name`` with commas between."""
    names = {}
    for part in text.split(","):
        account_id, _, name = part.strip().partition("=")
        if not re.fullmatch(r"\d{12}", account_id) or not name.strip():
            raise ValueError(f'"{part.strip()}" is not an account\'s twelve digits, = and a name')
        names[account_id] = name.strip()
    return names


def _tag_names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise ValueError(f'"{text}" is not a list of tag names with commas between')
    return names


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

GLOBALS: tuple[Field, ...] = (
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
        read_switch,
        default="false",
    ),
    Field(
        "DELIVERY_QUEUE",
        "The FIFO queue of durable delivery, by name, ARN or URL. Set by `sgwatch setup`, together with `STATE_TABLE`.",
        queue_name,
    ),
    Field(
        "STATE_TABLE",
        "The DynamoDB table of durable delivery. Set by `sgwatch setup`, together with `DELIVERY_QUEUE`.",
        _table_name,
    ),
    Field(
        "BURST_WINDOW",
        "Durable delivery only: for how many seconds one principal's further changes are gathered into one alert; "
        "0 turns that off. Critical alerts are never gathered.",
        _window,
        default="60",
    ),
    Field(
        "RECONCILE_REGIONS",
        "Durable delivery with `ENRICH` only: the regions that are compared with what was told, every hour, with "
        "commas between; without it, the function's own.",
        _regions,
    ),
    Field(
        "ENRICH",
        "`true` looks up what the record does not tell (docs/enrichment.md), with at most three calls an alert; "
        "`false` asks AWS nothing.",
        read_switch,
        default="false",
    ),
    Field(
        "ENRICH_TIMEOUT",
        "How many seconds the look-ups of one alert may take; what is late is said to be unknown.",
        _seconds,
        default="3",
    ),
    Field(
        "ENRICH_ROLE",
        "The role that is assumed to look into other accounts: its name, or its ARN with `{account}` for the id.",
        _role,
    ),
    Field(
        "ENRICH_CONFIG",
        "`true` also asks AWS Config what was before, where neither record nor state table tells.",
        read_switch,
        default="false",
    ),
    Field(
        "ACCOUNT_NAMES",
        "What accounts are called in alerts, such as `123456789012=production,444455556666=audit`; of others the "
        "alias is looked up where a call is left.",
        read_account_names,
    ),
    Field(
        "OWNER_TAGS",
        "The tags that name a security group's owner, whatever their case; the first that is there counts.",
        _tag_names,
        default="owner,team",
    ),
)
