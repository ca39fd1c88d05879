"""Security group rules, and what changed between two sets of them.

A rule is one direction, one protocol, one port range and one peer. Its identity leaves out the
description and the id, and is the same whichever of AWS's spellings the rule was read from.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chalicelib.named_tuple import NamedTuple

ALL_PROTOCOLS = "-1"
WITH_PORTS = frozenset({"tcp", "udp"})
ICMP = frozenset({"icmp", "icmpv6"})


class Direction(StrEnum):
    """Which way the traffic goes that a rule lets through."""

    INGRESS = "ingress"
    EGRESS = "egress"


class PeerType(StrEnum):
    """What stands at the other end of a rule."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    PREFIX_LIST = "prefix_list"
    SECURITY_GROUP = "security_group"


class Peer(NamedTuple):
    """The other end of a rule: a CIDR range, a prefix list id, a security group's id or (alone known) its name."""

    type: PeerType
    value: str
    account_id: str | None = None
    vpc_id: str | None = None

    def completed(self, other: Peer) -> Peer:
        """The peer with the account and the VPC that only another source of the same peer names."""
        if self == other or (self.type, self.value) != (other.type, other.value):
            return self
        return self._replace(account_id=self.account_id or other.account_id, vpc_id=self.vpc_id or other.vpc_id)


# Keys and values in AWS's order.
Tags = tuple[tuple[str, str], ...]
RuleIdentity = tuple[str, str, int | None, int | None, str, str]


class SecurityGroupRule(NamedTuple):
    """One security group rule.

    ``protocol`` is ``tcp``, ``udp``, ``icmp``, ``icmpv6``, another IANA number as text, or ``-1`` for
    all. Ports are None where the protocol has none; of ICMP they are type and code, -1 meaning all.
    ``direction`` is None where AWS did not say. ``tags`` are the rule's own, None where not known; they
    are not part of what the rule is, nor of the published alert, and rules that differ in them alone are equal.
    """

    direction: Direction | None
    protocol: str
    from_port: int | None
    to_port: int | None
    peer: Peer
    description: str | None = None
    id: str | None = None
    tags: Tags | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecurityGroupRule) and self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:-1])

    @property
    def identity(self) -> RuleIdentity:
        """What makes it this rule and no other: all but the description and the id.

        The account and VPC of a group peer are not in it: a group id is unique in itself, and
        CloudTrail names the account in some records of a rule and not in others.
        """
        low, high = self.ports
        return (self.direction or "", self.protocol, low, high, self.peer.type, self.peer.value)

    @property
    def ports(self) -> tuple[int | None, int | None]:
        """The port range with AWS's ways to say "all" made one: 0 to 65535, and -1 for ICMP."""
        low, high = self.from_port, self.to_port
        if self.protocol in WITH_PORTS:
            if low is None or low == -1:
                return (0, 65535)
            if high is None:
                return (low, low)
            return (low, 65535 if high == -1 else high)
        if self.protocol in ICMP:
            return (-1 if low is None else low, -1 if high is None else high)
        return (None, None)


class ModifiedRule(NamedTuple):
    """A rule that was one thing and is another now; ``before`` is None where its previous state is not known."""

    before: SecurityGroupRule | None
    after: SecurityGroupRule


class RuleDiff(NamedTuple):
    """What changed between two sets of rules, in AWS's order."""

    added: tuple[SecurityGroupRule, ...] = ()
    removed: tuple[SecurityGroupRule, ...] = ()
    modified: tuple[ModifiedRule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.modified)


def diff(before: Iterable[SecurityGroupRule], after: Iterable[SecurityGroupRule]) -> RuleDiff:
    """What has to change to make ``before`` into ``after``.

    A rule keeps its id through ModifySecurityGroupRules, so rules with the same id are compared with
    each other first; what is left is matched by identity.
    """
    old, new = list(before), list(after)
    pairs = _pairs(old, new)
    kept_old = {i for i, _ in pairs}
    kept_new = {j for _, j in pairs}
    return RuleDiff(
        added=tuple(rule for j, rule in enumerate(new) if j not in kept_new),
        removed=tuple(rule for i, rule in enumerate(old) if i not in kept_old),
        modified=tuple(ModifiedRule(old[i], new[j]) for i, j in pairs if _differ(old[i], new[j])),
    )


def _differ(old: SecurityGroupRule, new: SecurityGroupRule) -> bool:
    """Whether a rule reads differently: sources that leave out an id or spell ports otherwise do not count."""
    return old.identity != new.identity or old.description != new.description


def apply(rules: Iterable[SecurityGroupRule], change: RuleDiff) -> tuple[SecurityGroupRule, ...]:
    """The rules after a change: what stays in its old order, then what was added."""
    replacements = {item.before: item.after for item in change.modified if item.before is not None}
    gone = set(change.removed)
    kept = (replacements.get(rule, rule) for rule in rules if rule not in gone)
    return (*kept, *change.added)


def invert(change: RuleDiff) -> RuleDiff:
    """The change that takes this one back; a modified rule whose previous state is unknown is left out."""
    known = tuple(ModifiedRule(item.after, item.before) for item in change.modified if item.before is not None)
    return RuleDiff(added=change.removed, removed=change.added, modified=known)


def _pairs(old: list[SecurityGroupRule], new: list[SecurityGroupRule]) -> list[tuple[int, int]]:
    by_id = {rule.id: j for j, rule in enumerate(new) if rule.id is not None}
    pairs = [(i, by_id[rule.id]) for i, rule in enumerate(old) if rule.id in by_id]
    taken_old, taken_new = {i for i, _ in pairs}, {j for _, j in pairs}
    by_identity: dict[RuleIdentity, list[int]] = {}
    for j, rule in enumerate(new):
        if j not in taken_new:
            by_identity.setdefault(rule.identity, []).append(j)
    for i, rule in enumerate(old):
        waiting = by_identity.get(rule.identity)
        if i not in taken_old and waiting:
            pairs.append((i, waiting.pop(0)))
    return sorted(pairs)
