"""What could not be learned about a change: typed inside, a sentence for people at the end."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class UnknownTopic(StrEnum):
    """What an unknown is about, as far as code decides on it; everything else is ``other``."""

    REQUEST = "request"
    UNREAD_RULE = "unread_rule"
    RULE_BY_ID = "rule_by_id"
    DIRECTION = "direction"
    PEER_ACCOUNT = "peer_account"
    PREVIOUS_VALUES = "previous_values"
    PREVIOUS_DESCRIPTIONS = "previous_descriptions"
    DELETED_RULES = "deleted_rules"
    RULE_TAGS = "rule_tags"
    GROUPS_BEFORE = "groups_before"
    LIST_USERS = "list_users"
    GROUP_LABELS = "group_labels"
    OTHER = "other"


class Unknown(NamedTuple):
    """One thing that is not known: ``text`` is what is missing, a colon, and why."""

    topic: UnknownTopic
    text: str


def other(text: str) -> Unknown:
    """An unknown that no code decides on."""
    return Unknown(UnknownTopic.OTHER, text)


def unread_parts(what: str, problems: Iterable[str]) -> tuple[Unknown, ...]:
    """An unknown for each part of a record that could not be read, with ``what`` it is a part of before it."""
    return tuple(Unknown(UnknownTopic.UNREAD_RULE, f"{what}: {problem}") for problem in problems)


def without(unknowns: Iterable[Unknown], *topics: UnknownTopic) -> tuple[Unknown, ...]:
    """The unknowns that are about something else."""
    return tuple(item for item in unknowns if item.topic not in topics)
