"""A Slack channel, by its incoming webhook.

The limits of a message are kept by weight (see slack_markup.weight), which is never under what Slack
counts: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt, Tools
from chalicelib.destinations.http_door import HttpDoor, HttpResponse, error_for, is_success
from chalicelib.destinations.slack_markup import (
    MAX_TEXT,
    Block,
    button,
    code,
    code_block,
    date,
    header,
    in_code,
    is_console_url,
    is_mention,
    mrkdwn,
    mute,
    plain,
    section,
    shortened,
    weight,
)
from chalicelib.rendering.facts import Fact
from chalicelib.rendering.lines import headline, is_closing, unshowable
from chalicelib.rendering.sections import (
    Circumstances,
    Diff,
    Links,
    NotKnown,
    Paragraph,
    Reasons,
    Section,
    WayBack,
    sections,
    way_back_elsewhere,
)
from chalicelib.text import clip, fit, number_of, visible

MAX_WEIGHT = 9_400
_MAX_FIELDS = 10

_ICONS = {
    Severity.CRITICAL: "🔴",
    Severity.HIGH: "🟠",
    Severity.MEDIUM: "🟡",
    Severity.LOW: "🔵",
    Severity.INFO: "⚪",
}
_CLOSING_ICON = "🟢"

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


class Presentation(NamedTuple):
    """What a message has besides its alert: a runbook's link, and whom it notifies in Slack's own notation."""

    runbook: str | None = None
    mention: str = ""


_PLAIN = Presentation()


def payload(alert: Alert, presentation: Presentation = _PLAIN) -> dict[str, Any]:
    """The message: what matters in the first line, then as much of the rest as Slack takes."""
    mention, runbook = presentation.mention, presentation.runbook
    opening = [header(_first_line(alert)), *([section(mrkdwn(mention))] if mention else [])]
    text = shortened(_notification(alert), 400)
    message = {"text": f"{mention} {text}" if mention else text, "blocks": opening}
    closing = [{"type": "actions", "elements": [button("Open the runbook", runbook)]}] if runbook else []
    message["blocks"] = [*opening, *closing]
    left = MAX_WEIGHT - len(json.dumps(message))
    parts = list(sections(alert))
    is_alone = not any(isinstance(part, Diff) for part in parts)
    built: list[list[Block]] = [[] for _ in parts]
    for place, part in sorted(enumerate(parts), key=lambda numbered: _CLAIMS.index(type(numbered[1]))):
        built[place] = list(_section(alert, part, left, is_alone=is_alone))
        left -= sum(len(json.dumps(block)) + 2 for block in built[place])
    return {**message, "blocks": [*opening, *chain.from_iterable(built), *closing]}


class Mentions(NamedTuple):
    """Whom to notify: from a severity on, and the owners of groups by the names in their tags."""

    everybody: str = ""
    severity: Severity = Severity.CRITICAL
    owners: Mapping[str, str] = MappingProxyType({})

    def of(self, alert: Alert) -> str:
        """The mention that belongs to an alert, empty where none does."""
        if alert.severity.rank < self.severity.rank:
            return ""
        owner = alert.security_group.owner if alert.security_group else None
        found = [self.everybody, self.owners.get(owner.lower(), "") if owner else ""]
        return " ".join(dict.fromkeys(item for item in found if item))


def parse_owner_mentions(text: str) -> dict[str, str]:
    """``team-web=<!subteam^S0123456789>`` with commas between, by the owner's name in lower case.

    Raises:
        ValueError: it is not that.
    """
    found = {}
    for part in text.split(","):
        owner, _, mention = part.strip().partition("=")
        if not owner.strip() or not is_mention(mention.strip()):
            raise ValueError(f'"{part.strip()}" is not an owner, = and a mention such as <!subteam^S0123456789>')
        found[owner.strip().lower()] = mention.strip()
    return found


# What is written first has the first claim on the room that is left.
_CLAIMS = (Paragraph, Circumstances, Links, NotKnown, Reasons, Diff, WayBack)


def _section(alert: Alert, part: Section, left: int, *, is_alone: bool) -> Iterator[Block]:
    """The blocks of a section; what has to stay free is for those that come later, and for the frame of this one."""
    match part:
        case Paragraph():
            yield section(plain(part.text, 600))
        case Circumstances():
            yield from _facts(part.facts)
        case Links():
            yield from _buttons(part)
        case NotKnown():
            yield from _list(part.title, part.items, min(600, left - 2_400))
        case Reasons():
            shown = (
                _why_alone(part, left - 700) if is_alone else _list(part.title, part.items, min(1_100, left - 1_800))
            )
            yield from shown
        case Diff():
            yield from _diff(part, min(2_900, left - 700))
        case WayBack():
            yield from _way_back(alert, part, min(2_900, left - 150))


# What one line of the rest takes where there are many: a group's id, a comma, and part of its name.
_BRIEF = 24


class Slack(NamedTuple):
    """Posts alerts to the channel that the webhook was made for."""

    name: str
    webhook_url: str
    http: HttpDoor
    present: Callable[[Alert], Presentation] = lambda _: _PLAIN

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
        "text": clip(_plain_notification(alert), 400)[0],
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


def _first_line(alert: Alert) -> str:
    icon = _CLOSING_ICON if is_closing(alert) else _ICONS[alert.severity]
    return f"{icon} {headline(alert)}"


def _notification(alert: Alert) -> str:
    """What a phone's lock screen and a screen reader get: the fallback ``text``."""
    # The fallback text is mrkdwn too, and has nothing to hide code in.
    return mute(_plain_notification(alert)).translate(_NO_MARKUP)


def _plain_notification(alert: Alert) -> str:
    name = alert.principal.name if alert.principal else None
    who = [f"by {visible(name)}"] if name and f" by {name}" not in alert.title else []
    where = [visible(item) for item in (alert.account.name or alert.account.id, alert.region) if item]
    return " · ".join([clip(_first_line(alert), 200, weight)[0], *who, *where])


_NO_MARKUP = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})


def _facts(facts: Iterable[Fact]) -> Iterator[Block]:
    fields = [mrkdwn("\n".join([f"*{fact.label}*", *_fact_lines(fact)])) for fact in facts]
    for start in range(0, len(fields), _MAX_FIELDS):
        yield {"type": "section", "fields": fields[start : start + _MAX_FIELDS]}


def _fact_lines(fact: Fact) -> list[str]:
    return [date(fact.moment)] if fact.moment else [code(line, 140) for line in fact.lines]


def _diff(part: Diff, room: int) -> Iterator[Block]:
    each = max(room // 3, 100)
    entries = fit((clip(in_code(entry), each, weight)[0] for entry in part.entries), room, weight)
    left = part.total - len(entries)
    more = f"\n… and {number_of(left, f'more {part.noun}')}" if left else ""
    yield section(mrkdwn(f"*{part.title}*\n{code_block(entries)}{more}"))


def _why_alone(part: Reasons, room: int) -> Iterator[Block]:
    """Without a diff beside it: as many sentences as there is room for, and how the others begin.

    In the alert of a burst each begins with the id of its group.
    """
    sentences = [mute(item) for item in part.items]
    room -= 400
    each = min(100, max(_BRIEF, room // len(sentences))) - 2
    names = [clip(sentence, each, weight)[0] for sentence in sentences]
    lines = [f"• {clip(sentence, 1_000, weight)[0]}" for sentence in sentences]
    spare = room - sum(weight(name) + 2 for name in names)
    whole = 0
    while whole < len(lines) and (spare := spare - weight(lines[whole]) + weight(names[whole])) >= 0:
        whole += 1
    shown = fit(names[whole:], room, weight)
    yield from _sections([f"{part.title}:", *lines[:whole]], "\n")
    if shown:
        yield from _sections(["And " + shown[0], *shown[1:]], ", ")
    left = len(names) - whole - len(shown)
    if left:
        yield section(plain(f"… and {left:,} more", 100))


def _sections(pieces: list[str], joint: str) -> Iterator[Block]:
    """The pieces one after the other, in as many paragraphs as Slack's limit asks for."""
    text = ""
    for piece in pieces:
        longer = f"{text}{joint}{piece}" if text else piece
        if weight(longer) > MAX_TEXT - 100:
            yield section(plain(text, MAX_TEXT))
            longer = piece
        text = longer
    yield section(plain(text, MAX_TEXT))


def _list(title: str, items: Sequence[str], room: int) -> Iterator[Block]:
    each = max(room // 3, 60)
    shown = fit((f"• {clip(mute(item), each, weight)[0]}" for item in items), room - 80, weight)
    left = len(items) - len(shown)
    yield section(plain("\n".join([f"{title}:", *shown, *([f"… and {left:,} more"] if left else [])]), room))


def _way_back(alert: Alert, part: WayBack, room: int) -> Iterator[Block]:
    size = sum(weight(command) + 2 for command in part.commands)
    hidden = unshowable(alert.undo, {"```": "a code fence"}) if part.commands else None
    if not hidden and size > room - weight(part.note) - 60:
        hidden = f"too long for Slack ({size:,} characters)"
    if part.commands and hidden:
        part = way_back_elsewhere(alert, hidden)
    if not part.commands:
        yield section(plain(f"{part.title}: {part.note}", max(room, 200)))
        return
    if part.note:
        yield section(plain(f"{part.title}: {part.note}", min(room, 1_000)))
        yield section(mrkdwn(code_block(part.commands)))
    else:
        yield section(mrkdwn(f"*{part.title}*\n{code_block(part.commands)}"))


def _buttons(part: Links) -> Iterator[Block]:
    buttons = [button(link.label, link.url) for link in part.links if is_console_url(link.url)]
    if buttons:
        yield {"type": "actions", "elements": buttons}
