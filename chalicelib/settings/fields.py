"""What a setting is, and the readers of the texts that settings have.

Patterns are compiled where they are used: most of them read settings that are not set, on a cold start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from chalicelib.alert.model import Severity
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.destinations.http_door import url_fault
from chalicelib.named_tuple import NamedTuple
from chalicelib.settings.secrets import parse_reference, references_in

if TYPE_CHECKING:
    from chalicelib.alert.quiet_hours import QuietHours, TimeOfDay

# As chalicelib/alarm_path/standards.py has them; the alert function does not import that.
STANDARDS = ("cis_1_to_4", "cis_5", "security_hub")
LOG_LEVELS = ("debug", "info", "warning", "error")


class Field(NamedTuple):
    """One setting: of a kind of destination, of every destination, or of the whole.

    ``read`` makes the value out of the text or raises ValueError with a sentence that goes behind
    ``VARIABLE: `` and, of a secret, holds nothing of the value. ``secret`` values are masked wherever settings
    are shown; ``holds_url`` says that the value may be or contain a URL, which is a fault elsewhere,
    ``is_random`` that it may look like a key and is none.
    ``by_reference`` says that the value may be kept elsewhere (settings/secrets.py); secrets always may.
    ``example`` is a value of the right form, ``choices`` are all values where these are few.
    """

    name: str
    meaning: str
    read: Callable[[str], object]
    secret: bool = False
    default: str | None = None
    holds_url: bool = False
    is_random: bool = False
    by_reference: bool = False
    example: str = ""
    choices: tuple[str, ...] = ()


_MEANT = {"yes": "true", "on": "true", "1": "true", "y": "true", "no": "false", "off": "false", "0": "false"}


def choice(values: Iterable[str]) -> Callable[[str], str]:
    """A reader that accepts these values, in capital letters too."""
    known = tuple(values)

    def read(text: str) -> str:
        found = text.lower()
        if found not in known:
            meant = _MEANT.get(found)
            hint = f'; did you mean "{meant}"?' if meant in known else did_you_mean(found, known)
            raise ValueError(f'"{text}" is not one of {", ".join(known)}{hint}')
        return found

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


def read_quiet_hours(text: str) -> QuietHours:
    """Two times of day and a time zone."""
    from chalicelib.alert.quiet_hours import parse_quiet_hours  # noqa: PLC0415 - where there are any

    return parse_quiet_hours(text)


def read_daily(text: str) -> TimeOfDay:
    """``daily``, with a time of day where one is wanted."""
    from chalicelib.alert.quiet_hours import parse_daily  # noqa: PLC0415 - where there is a digest

    return parse_daily(text)


def read_url(text: str) -> str:
    """A URL that may be posted to, or a reference to one."""
    fault = url_fault(text) if parse_reference(text) is None else None
    if fault is not None:
        raise ValueError(f"{fault} (its value is not shown, it is a secret); a reference is ssm:/sgwatch/prod/name")
    return text


def read_slack_url(text: str) -> str:
    """A URL that takes Slack's messages: an incoming webhook's, or that of a service which reads the same."""
    read_url(text)
    if re.match(r"https://([\w-]+\.)?slack(-gov)?\.com/", text, re.IGNORECASE) and not re.match(
        r"https://hooks\.slack(-gov)?\.com/", text, re.IGNORECASE
    ):
        raise ValueError(
            "it is the link of a channel, not an incoming webhook's URL: those begin with https://hooks.slack.com/"
        )
    return text


def read_base_url(text: str) -> str:
    """The URL of an API, without a slash at its end."""
    fault = url_fault(text)
    if fault is not None:
        raise ValueError(f"{fault}: {text}")
    return text.rstrip("/")


def read_proxy_url(text: str) -> str:
    """The URL of an HTTP proxy, which may hold a password; or a reference to it."""
    if parse_reference(text) is None and not re.fullmatch(r"https?://[!-~]+", text):
        raise ValueError("it is not the URL of a proxy such as http://proxy.example.com:3128 (its value is not shown)")
    return text


def read_certificates(text: str) -> str:
    """Certificates in PEM, or a reference to them."""
    if parse_reference(text) is None and "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError("it is neither PEM (-----BEGIN CERTIFICATE-----) nor a reference such as ssm:/sgwatch/prod/ca")
    return text


def read_client_certificate(text: str) -> str:
    """A certificate and its key in PEM, or a reference to them."""
    if parse_reference(text) is None and not ("-----BEGIN CERTIFICATE-----" in text and "PRIVATE KEY-----" in text):
        raise ValueError(
            "it is neither a certificate with its key (PEM) nor a reference such as ssm:/sgwatch/prod/client"
        )
    return text


def read_signing_secrets(text: str) -> str:
    """One secret that signs, or two with a space between while they are rotated; or a reference to them."""
    if parse_reference(text) is None:
        from chalicelib.destinations.webhook import signing_keys  # noqa: PLC0415 - needed where a webhook is

        signing_keys(text)
    return text


def read_headers(text: str) -> str:
    """``Name: value`` with semicolons between; or a reference to that."""
    if parse_reference(text) is None:
        from chalicelib.destinations.webhook import parse_headers  # noqa: PLC0415 - needed where a webhook is

        parse_headers(text)
        references_in(text)
    return text


def read_template(text: str) -> str:
    """A JMESPath expression that builds a body out of the alert."""
    from chalicelib.alert.filters import compile_condition  # noqa: PLC0415 - it imports JMESPath when called

    compile_condition(text)
    return text


def read_secret(text: str) -> str:
    """A token or key of visible ASCII characters without blanks; or a reference to it."""
    if parse_reference(text) is None and not re.fullmatch(r"[!-~]+", text):
        raise ValueError("it holds blanks or characters that no key has (its value is not shown, it is a secret)")
    return text


def read_routing_key(text: str) -> str:
    """PagerDuty's integration key; or a reference to it."""
    if parse_reference(text) is None and not re.fullmatch(r"[A-Za-z0-9]{32}", text):
        raise ValueError("a routing key has 32 letters and digits (its value is not shown, it is a secret)")
    return text


def read_bot_token(text: str) -> str:
    """A Slack bot token; or a reference to it."""
    if parse_reference(text) is None and not re.fullmatch(r"xoxb-[A-Za-z0-9-]+", text):
        raise ValueError("a bot token begins with xoxb- (its value is not shown, it is a secret)")
    return text


def read_channel(text: str) -> str:
    """A Slack conversation by its id, because a bot's updates need the id."""
    if not re.fullmatch(r"[CGD][A-Z0-9]{6,}", text):
        raise ValueError(f'"{text}" is not a channel\'s id such as C0123456789 (at the end of "View channel details")')
    return text


def read_mention(text: str) -> str:
    """Whom a Slack message notifies, in Slack's own notation, with blanks between several."""
    from chalicelib.destinations.slack_markup import is_mention  # noqa: PLC0415 - where there is a mention

    if not is_mention(text):
        raise ValueError(f'"{text}" is not <!here>, <!channel>, <@U0123456789> or <!subteam^S0123456789>')
    return text


def read_owner_mentions(text: str) -> str:
    """Owners of groups and whom to notify for them."""
    from chalicelib.destinations.slack_message import parse_owner_mentions  # noqa: PLC0415 - where there are any

    parse_owner_mentions(text)
    return text


def read_runbook(text: str) -> str:
    """An https URL, or a JMESPath expression that gives one."""
    if url_fault(text) is None:
        return text
    from chalicelib.alert.filters import compile_condition  # noqa: PLC0415 - it imports JMESPath when called

    try:
        compile_condition(text)
    except ValueError as error:
        raise ValueError(f"it is neither an https URL nor a JMESPath expression on the alert: {error}") from error
    return text


def queue_name(text: str) -> str:
    """The name of the delivery queue, which may be given as a URL or an ARN too."""
    name = re.split(r"[/:]", text)[-1]
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,75}\.fifo", name):
        raise ValueError(f'"{text}" is not a FIFO queue, by name, ARN or URL, such as sgwatch-prod-deliveries.fifo')
    return name


def read_table_name(text: str) -> str:
    """The name of the state table."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", text):
        raise ValueError(f'"{text}" is not the name of a DynamoDB table such as sgwatch-prod-state')
    return text


def read_region(text: str) -> str:
    """An AWS region."""
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", text):
        raise ValueError(f'"{text}" is not a region such as eu-west-1')
    return text


ALL_REGIONS = "all"


def read_regions(text: str) -> tuple[str, ...]:
    """The regions of a list with commas between; ALL_REGIONS alone for every one that is enabled."""
    if text.strip() == ALL_REGIONS:
        return (ALL_REGIONS,)
    return tuple(read_region(part.strip()) for part in text.split(","))


def read_account_ids(text: str) -> tuple[str, ...]:
    """Account ids with commas between, each once."""
    ids = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for account_id in ids:
        if not re.fullmatch(r"[0-9]{12}", account_id):
            raise ValueError(f'"{account_id}" is not an account id, which has 12 digits')
    return ids


def read_window(text: str) -> int:
    """A window in whole seconds."""
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError(f'"{text}" is not a number of seconds from 0 to 9999')
    return int(text)


def read_topic_arn(text: str) -> str:
    """The ARN of a topic."""
    # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    if not re.fullmatch(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?", text):
        raise ValueError(f'"{text}" is not the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:security')
    return text


def read_event_bus_arn(text: str) -> str:
    """The ARN of an event bus."""
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
    if not re.fullmatch(r"arn:[a-z-]+:events:[a-z0-9-]+:\d{12}:event-bus/[/.\-_A-Za-z0-9]{1,256}", text):
        example = "arn:aws:events:eu-west-1:123456789012:event-bus/security"
        raise ValueError(f'"{text}" is not the ARN of an event bus such as {example}')
    return text


def read_switch(text: str) -> bool:
    """The reader of settings that are ``true`` or ``false``."""
    return choice(("true", "false"))(text) == "true"


def read_true(text: str) -> str:
    """The reader of a destination that is nothing but switched on."""
    if not read_switch(text):
        raise ValueError('"false" does nothing: remove it')
    return "true"


def read_seconds(text: str) -> float:
    """Seconds that a look-up may take."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 20:
        raise ValueError(f'"{text}" is not a number of seconds between 0.1 and 20')
    return seconds


def read_role(text: str) -> str:
    """A role by its name or ARN."""
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    path = r"(arn:[a-z-]+:iam::(\d{12}|\{account\}):role/([\w+=,.@/-]{1,512}/)?)?"
    if not re.fullmatch(path + r"[\w+=,.@-]{1,64}", text):
        raise ValueError(f'"{text}" is neither a role\'s name nor an ARN such as arn:aws:iam::{{account}}:role/sgwatch')
    return text


def read_external_id(text: str) -> str:
    """An external id, which is no secret."""
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    if not re.fullmatch(r"[\w+=,.@:/-]{2,1224}", text, re.ASCII):
        raise ValueError(f'"{text}" is not an external id: 2 to 1,224 letters, digits and characters of +=,.@:/-_')
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
