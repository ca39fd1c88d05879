"""Asks the questions of one alert, all at once and against a deadline, and gathers what came back.

A look-up that fails or is late is a sentence in ``World.unknowns``; nothing here raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.changes import Change
from chalicelib.enrichment import wire
from chalicelib.enrichment.clients import LookupFailed, Reader
from chalicelib.enrichment.known import World
from chalicelib.enrichment.questions import MAX_CALLS, Plan, Question, alias, plan
from chalicelib.facts import PrefixList
from chalicelib.records import CloudTrailRecord

# What may be kept between alerts: names hardly change, lists seldom. Rules and interfaces never are.
PREFIX_LIST_SECONDS = 60.0
ALIAS_SECONDS = 3600.0

Answers = dict[str, Mapping[str, Any]]
Place = tuple[str | None, str | None]


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
    _lists: dict[tuple[Place, str], tuple[PrefixList, float]] = field(default_factory=dict)
    _aliases: dict[str | None, tuple[str | None, float]] = field(default_factory=dict)

    def look(self, record: CloudTrailRecord, change: Change) -> World:
        """What AWS says about the change's surroundings."""
        place = (record.account_id, record.region)
        asked = plan(record, change, with_config=self.with_config, is_cached=lambda item: self._cached(place, item))
        asked = self._with_alias(asked, record.account_id)
        answers, unknowns = self._ask(asked, place)
        world = replace(self._world(answers, place, unknowns), account_name=self._name(record.account_id, answers))
        return replace(world, unknowns=(*asked.given_up, *unknowns))

    def name_of(self, account_id: str | None) -> str | None:
        """The account's name as far as it is known without asking."""
        known = self._aliases.get(account_id)
        return self.account_names.get(account_id or "") or (known[0] if known else None)

    def _cached(self, place: Place, prefix_list_id: str) -> bool:
        known = self._lists.get((place, prefix_list_id))
        return known is not None and self.now() < known[1]

    def _with_alias(self, asked: Plan, account_id: str | None) -> Plan:
        known = self._aliases.get(account_id)
        is_named = account_id in self.account_names or (known is not None and self.now() < known[1])
        if is_named or not asked.questions or len(asked.questions) >= MAX_CALLS:
            return asked
        return replace(asked, questions=(*asked.questions, alias()))

    def _ask(self, asked: Plan, place: Place) -> tuple[Answers, list[str]]:
        if not asked.questions:
            return {}, []
        pool = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="look-up")
        futures = {question.key: pool.submit(self.reader, question.call, *place) for question in asked.questions}
        wait(futures.values(), timeout=self.timeout)
        pool.shutdown(wait=False, cancel_futures=True)
        answers: Answers = {}
        unknowns = []
        for question in asked.questions:
            try:
                answers[question.key] = _result(question, futures[question.key])
            except LookupFailed as error:
                unknowns.append(f"{question.lacks}: {error}")
        return answers, unknowns

    def _world(self, answers: Answers, place: Place, unknowns: list[str]) -> World:
        def read(key: str, reader: Callable[[Mapping[str, Any]], Any]) -> Any:
            try:
                return reader(answers[key]) if key in answers else None
            except wire.CutShort as error:
                unknowns.append(f"{_CUT.get(key, key)}: {error}")
                return None

        interfaces = read("interfaces", wire.read_interfaces)
        if answers.get("interfaces", {}).get("NextToken"):
            unknowns.append(f"attached interfaces: more than the {len(interfaces):,} that are listed")
        config = read("config", wire.read_config_group)
        return World(
            groups=read("groups", wire.read_groups),
            rules=read("rules", wire.read_live_rules),
            interfaces=interfaces,
            prefix_lists=self._prefix_lists(answers, place, read),
            config_rules=config.rules if config else None,
            config_group=config,
            config_group_ids=read("config", wire.read_config_group_ids),
            entries_before=read("entries_before", wire.read_entries),
            entries_after=read("entries_after", wire.read_entries),
            endpoint_groups=read("endpoint", wire.read_endpoint_groups),
        )

    def _prefix_lists(self, answers: Answers, place: Place, read: Callable[..., Any]) -> dict[str, PrefixList]:
        named = read("lists", wire.read_prefix_lists) or {}
        for key in answers:
            prefix_list_id = key.removeprefix("entries:")
            if prefix_list_id == key:
                continue
            cidrs = read(key, wire.read_entries)
            if cidrs is not None:
                name, aws_managed = named.get(prefix_list_id, (None, False))
                found = PrefixList(name, aws_managed, cidrs)
                self._lists[place, prefix_list_id] = (found, self.now() + PREFIX_LIST_SECONDS)
        fresh = {key[1]: known for key, (known, until) in self._lists.items() if key[0] == place and self.now() < until}
        # Of the others the name alone is known: one that AWS manages needs no look into it.
        managed = {key: PrefixList(name, True, ()) for key, (name, by_aws) in named.items() if by_aws}
        return {**managed, **fresh}

    def _name(self, account_id: str | None, answers: Answers) -> str | None:
        if "alias" in answers:
            # ListAccountAliases does not say whose they are, and without a role our own account answers for all.
            aliases = answers["alias"].get("AccountAliases") if account_id in wire.read_owners(answers) else None
            self._aliases[account_id] = ((aliases or [None])[0], self.now() + ALIAS_SECONDS)
        return self.name_of(account_id)


_CUT = {"rules": "live rules", "entries_before": "the former entries", "entries_after": "the restored entries"}


def _result(question: Question, future: Future[Mapping[str, Any]]) -> Mapping[str, Any]:
    if not future.done():
        raise LookupFailed(question.call.action, "timed out")
    return future.result()
