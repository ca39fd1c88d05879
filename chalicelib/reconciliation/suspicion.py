"""Differences that the reconciliation has seen and that may still explain themselves: since when, rule by rule.

A group that changes unseen time and again differs by something else in every sweep; what it differs by
for long is reported all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.alert.model import encode_rule
from chalicelib.security_groups.lookup_result import Rules
from chalicelib.security_groups.rules import diff
from chalicelib.state.state_table import StateTable

# CloudTrail shows an event in LookupEvents within 15 minutes or so.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
GRACE = timedelta(minutes=20)
# For how long what has lasted waits for what is new beside it.
PATIENCE = timedelta(hours=3)
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """By what a group differs, and for how many seconds already."""

    ages: Mapping[str, float]

    @property
    def has_lasted(self) -> bool:
        """Whether some of it was there a while ago."""
        return max(self.ages.values(), default=0.0) >= GRACE.total_seconds()

    def may_be_reported(self, left: Collection[str], *, under_way: bool) -> bool:
        """Whether what is left of it is a drift; what came while it was looked into has yet to last."""
        ages = [self.ages.get(each) for each in left]
        known = [age for age in ages if age is not None]
        if len(known) < len(ages):
            return False
        waited = max(known, default=0.0) >= PATIENCE.total_seconds()
        return waited or (not under_way and min(known, default=0.0) >= GRACE.total_seconds())


@dataclass(frozen=True, slots=True)
class Suspicions:
    """The suspicions of one region in the state table; every method raises StateError where the table fails."""

    table: StateTable
    pk: str
    now: Callable[[], datetime]

    def groups(self) -> set[str]:
        """The groups that differed when last looked at."""
        return {str(item["sk"]) for item in self.table.query(self.pk) if _since(item.get("since"))}

    def look(self, group_id: str, difference: Collection[str]) -> Suspicion:
        """Take down by what a group differs now, and since when by each of it."""
        now = self.now().timestamp()
        item = self.table.get(self.pk, group_id)
        known = _since(item.get("since")) if item is not None else {}
        since = {each: min(known.get(each, now), now) for each in difference}
        if item is None or since != known:
            self._put(group_id, since)
        return Suspicion({each: now - at for each, at in since.items()})

    def drop(self, group_id: str) -> None:
        """Take down that a group does not differ any more."""
        self._put(group_id, {})

    def _put(self, group_id: str, since: Mapping[str, float]) -> None:
        expires = int((self.now() + KEPT).timestamp())
        self.table.put({"pk": self.pk, "sk": group_id, "since": json.dumps(since), "expires_at": expires})


def _since(content: object) -> dict[str, float]:
    """Since when by what a group differs; nothing where that cannot be read, and it is timed from now on."""
    try:
        known = json.loads(content) if isinstance(content, str) else {}
    except ValueError:
        return {}
    numbers = known.items() if isinstance(known, dict) else ()
    return {each: float(at) for each, at in numbers if isinstance(at, int | float) and not isinstance(at, bool)}


def difference(known: Rules | None, live: Rules | None) -> frozenset[str]:
    """By what a group differs, one digest for each rule: ``known`` is None for a group unheard of, ``live`` for none.

    The same rule is the same, whether it was added or modified, and whatever else is in the group.
    """
    if live is None:
        return frozenset({_digest("gone")})
    found = diff(known or (), live)
    here = [*found.added, *(item.after for item in found.modified)]
    lines = [f"+{json.dumps(encode_rule(rule), sort_keys=True)}" for rule in here]
    lines += [f"-{json.dumps(encode_rule(rule), sort_keys=True)}" for rule in found.removed]
    return frozenset(map(_digest, lines if known is not None else ["new", *lines]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
