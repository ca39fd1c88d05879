"""A Slack channel, by its incoming webhook or by a bot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt, Tools
from chalicelib.destinations.http_door import HttpDoor, HttpResponse, error_for, is_success
from chalicelib.destinations.slack_markup import MAX_TEXT, mute
from chalicelib.destinations.slack_message import (
    PLAIN,
    Mentions,
    Presentation,
    parse_owner_mentions,
    payload,
    plain_notification,
)
from chalicelib.named_tuple import NamedTuple
from chalicelib.text import clip, visible

# What Slack answers in words, and what that calls for. The words:
# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
_REMEDIES = {
    "action_prohibited": "the workspace's administrators restrict posting there",
    "channel_is_archived": "unarchive the channel or make a webhook for another",
    "channel_not_found": "the channel is gone; make a webhook for another",
    "invalid_token": "the webhook's URL is wrong or was revoked; make a new one",
    "no_active_hooks": "the webhook is disabled; make a new one",
    "no_service": "the webhook is disabled, removed or its URL is wrong; make a new one",
    "no_service_id": "the webhook's URL is incomplete",
    "no_team": "the workspace is gone or the URL is wrong",
    "posting_to_general_channel_denied": "administrators restrict posting to that channel",
    "team_disabled": "the workspace is disabled",
    "user_not_found": "the person the webhook posts to is gone",
}


class Slack(NamedTuple):
    """Posts alerts to the channel that the webhook was made for."""

    name: str
    webhook_url: str
    http: HttpDoor
    present: Callable[[Alert], Presentation] = lambda _: PLAIN

    def __repr__(self) -> str:
        return f"Slack(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered.
        """
        is_flat = _is_workflow(self.webhook_url)
        body = flat_payload(alert) if is_flat else payload(alert, self.present(alert))
        response = self.http.post_json(self.webhook_url, body)
        if not is_success(response.status):
            raise error_for(response, _said(response))
        refusal = _refusal(response)
        if refusal:
            raise DeliveryError(f"it answered HTTP {response.status}: {refusal}", permanent=True)
        return Receipt()


def build(name: str, values: Mapping[str, str], tools: Tools) -> Destination:
    """The destination of these settings: a webhook's, or a bot's."""
    owners = parse_owner_mentions(values["OWNER_MENTIONS"]) if "OWNER_MENTIONS" in values else {}
    mentions = Mentions(values.get("MENTION", ""), Severity(values["MENTION_SEVERITY"]), owners)

    def present(alert: Alert) -> Presentation:
        return Presentation(tools.runbook(alert), mentions.of(alert))

    if "WEBHOOK_URL" in values:
        return Slack(name, values["WEBHOOK_URL"], tools.http, present)
    from chalicelib.destinations.slack_bot import Channel, SlackBot  # noqa: PLC0415 - where there is a bot

    channel = Channel(values["API_URL"], values["BOT_TOKEN"], values["CHANNEL"], tools.http)
    return SlackBot(name, channel, present, tools.table)


def flat_payload(alert: Alert) -> dict[str, str]:
    """What a workflow's webhook takes: one object of texts, each a variable that the workflow may name.

    https://slack.com/help/articles/360041352714-Create-workflows-that-start-with-a-webhook
    """
    group = alert.security_group
    values = {
        "text": clip(plain_notification(alert), 400)[0],
        "severity": alert.severity.value,
        "title": visible(alert.title),
        "summary": visible(alert.summary),
        "account": alert.account.name or alert.account.id,
        "region": alert.region,
        "principal": alert.principal and alert.principal.name,
        "security_group": group and (group.id or group.name),
        "event": alert.event.name,
        "url": (group and group.url) or alert.event.url,
        "id": alert.id,
    }
    return {name: clip(mute(visible(text or "")), MAX_TEXT)[0] for name, text in values.items()}


def _is_workflow(url: str) -> bool:
    return re.match(r"https?://[^/]+/(?:slack/)?(?:workflows|triggers)/", url) is not None


def _refusal(response: HttpResponse) -> str:
    """Why a 2xx is no delivery; empty where it counts as one.

    Slack answers ``ok``, its workflows ``{"ok":true}``, others that read the same form a JSON of their own or
    nothing: all of them have taken the message. What says no says it in JSON, or in one of Slack's own words;
    a web page is a proxy's, to sign in.
    """
    if response.body.lstrip()[:1] == b"<":
        return "a web page, so something else than Slack answers at this URL"
    word = _word(response)
    if word in _REMEDIES or word in _REFUSALS:
        return _with_remedy(word)
    try:
        answer = json.loads(response.body)
    except ValueError:
        return ""
    if not isinstance(answer, dict) or (answer.get("ok") is not False and answer.get("success") is not False):
        return ""
    return _with_remedy(_as_word(str(answer.get("error", "")))) or "it said that it did not take the message"


# Slack's other words for a message that it does not take, with the page in _REMEDIES' comment.
_REFUSALS = frozenset(
    {"invalid_payload", "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "no_text", "msg_too_long"}
    | {"channel_is_limited_access", "message_limit_exceeded", "not_authed", "invalid_auth", "token_revoked"}
)


def _said(response: HttpResponse) -> str:
    return _with_remedy(_word(response))


def _word(response: HttpResponse) -> str:
    return _as_word(response.body.strip().decode("ascii", "replace"))


def _as_word(text: str) -> str:
    """Slack's word for the error: a few lower-case words joined by underscores, which no token is."""
    return text if re.fullmatch(r"[a-z]+(_[a-z]+){0,6}", text) and len(text) <= 50 else ""


def _with_remedy(word: str) -> str:
    remedy = _REMEDIES.get(word)
    return f"{word} ({remedy})" if remedy else word
