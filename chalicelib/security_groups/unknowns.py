"""What could not be learned about a change: typed inside, a sentence for people at the end."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chalicelib.named_tuple import NamedTuple
from chalicelib.text import number_of


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
    return tuple(Unknown(UnknownTopic.UNREAD_RULE, f"{what}: {problem}") for problem in shortened(problems))


# A request may be padded with hundreds of them.
_PARTS_SHOWN = 5


def shortened(problems: Iterable[str]) -> tuple[str, ...]:
    """The first of the parts that could not be read, each once, and how many more there are."""
    every = tuple(problems)
    shown = tuple(dict.fromkeys(every))[:_PARTS_SHOWN]
    more = len(every) - len(shown)
    return (*shown, f"{number_of(more, 'more part')} like {'this' if len(shown) == 1 else 'these'}") if more else shown


def without(unknowns: Iterable[Unknown], *topics: UnknownTopic) -> tuple[Unknown, ...]:
    """The unknowns that are about something else."""
    return tuple(item for item in unknowns if item.topic not in topics)
