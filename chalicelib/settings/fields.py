"""What a setting is, and the readers of the texts that settings have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chalicelib.alert.model import Severity
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.destinations.http_door import url_fault
from chalicelib.settings.secrets import parse_reference

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


def read_standard(text: str) -> str:
    """The standard that the audit goes by."""
    return choice(STANDARDS)(text)


def read_severity(text: str) -> Severity:
    """A severity by its name."""
    return Severity(choice(Severity)(text))


def read_url(text: str) -> str:
    """A URL that may be posted to, or a reference to one."""
    fault = url_fault(text) if parse_reference(text) is None else None
    if fault is not None:
        raise ValueError(f"{fault} (its value is not shown, it is a secret); a reference is ssm:/sgwatch/name")
    return text


def read_signing_secret(text: str) -> str:
    """A secret that signs, or a reference to one."""
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


def read_table_name(text: str) -> str:
    """The name of the state table."""
    if not _TABLE.fullmatch(text):
        raise ValueError(f'"{text}" is not the name of a DynamoDB table such as sgwatch-prod-state')
    return text


def read_regions(text: str) -> tuple[str, ...]:
    """The regions of a list with commas between."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if not _REGION.fullmatch(name):
            raise ValueError(f'"{name}" is not a region such as eu-west-1')
    return names


def read_window(text: str) -> int:
    """A window in whole seconds."""
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError(f'"{text}" is not a number of seconds from 0 to 9999')
    return int(text)


def read_topic_arn(text: str) -> str:
    """The ARN of a topic."""
    if not _TOPIC_ARN.fullmatch(text):
        raise ValueError(f'"{text}" is not the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:security')
    return text


def read_switch(text: str) -> bool:
    """The reader of settings that are ``true`` or ``false``."""
    return choice(("true", "false"))(text) == "true"


def read_seconds(text: str) -> float:
    """Seconds that a look-up may take."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 20:
        raise ValueError(f'"{text}" is not a number of seconds between 0.1 and 20')
    return seconds


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_ROLE = re.compile(r"(arn:[a-z-]+:iam::(\d{12}|\{account\}):role/([\w+=,.@/-]{1,512}/)?)?[\w+=,.@-]{1,64}")


def read_role(text: str) -> str:
    """A role by its name or ARN."""
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


def read_tag_names(text: str) -> tuple[str, ...]:
    """The names of tags, with commas between."""
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise ValueError(f'"{text}" is not a list of tag names with commas between')
    return names
