"""Asks the questions of one alert, all at once and against a deadline, and gathers what came back.

A look-up that fails or is late is a sentence in ``LookupResult.unknowns``; nothing here raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.aws.read_calls import LookupFailed, Reader
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.enrichment import parse_answers as wire
from chalicelib.enrichment.plan import ENTRIES, MAX_CALLS, LookupPlan, Question, alias, plan
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.lookup_result import LookupResult, PrefixList
from chalicelib.security_groups.unknowns import Unknown, other

# What may be kept between alerts: names hardly change, lists seldom. Rules and interfaces never are.
PREFIX_LIST_SECONDS = 60.0
ALIAS_SECONDS = 3600.0

Answers = dict[str, Mapping[str, Any]]
Place = tuple[str | None, str | None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _KeptList:
    """A prefix list as it was at a moment; it says nothing of a change that came later."""

    found: PrefixList
    seen_at: datetime
    until: float

    def is_valid_for(self, event_time: datetime | None, now: float) -> bool:
        # CloudTrail's times are whole seconds.
        return event_time is not None and event_time + timedelta(seconds=1) <= self.seen_at and now < self.until


@dataclass(slots=True)
class Lookups:
    """The look-ups of this process; what it remembers lives as long as its container.

    ``timeout`` is how many seconds one alert's look-ups may take together. ``account_names`` win
    over the accounts' aliases.
    """

    reader: Reader
    account_names: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3.0
    with_config: bool = False
    now: Callable[[], float] = time.monotonic
    clock: Callable[[], datetime] = _utc_now
    _lists: dict[tuple[Place, str], _KeptList] = field(default_factory=dict)
    _aliases: dict[str | None, tuple[str | None, float]] = field(default_factory=dict)

    def look(self, record: CloudTrailRecord, change: Change) -> LookupResult:
        """What AWS says about the change's surroundings."""
        place, started_at = (record.account_id, record.region), self.clock()
        kept = self._kept(place, record.event_time)
        asked = plan(record, change, with_config=self.with_config, is_cached=kept.__contains__)
        asked = self._with_alias(asked, record.account_id)
        answers, unknowns = self._ask(asked, place)
        lists = {**kept, **self._prefix_lists(answers, place, started_at)}
        world = (self._world(answers, unknowns))._replace(prefix_lists=lists)
        world = world._replace(account_name=self._name(record.account_id, answers))
        return world._replace(unknowns=(*asked.given_up, *unknowns))

    def name_of(self, account_id: str | None) -> str | None:
        """The account's name as far as it is known without asking."""
        known = self._aliases.get(account_id)
        return self.account_names.get(account_id or "") or (known[0] if known else None)

    def _kept(self, place: Place, event_time: datetime | None) -> dict[str, PrefixList]:
        """The prefix lists that are fresh enough for an event."""
        now = self.now()
        return {
            prefix_list_id: kept.found
            for (where, prefix_list_id), kept in self._lists.items()
            if where == place and kept.is_valid_for(event_time, now)
        }

    def _with_alias(self, asked: LookupPlan, account_id: str | None) -> LookupPlan:
        known = self._aliases.get(account_id)
        is_named = account_id in self.account_names or (known is not None and self.now() < known[1])
        if is_named or not asked.questions or len(asked.questions) >= MAX_CALLS:
            return asked
        return replace(asked, questions=(*asked.questions, alias()))

    def _ask(self, asked: LookupPlan, place: Place) -> tuple[Answers, list[Unknown]]:
        if not asked.questions:
            return {}, []
        pool = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="look-up")
        futures = {question.key: pool.submit(self.reader, question.call, *place) for question in asked.questions}
        wait(futures.values(), timeout=self.timeout)
        pool.shutdown(wait=False, cancel_futures=True)
        answers: Answers = {}
        unknowns: list[Unknown] = []
        for question in asked.questions:
            try:
                answers[question.key] = _result(question, futures[question.key])
            except LookupFailed as error:
                unknowns.append(Unknown(question.topic, f"{question.lacks}: {error}"))
        return answers, unknowns

    def _world(self, answers: Answers, unknowns: list[Unknown]) -> LookupResult:
        def read(key: str, reader: Callable[[Mapping[str, Any]], Any]) -> Any:
            try:
                return reader(answers[key]) if key in answers else None
            except wire.CutShort as error:
                unknowns.append(other(f"live rules: {error}"))
                return None

        unknowns += map(other, _cut_short(answers))
        config = read("config", wire.read_config_group)
        return LookupResult(
            groups=read("groups", wire.read_groups),
            rules=read("rules", wire.read_live_rules),
            interfaces=read("interfaces", wire.read_interfaces),
            config_rules=config.rules if config else None,
            config_group=config,
            config_group_ids=read("config", wire.read_config_group_ids),
            config_seen_at=read("config", wire.read_config_time),
            entries_before=read("entries_before", wire.read_entries),
            entries_after=read("entries_after", wire.read_entries),
            endpoint_groups=read("endpoint", wire.read_endpoint_groups),
        )

    def _prefix_lists(self, answers: Answers, place: Place, seen_at: datetime) -> dict[str, PrefixList]:
        """The prefix lists that were looked into; of the others the name, where AWS manages them."""
        named = wire.read_prefix_lists(answers["lists"]) if "lists" in answers else {}
        found = {key: each._replace(is_whole=each.aws_managed) for key, each in named.items()}
        for key, answer in answers.items():
            prefix_list_id = key.removeprefix(ENTRIES)
            if prefix_list_id != key:
                known = named.get(prefix_list_id, PrefixList(None, aws_managed=False, cidrs=()))
                is_whole = not answer.get("NextToken")
                found[prefix_list_id] = known._replace(cidrs=wire.read_entries(answer), is_whole=is_whole)
                until = self.now() + PREFIX_LIST_SECONDS
                self._lists[place, prefix_list_id] = _KeptList(found[prefix_list_id], seen_at, until)
        return found

    def _name(self, account_id: str | None, answers: Answers) -> str | None:
        if "alias" in answers:
            # ListAccountAliases does not say whose they are, and without a role our own account answers for all.
            aliases = answers["alias"].get("AccountAliases") if account_id in wire.read_owners(answers) else None
            self._aliases[account_id] = ((aliases or [None])[0], self.now() + ALIAS_SECONDS)
        return self.name_of(account_id)


_PAGED = {
    "groups": ("SecurityGroups", "the security groups"),
    "interfaces": ("NetworkInterfaces", "attached interfaces"),
    "entries_before": ("Entries", "the previous entries"),
    "entries_after": ("Entries", "the restored entries"),
}


def _cut_short(answers: Answers) -> Iterator[str]:
    """A sentence for each answer that is one page of several."""
    for key, answer in answers.items():
        listed, what = _PAGED.get(key, ("Entries", f"what is in prefix list {key.removeprefix(ENTRIES)}"))
        if answer.get("NextToken") and key != "rules":
            yield f"{what}: more than the {len(answer.get(listed, ())):,} that are listed"


def _result(question: Question, future: Future[Mapping[str, Any]]) -> Mapping[str, Any]:
    if not future.done():
        raise LookupFailed(question.call.action, "timed out")
    return future.result()
