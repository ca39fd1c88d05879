"""What was found out about a group and its surroundings; None always means "not known", never "none"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.facts import PrefixList
from chalicelib.rules import SecurityGroupRule

Rules = tuple[SecurityGroupRule, ...]


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A security group as DescribeSecurityGroups shows it; its rules have no ids there."""

    id: str
    name: str | None = None
    vpc_id: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    rules: Rules = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface: the groups on it, its public addresses, and what it belongs to."""

    id: str
    group_ids: tuple[str, ...] = ()
    instance_id: str | None = None
    service: str | None = None
    public_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """What the look-ups of one alert brought; ``unknowns`` says of each that failed what is missing and why.

    ``rules`` are the live rules of the group, ``config_rules`` those that AWS Config recorded last
    before the change, at ``config_seen_at``. ``entries_before`` and ``entries_after`` are the CIDRs of a prefix
    list around it.
    """

    groups: Mapping[str, GroupInfo] | None = None
    rules: Rules | None = None
    interfaces: tuple[Interface, ...] | None = None
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    config_rules: Rules | None = None
    config_group: GroupInfo | None = None
    config_group_ids: tuple[str, ...] | None = None
    config_seen_at: str | None = None
    entries_before: tuple[str, ...] | None = None
    entries_after: tuple[str, ...] | None = None
    endpoint_groups: tuple[str, ...] | None = None
    account_name: str | None = None
    unknowns: tuple[str, ...] = ()
