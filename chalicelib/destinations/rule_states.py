"""Which of a group's rules alerts opened and closed: pure, and the same whatever order alerts arrive in.

Each rule that an alert names is open or closed by its latest change, by event time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from chalicelib.alert.model import Alert, Severity
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import is_attempt
from chalicelib.security_groups.rules import SecurityGroupRule
from chalicelib.text import visible


class RuleState(NamedTuple):
    """The latest change of one rule: when (epoch seconds), by whom, and how bad it is while open; None where closed."""

    at: float
    severity: str | None
    who: str


def rule_changes(alert: Alert) -> Iterator[tuple[str, RuleState]]:
    """The rules that an alert names, open or closed; an attempt changes none."""
    if is_attempt(alert):
        return
    at, who = event_time(alert), visible(alert.principal.name)[:100] if alert.principal else ""
    severities: dict[str, Severity] = {}
    for exposure in alert.exposures:
        if exposure.rule is not None:
            key = rule_key(exposure.rule)
            severities[key] = max(exposure.severity, severities.get(key, Severity.INFO), key=lambda item: item.rank)
    for rule in alert.changes.removed:
        yield rule_key(rule), RuleState(at, None, who)
    for item in alert.changes.modified:
        if item.before is not None and rule_key(item.before) != rule_key(item.after):
            yield rule_key(item.before), RuleState(at, None, who)
    for rule in (*alert.changes.added, *(item.after for item in alert.changes.modified)):
        yield rule_key(rule), RuleState(at, severities.get(rule_key(rule), Severity.LOW).value, who)


def rule_key(rule: SecurityGroupRule) -> str:
    """What makes a rule the same rule, as text."""
    peer = rule.peer
    direction = rule.direction.value if rule.direction else "?"
    return f"{direction} {rule.protocol} {rule.from_port}-{rule.to_port} {peer.type.value} {peer.value}"[:300]


def event_time(alert: Alert) -> float:
    """When it happened, in epoch seconds; 0 where that is not known."""
    moment = alert.occurred_at or datetime(1970, 1, 1, tzinfo=UTC)
    return moment.timestamp()
