"""What look-ups know beyond a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.rules import SecurityGroupRule


@dataclass(frozen=True, slots=True)
class PrefixList:
    """What was looked up about a prefix list: its name, whether AWS manages it, its CIDR texts.

    Where not ``is_whole`` it holds more than these.
    """

    name: str | None
    aws_managed: bool
    cidrs: tuple[str, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What look-ups know beyond the record; everything is optional.

    ``before`` are all the group's rules before the change.
    """

    account_id: str | None = None
    group_name: str | None = None
    before: tuple[SecurityGroupRule, ...] | None = None
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
