"""An SNS topic: mail and text messages (``text``), or programs behind queues and functions (``json``).

Limits: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from chalicelib.alert.model import Alert, to_json
from chalicelib.destinations.contract import DeliveryError, Receipt, Tools
from chalicelib.destinations.delivery_ids import delivery_id, group_key, safe_id
from chalicelib.destinations.http_door import encode_json, is_permanent
from chalicelib.rendering.lines import headline, value
from chalicelib.rendering.plain_text import plain_text
from chalicelib.rendering.shrink import shrink
from chalicelib.text import clip

Format = Literal["text", "json"]

# Message, attribute names, types and values together; a topic can be set to more, none to less.
MAX_BYTES = 262_144
# "less than 100 characters long"
MAX_SUBJECT = 99

# SNS and KMS answer these with 4xx though waiting or fresh credentials help.
_RETRIED_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "KMSThrottling",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestTimeout",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# botocore's own, raised before anything is sent.
_PERMANENT_CLASSES = frozenset({"ParamValidationError", "InvalidRegionError", "UnknownRegionError"})
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


def payload(alert: Alert, form: Format) -> dict[str, Any]:
    """What ``publish`` is given, without the topic."""
    named = attributes(alert)
    size = sum(len(name) + len("String") + len(item["StringValue"].encode()) for name, item in named.items())
    room = MAX_BYTES - size
    message = plain_text(alert, room) if form == "text" else json_within(alert, room)
    return {"Subject": subject(alert), "Message": message, "MessageAttributes": named}


def json_within(alert: Alert, room: int) -> str:
    """The alert's JSON in at most that many bytes; what had to go is said in its ``unknowns``."""
    return encode_json(to_json(shrink(alert, room, "an SNS message"))).decode()


class Sns(NamedTuple):
    """Publishes alerts to a topic; ``client`` is called for the SNS client when there is something to send."""

    name: str
    topic_arn: str
    format: Format
    client: Callable[[], SnsPublisher]

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is SNS's MessageId.

        Raises:
            DeliveryError: it was not delivered.
        """
        request = {"TopicArn": self.topic_arn, **payload(alert, self.format)}
        if self.topic_arn.endswith(".fifo"):
            # Two destinations may publish to one topic, and SNS keeps only the first of each id for five minutes.
            once = safe_id(f"{delivery_id(alert)}-{self.name.replace('.', '-')}")
            request |= {"MessageGroupId": group_key(alert), "MessageDeduplicationId": once}
        try:
            answer = self.client().publish(**request)
        except Exception as error:  # noqa: BLE001 - boto3 raises what it likes where no answer comes, and SNS has said nothing of taking it
            failure = error_from(error)
        else:
            return Receipt(answer.get("MessageId"))
        raise failure


def error_from(error: Exception) -> DeliveryError:
    """The error for what the client raised, read from the shape of botocore's ``ClientError``."""
    response = getattr(error, "response", None)
    answer = response if isinstance(response, dict) else {}
    code = str((answer.get("Error") or {}).get("Code") or "")
    status = (answer.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    if not code:
        permanent = type(error).__name__ in _PERMANENT_CLASSES
        return DeliveryError(f"SNS could not be called: {type(error).__name__}", permanent=permanent)
    permanent = code not in _RETRIED_CODES and isinstance(status, int) and is_permanent(status)
    return DeliveryError(f"SNS answered {value(code, 60)}", permanent=permanent)


def build(name: str, values: Mapping[str, str], tools: Tools) -> Sns:
    """The destination of these settings."""
    topic = values["TOPIC_ARN"]
    region = topic.split(":")[3]  # settings/fields.py has matched the whole ARN
    form: Format = "json" if values["FORMAT"] == "json" else "text"
    return Sns(name, topic, form, lambda: tools.client("sns", region))
