"""A destination of every kind and form, made from settings as the app makes it: one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib.destinations.contract import Destination, Tools
from chalicelib.destinations.http_door import HttpDoor, is_success
from chalicelib.functions.composition.alerting import builder_of
from chalicelib.settings.environment import read_settings
from tests.support.receiver import Answer, Receiver

# A busy machine may take seconds over an answer; only one that never comes is not waited for.
DOOR, IMPATIENT = HttpDoor(5, 5, deadline=20), HttpDoor(0.5, 0.3, deadline=2)
SECRET = "whsec_eHl6enlYWVpaWXh5enp5WFlaWllYWVpaWQ=="
PATH = "/services/T0XYZZY/B0XYZZY/xyzzyXYZZYxyzzy"
KEY = "xyzzyXYZZYxyzzyXYZZYxyzzyXYZZY12"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/security"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"


@dataclass
class FakeAws:
    """AWS clients that answer HTTP statuses as botocore gives them, and keep what they were asked."""

    answer: Answer
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, service: str, region: str | None = None) -> FakeAws:
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/sgwatch/f"}

    def publish(self, **request: Any) -> Any:
        return self._answer("Publish", request, {"MessageId": "8a1c"})

    def put_events(self, **request: Any) -> Any:
        return self._answer("PutEvents", request, {"FailedEntryCount": 0, "Entries": [{"EventId": "11710aed"}]})

    def batch_import_findings(self, **request: Any) -> Any:
        return self._answer("BatchImportFindings", request, {"FailedCount": 0, "SuccessCount": 1, "FailedFindings": []})

    @property
    def meta(self) -> Any:
        return SimpleNamespace(region_name="eu-west-1")

    def _answer(self, operation: str, request: dict[str, Any], success: Mapping[str, Any]) -> Any:
        self.asked.append((operation, request))
        status = self.answer.status
        if is_success(status):
            return success
        code = "Throttled" if status == 429 else f"Code{status}"
        document: Any = {"Error": {"Code": code, "Message": PATH}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(document, operation)


class Row(NamedTuple):
    """One configuration: its settings for a receiver at this address, and whether it goes out over HTTP."""

    kind: str
    settings: Callable[[str], dict[str, str]]
    over_http: bool = True
    success: bytes = b"ok"

    def make(self, inbox: Receiver, client: Callable[..., Any] | None = None) -> Destination:
        """The destination; what the receiver answers where no test says otherwise is a success."""
        if inbox.answers == [Answer()]:
            inbox.will(Answer(200, self.success))
        door = IMPATIENT if any(answer.hang or answer.drip for answer in inbox.answers) else DOOR
        return built(self.settings(inbox.url), client or FakeAws(inbox.answers[0]), door)


def built(environ: Mapping[str, str], client: Callable[..., Any], http: HttpDoor = DOOR) -> Destination:
    """The one destination of these settings."""
    (configured,) = read_settings(environ).destinations
    return builder_of(configured.kind)(configured.name, configured.values, Tools(http, client))


ROWS = {
    "slack": Row("slack", lambda url: {"SLACK_WEBHOOK_URL": url + PATH}),
    "slack bot": Row(
        "slack",
        lambda url: {
            "SLACK_BOT_TOKEN": "xoxb-XYZZY-" + KEY,
            "SLACK_CHANNEL": "C0123456789",
            "SLACK_API_URL": url,
            "SLACK_MENTION": "<!here>",
        },
        success=b'{"ok":true,"channel":"C0123456789","ts":"1.000001"}',
    ),
    "slack workflow": Row("slack", lambda url: {"SLACK_WEBHOOK_URL": f"{url}/workflows/xyzzyXYZZYxyzzy"}),
    "sns": Row("sns", lambda _: {"SNS_TOPIC_ARN": TOPIC}, over_http=False),
    "sns json": Row(
        "sns", lambda _: {"SNS__PROGRAMS__TOPIC_ARN": TOPIC, "SNS__PROGRAMS__FORMAT": "json"}, over_http=False
    ),
    "webhook": Row("webhook", lambda url: {"WEBHOOK_URL": url + PATH, "WEBHOOK_SECRET": SECRET}),
    "webhook unsigned": Row("webhook", lambda url: {"WEBHOOK__OPEN__URL": url + PATH}),
    "sns chatbot": Row(
        "sns", lambda _: {"SNS__CHAT__TOPIC_ARN": TOPIC, "SNS__CHAT__FORMAT": "chatbot"}, over_http=False
    ),
    "webhook cloudevents": Row(
        "webhook", lambda url: {"WEBHOOK__EVENTS__URL": url + PATH, "WEBHOOK__EVENTS__FORMAT": "cloudevents"}
    ),
    "webhook ocsf": Row("webhook", lambda url: {"WEBHOOK__LAKE__URL": url + PATH, "WEBHOOK__LAKE__FORMAT": "ocsf"}),
    "webhook template": Row(
        "webhook",
        lambda url: {
            "WEBHOOK__OWN__URL": url + PATH,
            "WEBHOOK__OWN__TEMPLATE": "{text: title, level: severity}",
            "WEBHOOK__OWN__HEADERS": "Authorization: Bearer XYZZY",
        },
    ),
    "teams": Row("teams", lambda url: {"TEAMS_WEBHOOK_URL": url + PATH}),
    "google chat": Row("google_chat", lambda url: {"GOOGLE_CHAT_WEBHOOK_URL": url + PATH + "?key=XYZZY"}),
    "discord": Row("discord", lambda url: {"DISCORD_WEBHOOK_URL": url + PATH}),
    "pagerduty": Row("pagerduty", lambda url: {"PAGERDUTY_ROUTING_KEY": KEY, "PAGERDUTY_API_URL": url}),
    "jsm": Row("jsm", lambda url: {"JSM_API_KEY": "XYZZY-" + KEY, "JSM_API_URL": url}),
    "event bus": Row("event_bus", lambda _: {"EVENT_BUS_ARN": BUS}, over_http=False),
    "security hub": Row("security_hub", lambda _: {"SECURITY_HUB": "true"}, over_http=False),
}
