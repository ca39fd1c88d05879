"""The catalog of watched CloudTrail events, and the EventBridge patterns made from it.

Everything that needs to know which API calls matter reads this module: the EventBridge rules, the
records' reader, the audit of the deployed rules and of metric filters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum, StrEnum, auto
from typing import Any

from chalicelib.cloudtrail.tamper_calls import MENDING, TAMPER_CALLS, Scope, own_conditions
from chalicelib.named_tuple import NamedTuple

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
MAX_PATTERN_LENGTH = 2048

EC2 = "ec2.amazonaws.com"
ELASTIC_LOAD_BALANCING = "elasticloadbalancing.amazonaws.com"


class EventGroup(StrEnum):
    """A group of watched events, as named in the ``WATCH`` setting."""

    RULES = "rules"
    GROUPS = "groups"
    ATTACHMENTS = "attachments"
    PREFIX_LISTS = "prefix_lists"
    TAMPER = "tamper"


DEFAULT_WATCH = tuple(EventGroup)


class Verb(Enum):
    """What a call does to what it names; ``other`` for calls that no code distinguishes."""

    AUTHORIZE = auto()
    REVOKE = auto()
    MODIFY = auto()
    DESCRIBE = auto()
    CREATE = auto()
    DELETE = auto()
    ASSOCIATE = auto()
    DISASSOCIATE = auto()
    ATTACH = auto()
    RESTORE = auto()
    OTHER = auto()


class WatchedEvent(NamedTuple):
    """One CloudTrail event name of one source.

    ``is_egress`` is true for the calls that are about egress rules alone. A call that ``needs_groups``
    is about security groups only where it sets some (``ModifyInstanceAttribute`` also changes user data and the like).
    """

    name: str
    source: str
    group: EventGroup
    verb: Verb = Verb.OTHER
    is_egress: bool = False
    needs_groups: bool = False


EVENTS: tuple[WatchedEvent, ...] = (
    WatchedEvent("AuthorizeSecurityGroupIngress", EC2, EventGroup.RULES, Verb.AUTHORIZE),
    WatchedEvent("AuthorizeSecurityGroupEgress", EC2, EventGroup.RULES, Verb.AUTHORIZE, is_egress=True),
    WatchedEvent("RevokeSecurityGroupIngress", EC2, EventGroup.RULES, Verb.REVOKE),
    WatchedEvent("RevokeSecurityGroupEgress", EC2, EventGroup.RULES, Verb.REVOKE, is_egress=True),
    WatchedEvent("ModifySecurityGroupRules", EC2, EventGroup.RULES, Verb.MODIFY),
    WatchedEvent("UpdateSecurityGroupRuleDescriptionsIngress", EC2, EventGroup.RULES, Verb.DESCRIBE),
    WatchedEvent("UpdateSecurityGroupRuleDescriptionsEgress", EC2, EventGroup.RULES, Verb.DESCRIBE, is_egress=True),
    WatchedEvent("CreateSecurityGroup", EC2, EventGroup.GROUPS, Verb.CREATE),
    WatchedEvent("DeleteSecurityGroup", EC2, EventGroup.GROUPS, Verb.DELETE),
    WatchedEvent("AssociateSecurityGroupVpc", EC2, EventGroup.GROUPS, Verb.ASSOCIATE),
    WatchedEvent("DisassociateSecurityGroupVpc", EC2, EventGroup.GROUPS, Verb.DISASSOCIATE),
    WatchedEvent("ModifyNetworkInterfaceAttribute", EC2, EventGroup.ATTACHMENTS, Verb.ATTACH, needs_groups=True),
    WatchedEvent("ModifyInstanceAttribute", EC2, EventGroup.ATTACHMENTS, Verb.ATTACH, needs_groups=True),
    WatchedEvent("ModifyVpcEndpoint", EC2, EventGroup.ATTACHMENTS, Verb.ATTACH),
    WatchedEvent("ModifyInstanceConnectEndpoint", EC2, EventGroup.ATTACHMENTS, Verb.ATTACH),
    WatchedEvent("ModifyClientVpnEndpoint", EC2, EventGroup.ATTACHMENTS, Verb.ATTACH),
    WatchedEvent("ApplySecurityGroupsToClientVpnTargetNetwork", EC2, EventGroup.ATTACHMENTS, Verb.ATTACH),
    WatchedEvent("SetSecurityGroups", ELASTIC_LOAD_BALANCING, EventGroup.ATTACHMENTS, Verb.ATTACH),
    WatchedEvent("ApplySecurityGroupsToLoadBalancer", ELASTIC_LOAD_BALANCING, EventGroup.ATTACHMENTS, Verb.ATTACH),
    WatchedEvent("ModifyManagedPrefixList", EC2, EventGroup.PREFIX_LISTS, Verb.MODIFY),
    WatchedEvent("RestoreManagedPrefixListVersion", EC2, EventGroup.PREFIX_LISTS, Verb.RESTORE),
    WatchedEvent("CreateIpamPrefixListResolverTarget", EC2, EventGroup.PREFIX_LISTS, Verb.CREATE),
    WatchedEvent("ModifyIpamPrefixListResolverTarget", EC2, EventGroup.PREFIX_LISTS, Verb.MODIFY),
    WatchedEvent("ModifyIpamPrefixListResolver", EC2, EventGroup.PREFIX_LISTS, Verb.MODIFY),
    *(WatchedEvent(call.name, call.source, EventGroup.TAMPER) for call in TAMPER_CALLS),
)

BY_NAME: dict[str, WatchedEvent] = {event.name: event for event in EVENTS}


def verb_of(name: str | None) -> Verb:
    """The verb of a watched event by its name alone; ``other`` for a name that the catalog does not have."""
    event = BY_NAME.get(name or "")
    return Verb.OTHER if event is None else event.verb


def is_egress(name: str | None) -> bool:
    """Whether a watched event of this name is about egress rules alone."""
    event = BY_NAME.get(name or "")
    return event is not None and event.is_egress


def events_of(groups: Iterable[EventGroup]) -> tuple[WatchedEvent, ...]:
    """The watched events of these groups, in the catalog's order."""
    wanted = frozenset(groups)
    return tuple(event for event in EVENTS if event.group in wanted)


def lookup(source: str | None, name: str | None) -> WatchedEvent | None:
    """The watched event of this source and name, or None where the catalog has none.

    Without a source the name alone decides: no two watched events share one, and a record must not be silent
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
