"""What was found out about a group and its surroundings; None always means "not known", never "none"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.rules import SecurityGroupRule
from chalicelib.security_groups.unknowns import Unknown

# Nobody changes what is looked up.
_NOTHING: Mapping[str, Any] = {}
Rules = tuple[SecurityGroupRule, ...]


class PrefixList(NamedTuple):
    """What was looked up about a prefix list: its name, whether AWS manages it, its CIDR texts, its owner's account.

    Where not ``is_whole`` it holds more than these.
    """

    name: str | None
    aws_managed: bool
    cidrs: tuple[str, ...]
    is_whole: bool = True
    owner_id: str | None = None


class GroupInfo(NamedTuple):
    """A security group as DescribeSecurityGroups shows it; its rules have no ids there."""

    id: str
    name: str | None = None
    vpc_id: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = _NOTHING
    rules: Rules = ()


class Interface(NamedTuple):
    """A network interface: the groups on it, its public addresses, and what it belongs to."""

    id: str
    group_ids: tuple[str, ...] = ()
    instance_id: str | None = None
    service: str | None = None
    public_addresses: tuple[str, ...] = ()


class LookupResult(NamedTuple):
    """What the look-ups of one alert brought; ``unknowns`` says of each that failed what is missing and why.

    ``rules`` are the live rules of the group, ``config_rules`` those that AWS Config recorded last
    before the change, at ``config_seen_at``. ``entries_before`` and ``entries_after`` are the CIDRs of a prefix
    list around it.
    """

    groups: Mapping[str, GroupInfo] | None = None
    rules: Rules | None = None
    interfaces: tuple[Interface, ...] | None = None
    prefix_lists: Mapping[str, PrefixList] = _NOTHING
    config_rules: Rules | None = None
    config_group: GroupInfo | None = None
    config_group_ids: tuple[str, ...] | None = None
    config_seen_at: str | None = None
    entries_before: tuple[str, ...] | None = None
    entries_after: tuple[str, ...] | None = None
    endpoint_groups: tuple[str, ...] | None = None
    account_name: str | None = None
    unknowns: tuple[Unknown, ...] = ()


class ResolvedChange(NamedTuple):
    """The change with what was found, and the group's rules before it.

    ``before`` holds rules that were there; all of them only where ``is_whole``. ``is_guessed`` where only
    the live rules have them, which may hold a later change. ``after`` are all rules after it, None where not known.
    """

    change: Change
    before: Rules | None = None
    is_whole: bool = False
    after: Rules | None = None
    is_guessed: bool = False
