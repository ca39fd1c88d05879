"""The catalog of watched CloudTrail events, and the EventBridge patterns made from it.

Everything that needs to know which API calls matter reads this module: the EventBridge rules, the
records' reader, the audit of the deployed rules and of metric filters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.cloudtrail.tamper_calls import MENDING, TAMPER_CALLS, Scope, own_conditions

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
MAX_PATTERN_LENGTH = 2048

EC2 = "ec2.amazonaws.com"


class EventGroup(StrEnum):
    """A group of watched events, as named in the ``WATCH`` setting."""

    RULES = "rules"
    GROUPS = "groups"
    ATTACHMENTS = "attachments"
    PREFIX_LISTS = "prefix_lists"
    TAMPER = "tamper"


DEFAULT_WATCH = (EventGroup.RULES, EventGroup.GROUPS, EventGroup.TAMPER)


@dataclass(frozen=True, slots=True)
class WatchedEvent:
    """One CloudTrail event name of one source.

    ``needs`` lists request parameters of which at least one must be there for the record to be
    about security groups at all (``ModifyInstanceAttribute`` also changes user data and the like).
    """

    name: str
    source: str
    group: EventGroup
    needs: tuple[str, ...] = ()


def _events(group: EventGroup, source: str, *names: str, needs: tuple[str, ...] = ()) -> tuple[WatchedEvent, ...]:
    return tuple(WatchedEvent(name, source, group, needs) for name in names)


EVENTS: tuple[WatchedEvent, ...] = (
    *_events(
        EventGroup.RULES,
        EC2,
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "ModifySecurityGroupRules",
        "UpdateSecurityGroupRuleDescriptionsIngress",
        "UpdateSecurityGroupRuleDescriptionsEgress",
    ),
    *_events(
        EventGroup.GROUPS,
        EC2,
        "CreateSecurityGroup",
        "DeleteSecurityGroup",
        "AssociateSecurityGroupVpc",
        "DisassociateSecurityGroupVpc",
    ),
    *_events(
        EventGroup.ATTACHMENTS, EC2, "ModifyNetworkInterfaceAttribute", "ModifyInstanceAttribute", needs=("groupSet",)
    ),
    *_events(EventGroup.ATTACHMENTS, EC2, "ModifyVpcEndpoint"),
    *_events(EventGroup.ATTACHMENTS, "elasticloadbalancing.amazonaws.com", "SetSecurityGroups"),
    *_events(EventGroup.PREFIX_LISTS, EC2, "ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"),
    *(WatchedEvent(call.name, call.source, EventGroup.TAMPER) for call in TAMPER_CALLS),
)

BY_NAME: dict[str, WatchedEvent] = {event.name: event for event in EVENTS}


def events_of(groups: Iterable[EventGroup]) -> tuple[WatchedEvent, ...]:
    """The watched events of these groups, in the catalog's order."""
    wanted = frozenset(groups)
    return tuple(event for event in EVENTS if event.group in wanted)


def lookup(source: str | None, name: str | None) -> WatchedEvent | None:
    """The watched event of this source and name, or None where the catalog has none.

    Without a source the name alone tells: no two watched events share one, and a record must not be silent
    for want of it.
    """
    event = BY_NAME.get(name) if isinstance(name, str) else None
    return event if event is not None and source in (None, event.source) else None


def event_pattern(groups: Iterable[EventGroup]) -> dict[str, Any]:
    """The EventBridge event pattern that matches the records of these groups.

    ``source`` is in it because only AWS can put events whose source begins with ``aws.``: without
    it anybody with events:PutEvents could forge alerts. No two watched services share an event
    name, so one list of names beside one of sources matches nothing but the catalog.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
    """
    events = events_of(groups)
    return _pattern(dict.fromkeys(event.source for event in events), (event.name for event in events))


def tamper_pattern() -> dict[str, Any]:
    """The pattern of the tamper calls on anything that may belong to the alarm path."""
    return _tamper_pattern(Scope.PATH)


def own_tamper_pattern() -> dict[str, Any]:
    """The pattern of the tamper calls on resources that carry sgwatch's name.

    Without the narrowing, each function that an account deploys would invoke sgwatch.
    """
    pattern = _tamper_pattern(Scope.OWN)
    return {**pattern, "detail": {**pattern["detail"], "$or": own_conditions()}}


def _tamper_pattern(scope: Scope) -> dict[str, Any]:
    calls = [call for call in TAMPER_CALLS if call.scope is scope]
    return _pattern(dict.fromkeys(call.source for call in calls), (call.name for call in calls))


def mending_pattern() -> dict[str, Any]:
    """The EventBridge event pattern that matches the records of the calls that may mend the alarm path."""
    return _pattern(MENDING, (name for names in MENDING.values() for name in names))


def _pattern(sources: Iterable[str], names: Iterable[str]) -> dict[str, Any]:
    listed = list(sources)
    return {
        "source": ["aws." + source.removesuffix(".amazonaws.com") for source in listed],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventSource": listed, "eventName": list(names)},
    }


def pattern_length(pattern: dict[str, Any]) -> int:
    """Characters of a pattern in the compact form in which it is sent to EventBridge."""
    return len(json.dumps(pattern, separators=(",", ":")))
