"""Of changes made so fast that every look-up shows the state after all of them, one at least is reported in full."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.cloudtrail.catalog import lookup
from chalicelib.cloudtrail.records import read_record
from chalicelib.exposure.judge import judge, severity_of
from chalicelib.security_groups.changes import Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Severity
from tests.support import records as r
from tests.support.examples import examples

LIST = r.LIST_ID
HALVES = {"0.0.0.0/0": {0, 1}, "0.0.0.0/1": {0}, "128.0.0.0/1": {1}}
RANGES = (*HALVES, "10.0.0.0/8")
RISKY = (20, 22)


def rule(peer: str, ports: tuple[int, int]) -> SecurityGroupRule:
    kind = PeerType.PREFIX_LIST if peer == LIST else PeerType.IPV4
    return SecurityGroupRule(Direction.INGRESS, "tcp", *ports, Peer(kind, peer))


RULES = st.builds(rule, st.sampled_from((*RANGES, LIST)), st.sampled_from(((22, 22), (20, 25), (443, 443))))


@dataclass
class State:
    """A group and the list that its rules may name, with the changes that made them so."""

    rules: list[SecurityGroupRule]
    entries: list[str] = field(default_factory=lambda: ["10.0.0.0/8"])
    made: list[tuple[Change, Any]] = field(default_factory=list)

    def add(self, new: SecurityGroupRule) -> None:
        self._made("AuthorizeSecurityGroupIngress", Changes(added=(new,)))
        self.rules.append(new)

    def modify(self, place: int, new: SecurityGroupRule) -> None:
        was = self.rules[place]
        self._made("ModifySecurityGroupRules", Changes(modified=(ModifiedRule(was, new),)))
        self.rules[place] = new

    def extend(self, cidr: str) -> None:
        request = {"PrefixListId": LIST, "AddEntry": {"Cidr": cidr}}
        change = read_change(read_record(r.wrapped("ModifyManagedPrefixList", request)))
        self.made.append((change, tuple(self.entries)))
        self.entries.append(cidr)

    def _made(self, name: str, changes: Changes) -> None:
        event = lookup("ec2.amazonaws.com", name)
        assert event is not None
        self.made.append((Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=changes), tuple(self.rules)))

    def open_to(self) -> set[tuple[int, int]]:
        """Halves of the internet by the risky port that they can use."""
        ranges = [(each, self.entries if each.peer.value == LIST else [each.peer.value]) for each in self.rules]
        return {
            (half, port)
            for each, cidrs in ranges
            for cidr in cidrs
            for half in HALVES.get(cidr, ())
            for port in RISKY
            if (each.from_port or 0) <= port <= (each.to_port or 0)
        }

    def severities(self, *, guessed: bool) -> list[Severity]:
        """Of each change, with look-ups that show the state now."""
        known = PrefixList("corp", aws_managed=False, cidrs=tuple(self.entries), owner_id=r.ACCOUNT)
        looked_up = LookupResult(prefix_lists={LIST: known})
        found = []
        for change, before in self.made:
            if change.prefix_list is not None:
                groups = {r.GROUP_ID: GroupInfo(r.GROUP_ID, "web", rules=tuple(self.rules))}
                resolved, seen = ResolvedChange(change), looked_up._replace(groups=groups, entries_before=before)
            else:
                rules = self._undone(change) if guessed else before
                resolved = ResolvedChange(change, rules, is_whole=True, is_guessed=guessed)
                seen = looked_up
            found.append(severity_of(judge(resolved, seen, by_root=False, account_id=r.ACCOUNT)))
        return found

    def _undone(self, change: Change) -> tuple[SecurityGroupRule, ...]:
        modified = change.changes.modified
        gone = {each.identity for each in (*change.changes.added, *(item.after for item in modified))}
        was = [item.before for item in modified if item.before is not None]
        return (*(each for each in self.rules if each.identity not in gone), *was)


@settings(max_examples=examples(2000), deadline=None)
@given(st.data())
def test_one_of_several_changes_at_once_is_reported_in_full(data: st.DataObject) -> None:
    state = State([data.draw(RULES)])
    had = state.open_to()
    for _ in range(data.draw(st.integers(1, 4))):
        new, cidr = data.draw(RULES), data.draw(st.sampled_from(RANGES))
        is_there = any(each.identity == new.identity for each in state.rules)
        match data.draw(st.sampled_from(("add", "modify", "extend"))):
            case "add" if not is_there:
                state.add(new)
            case "modify" if not is_there:
                state.modify(data.draw(st.integers(0, len(state.rules) - 1)), new)
            case "extend" if cidr not in state.entries:
                state.extend(cidr)
    if state.open_to() - had:
        for guessed in (False, True):
            assert Severity.CRITICAL in state.severities(guessed=guessed)
