"""A security group in memory that is changed at random: its records, its live rules, and what each change truly did.

It costs no AWS calls, so that thousands of changes can be heard late, twice, in any order and with look-ups failing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from chalicelib.aws.read_calls import Call, LookupFailed
from chalicelib.enrichment.group_snapshots import DEFAULT_EGRESS, GroupKey
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from chalicelib.state.errors import StateError
from tests.support.memory_table import MemoryTable

KEY = GroupKey("123456789012", "eu-west-1", "sg-1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CIDRS = ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "203.0.113.0/24")
PORTS = ((22, 22), (443, 443), (20, 25))
KINDS = ("authorize", "authorize", "revoke", "modify", "modify", "describe")
Rules = tuple[SecurityGroupRule, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """One change: its record, and the group's rules before and after."""

    record: dict[str, Any]
    before: Rules
    after: Rules


@dataclass
class SimulatedGroup:
    """The group; as a reader it answers with its live rules, and fails as often as ``fault_rate`` says.

    ``steps`` are how many seconds may pass between two changes.
    """

    random: Random
    fault_rate: float = 0.0
    steps: tuple[int, ...] = (1, 5, 60)
    seconds: int = 0
    rules: Rules = ()
    made: int = 0
    happened: list[Happened] = field(default_factory=list)

    def __call__(self, call: Call, _account_id: str | None, _region: str | None) -> Mapping[str, Any]:
        if self.random.random() < self.fault_rate:
            raise LookupFailed(call.action, "RequestLimitExceeded")
        answers: dict[str, dict[str, Any]] = {
            "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}]},
            "describe_security_group_rules": {"SecurityGroupRules": [shown(rule) for rule in self.rules]},
        }
        return answers.get(call.method, {})

    def create(self) -> None:
        """Make the group."""
        self.rules = (DEFAULT_EGRESS._replace(id="sgr-e"),)
        self._note("CreateSecurityGroup", {"groupName": "web", "vpcId": "vpc-1"}, {"groupId": "sg-1"}, ())

    def change(self) -> None:
        """Do anything to it."""
        self.seconds += self.random.choice(self.steps)
        kind = self.random.choice(KINDS)
        if kind == "authorize":
            self._authorize()
        elif self.rules:
            {"revoke": self._revoke, "modify": self._modify, "describe": self._describe}[kind](
                self.random.choice(self.rules)
            )

    def _authorize(self) -> None:
        new = self._new(Direction.INGRESS)
        if new.identity in {rule.identity for rule in self.rules}:
            return
        answer = {"securityGroupRuleSet": {"items": [camel(shown(new))]}}
        before, self.rules = self.rules, (*self.rules, new)
        self._note("AuthorizeSecurityGroupIngress", {}, answer, before)

    def _revoke(self, rule: SecurityGroupRule) -> None:
        request = {"securityGroupRuleIds": {"items": [{"securityGroupRuleId": rule.id}]}}
        answer = {"revokedSecurityGroupRuleSet": {"items": [camel(shown(rule))]}} if self.random.random() < 0.5 else {}
        before, self.rules = self.rules, tuple(item for item in self.rules if item is not rule)
        self._note(f"RevokeSecurityGroup{str(rule.direction).capitalize()}", request, answer, before)

    def _modify(self, rule: SecurityGroupRule) -> None:
        new = self._new(rule.direction)._replace(id=rule.id)
        if new.identity in {item.identity for item in self.rules if item is not rule}:
            return
        values = {key: value for key, value in shown(new).items() if key not in ("SecurityGroupRuleId", "IsEgress")}
        update = {"SecurityGroupRuleId": rule.id, "SecurityGroupRule": values}
        request = {"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": update}}
        self._replace(rule, new, "ModifySecurityGroupRules", request)

    def _describe(self, rule: SecurityGroupRule) -> None:
        new = rule._replace(description=self.random.choice((None, "x", "y")))
        name = f"UpdateSecurityGroupRuleDescriptions{str(rule.direction).capitalize()}"
        described = {"SecurityGroupRuleId": rule.id, **({"Description": new.description} if new.description else {})}
        request = {f"{name}Request": {"GroupId": "sg-1", "SecurityGroupRuleDescription": described}}
        self._replace(rule, new, name, request)

    def _replace(self, old: SecurityGroupRule, new: SecurityGroupRule, name: str, request: dict[str, Any]) -> None:
        before, self.rules = self.rules, tuple(new if rule is old else rule for rule in self.rules)
        self._note(name, request, {}, before)

    def _new(self, direction: Direction | None) -> SecurityGroupRule:
        self.made += 1
        low, high = self.random.choice(PORTS)
        peer = Peer(PeerType.IPV4, self.random.choice(CIDRS))
        description = self.random.choice((None, "a", "b"))
        return SecurityGroupRule(direction, "tcp", low, high, peer, description, f"sgr-{self.made}")

    def _note(self, name: str, request: dict[str, Any], answer: dict[str, Any], before: Rules) -> None:
        record = {
            "eventID": str(len(self.happened)),
            "eventName": name,
            "eventSource": "ec2.amazonaws.com",
            "eventTime": f"{NOON + timedelta(seconds=self.seconds):%Y-%m-%dT%H:%M:%SZ}",
            "awsRegion": KEY.region,
            "recipientAccountId": KEY.account_id,
            "requestParameters": {"groupId": "sg-1", **request},
            "responseElements": {"_return": True, **answer},
        }
        self.happened.append(Happened(record, before, self.rules))


class FailingTable(MemoryTable):
    """A state table that fails as often as ``fault_rate`` says."""

    def __init__(self, random: Random, fault_rate: float) -> None:
        super().__init__()
        self._random = random
        self._fault_rate = fault_rate

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        """Write the item, perhaps."""
        if self._random.random() < self._fault_rate:
            raise StateError("ThrottlingException on dynamodb:PutItem", "ThrottlingException")
        super().put_revision(item, seen)


def shown(rule: SecurityGroupRule) -> dict[str, Any]:
    """The rule as DescribeSecurityGroupRules shows it."""
    low, high = rule.ports
    described = {"Description": rule.description} if rule.description else {}
    return {
        "SecurityGroupRuleId": rule.id,
        "IsEgress": rule.direction is Direction.EGRESS,
        "IpProtocol": rule.protocol,
        "FromPort": -1 if low is None else low,
        "ToPort": -1 if high is None else high,
        "CidrIpv4": rule.peer.value,
        **described,
    }


def camel(item: Mapping[str, Any]) -> dict[str, Any]:
    """The same as CloudTrail writes it."""
    return {key[0].lower() + key[1:]: value for key, value in item.items()}
