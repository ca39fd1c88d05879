"""What a Slack thread about one security group says now: pure, and the same whatever order alerts arrive in.

Each rule that an alert names is open or closed by its latest change, by event time. The first message of the thread
shows what is open; so far as alerts have said it, for rules from before the thread are not known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.rule_states import RuleState, event_time, rule_changes
from chalicelib.named_tuple import NamedTuple
from chalicelib.text import number_of

FORM = 1
# How long a message is news: later alerts on the group begin a new one.
NEWS_SECONDS = 86_400.0
# More than these are counted, not kept.
MOST_RULES = 300
MOST_ALERTS = 200
_ICONS = {
    Severity.CRITICAL: "🔴",
    Severity.HIGH: "🟠",
    Severity.MEDIUM: "🟡",
    Severity.LOW: "🔵",
    Severity.INFO: "⚪",
}


class Thread(NamedTuple):
    """The thread of one group: its first message with the blocks it had, what was posted, what is open.

    ``pending`` are deliveries whose posting was begun and not seen to end; ``stale`` says that the first message
    does not yet show what is known.
    """

    ts: str = ""
    begun_at: float = 0.0
    first_event_at: float = 0.0
    root: Mapping[str, Any] = MappingProxyType({})
    posted: tuple[str, ...] = ()
    worst: str = "info"
    rules: Mapping[str, RuleState] = MappingProxyType({})
    pending: tuple[str, ...] = ()
    stale: bool = False

    def is_news(self, now: datetime) -> bool:
        """Whether alerts on the group still belong into this thread."""
        return bool(self.ts) and now.timestamp() - self.begun_at < NEWS_SECONDS

    def is_worse(self, alert: Alert) -> bool:
        """Whether an alert is critical, or more severe than all before it in the thread."""
        return alert.severity is Severity.CRITICAL or alert.severity.rank > Severity(self.worst).rank

    def with_alert(self, alert: Alert, delivery: str) -> Thread:
        """The thread after an alert was posted in it."""
        rules = dict(self.rules)
        for key, state in rule_changes(alert):
            known = rules.get(key)
            if known is None or state.at >= known.at:
                rules[key] = state
        kept = dict(sorted(rules.items(), key=lambda item: -item[1].at)[:MOST_RULES])
        worst = alert.severity if alert.severity.rank > Severity(self.worst).rank else Severity(self.worst)
        posted, first = (*self.posted, delivery)[-MOST_ALERTS:], min(self.first_event_at, event_time(alert))
        return self._replace(posted=posted, first_event_at=first, worst=worst.value, rules=kept, stale=True).ended(
            delivery
        )

    def begun(self, delivery: str) -> Thread:
        """With a delivery noted as begun, so that a later attempt looks for what it posted."""
        others = self.ended(delivery).pending
        return self._replace(pending=(*others, delivery)[-MOST_ALERTS:])

    def ended(self, delivery: str) -> Thread:
        """Without that note: it is known what became of it."""
        return self._replace(pending=tuple(item for item in self.pending if item != delivery))

    def message(self) -> dict[str, Any]:
        """The first message as it should be now: its own blocks, with the present state below the headline."""
        icon, sentence = self._state()
        blocks = [dict(block) for block in self.root.get("blocks", ())]
        if not blocks or not self.rules:
            return {"text": self.root.get("text", ""), "blocks": blocks}
        title = dict(blocks[0].get("text", {}))
        title["text"] = f"{icon} {str(title.get('text', '')).partition(' ')[2]}"
        state = {"type": "context", "elements": [{"type": "plain_text", "text": f"{icon} {sentence}", "emoji": False}]}
        return {"text": self.root.get("text", ""), "blocks": [{**blocks[0], "text": title}, state, *blocks[1:]]}

    def _state(self) -> tuple[str, str]:
        standing = [state for state in self.rules.values() if state.severity is not None]
        further = f" · {number_of(len(self.posted) - 1, 'further change')}" if len(self.posted) > 1 else ""
        if standing:
            worst = max((Severity(state.severity or "info") for state in standing), key=lambda item: item.rank)
            return _ICONS[worst], f"Open now: {number_of(len(standing), 'rule')}, the worst {worst}{further}"
        last = max(self.rules.values(), key=lambda state: state.at, default=RuleState(0.0, None, ""))
        after = _duration(last.at - self.first_event_at)
        by = f" by {last.who}" if last.who else ""
        return "🟢", f"Closed{by} after {after}{further}"


def begin(alert: Alert, delivery: str, ts: str, root: Mapping[str, Any], now: datetime) -> Thread:
    """The thread that an alert opens."""
    first = Thread(ts, now.timestamp(), event_time(alert), root, (), Severity.INFO.value)
    # The first message shows its own change: nothing is stale yet.
    return first.with_alert(alert, delivery)._replace(stale=False)


def encode(thread: Thread) -> str:
    """The thread as text, for one attribute of an item."""
    plain = {"root": dict(thread.root), "rules": dict(thread.rules), "form": FORM}
    return json.dumps({**thread._asdict(), **plain}, separators=(",", ":"))


def decode(text: str) -> Thread | None:
    """The thread of such a text; None where it is none, or of a form that is not known: a new one begins then."""
    try:
        document = json.loads(text)
        if document.pop("form") != FORM:
            return None
        rules = {key: RuleState(*state) for key, state in document["rules"].items()}
        lists = {name: tuple(document[name]) for name in ("posted", "pending")}
        return Thread(**{**document, **lists, "rules": rules})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _duration(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 1:
        return f"{max(0, round(seconds))} s"
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
