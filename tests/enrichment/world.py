"""A group in the local cloud, the changes the AWS CLI makes to it, and what they truly did."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from chalicelib.alert.model import Alert, Changes
from chalicelib.enrichment.enrich import TAGS_NOT_SEEN
from chalicelib.enrichment.parse_answers import read_live_rules
from chalicelib.security_groups.ec2_format import to_ip_permissions
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, RuleDiff, SecurityGroupRule
from chalicelib.undo.from_lookups import rule_request
from chalicelib.undo.from_record import authorization, portions
from localcloud.cloud import LocalCloud
from tests.support.shell_aws import AwsShell

Rules = tuple[SecurityGroupRule, ...]

# What EC2 allows in descriptions, as far as it can hurt a shell.
DESCRIPTION_CHARS = "ab Z9._-:/()#,@[]+=&;{}!$*"
TEXTS = st.text(DESCRIPTION_CHARS, min_size=1, max_size=20).map(lambda text: text.strip() or "x")
DESCRIPTIONS = st.one_of(st.none(), TEXTS)
PEERS = st.sampled_from(
    [
        Peer(PeerType.IPV4, "0.0.0.0/0"),
        Peer(PeerType.IPV4, "10.0.0.0/8"),
        Peer(PeerType.IPV4, "203.0.113.0/24"),
        Peer(PeerType.IPV4, "198.51.100.7/32"),
        Peer(PeerType.IPV6, "::/0"),
        Peer(PeerType.IPV6, "2001:db8::/32"),
        Peer(PeerType.SECURITY_GROUP, "self"),
        Peer(PeerType.SECURITY_GROUP, "other"),
        Peer(PeerType.PREFIX_LIST, "list"),
    ]
)
PORTS = st.sampled_from([(22, 22), (443, 443), (1000, 2000), (0, 65535), (8080, 8081)])
# Tags of a rule's own.
RULE_TAGS = st.dictionaries(st.sampled_from(["why", "Ticket no."]), TEXTS, max_size=2).map(
    lambda tags: tuple(sorted(tags.items()))
)
SERVICES = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), PORTS),
    st.sampled_from([("-1", (None, None)), ("icmp", (8, -1)), ("icmp", (-1, -1)), ("47", (None, None))]),
)


@st.composite
def rules(draw: Any, direction: Direction | None = None) -> SecurityGroupRule:
    """A rule; its peer ``self``, ``other`` or ``list`` is still to be given an id."""
    protocol, (low, high) = draw(SERVICES)
    side = direction or draw(st.sampled_from(Direction))
    return SecurityGroupRule(side, protocol, low, high, draw(PEERS), draw(DESCRIPTIONS), tags=draw(RULE_TAGS))


def unique(listed: Iterable[SecurityGroupRule]) -> list[SecurityGroupRule]:
    """Each rule once, as AWS takes no duplicates."""
    return list({rule.identity: rule for rule in listed}.values())


@dataclass(frozen=True, slots=True)
class State:
    """A group as EC2 shows it, ids left out: what has to be the same after an undo."""

    name: str
    description: str
    vpc_id: str
    tags: tuple[tuple[str, str], ...]
    rules: frozenset[Any]
    rule_tags: frozenset[Any]


def contents(listed: Iterable[SecurityGroupRule]) -> frozenset[Any]:
    """The rules without their ids."""
    return frozenset((rule.identity, rule.description) for rule in listed)


def pairs(listed: Iterable[ModifiedRule]) -> frozenset[Any]:
    """The modified rules, each as what it was and what it is."""
    return frozenset(
        (item.before and (item.before.identity, item.before.description), item.after.identity, item.after.description)
        for item in listed
    )


class World:
    """A VPC with a peer group and a prefix list, in which groups are made and changed."""

    def __init__(self, cloud: LocalCloud, shell: AwsShell) -> None:
        self.cloud = cloud
        self.shell = shell
        self.ec2 = cloud.client("ec2")
        self.vpc_id = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.other = self.ec2.create_security_group(GroupName="peer", Description="peer", VpcId=self.vpc_id)["GroupId"]
        self.prefix_list = self.ec2.create_managed_prefix_list(
            PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "198.51.100.0/24"}]
        )["PrefixList"]["PrefixListId"]

    def new_group(self, listed: Iterable[SecurityGroupRule], tags: Mapping[str, str]) -> str:
        """A group with exactly these rules and tags."""
        answer = self.ec2.create_security_group(
            GroupName=f"g-{uuid.uuid4().hex[:12]}",
            Description="It's a 'group'".replace("'", ""),
            VpcId=self.vpc_id,
            TagSpecifications=[
                {"ResourceType": "security-group", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
            ]
            if tags
            else [],
        )
        group_id = str(answer["GroupId"])
        mine = [self.placed(rule, group_id) for rule in listed]
        default = {item.identity for item in self.rules(group_id)}
        for direction in Direction:
            authorize = getattr(self.ec2, f"authorize_security_group_{direction}")
            wanted = [rule for rule in mine if rule.direction is direction and rule.identity not in default]
            for rules_alike in portions(wanted):
                authorize(GroupId=group_id, **authorization(rules_alike))
        return group_id

    def placed(self, rule: SecurityGroupRule, group_id: str) -> SecurityGroupRule:
        """The rule with the ids that its peer stands for."""
        ids = {"self": group_id, "other": self.other, "list": self.prefix_list}
        value = ids.get(rule.peer.value, rule.peer.value)
        account = self.cloud.account_id if rule.peer.type is PeerType.SECURITY_GROUP else None
        return rule._replace(peer=rule.peer._replace(value=value, account_id=account))

    def rules(self, group_id: str) -> Rules:
        """The group's live rules."""
        return read_live_rules(
            self.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
        )

    def state(self, group_id: str) -> State:
        """The whole group."""
        (group,) = self.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
        listed = [
            rule._replace(peer=rule.peer._replace(value=self._own(rule, group_id))) for rule in self.rules(group_id)
        ]
        return State(
            name=group["GroupName"],
            description=group["Description"],
            vpc_id=group["VpcId"],
            tags=tuple(sorted((tag["Key"], tag["Value"]) for tag in group.get("Tags", ()))),
            rules=contents(listed),
            rule_tags=frozenset((rule.identity, frozenset(rule.tags or ())) for rule in listed),
        )

    def _own(self, rule: SecurityGroupRule, group_id: str) -> str:
        return "self" if rule.peer.value == group_id else rule.peer.value

    def group_named(self, name: str) -> str:
        """The id of the one group of this name."""
        (group,) = self.ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [self.vpc_id]}]
        )["SecurityGroups"]
        return str(group["GroupId"])

    def call(self, name: str, parameters: Mapping[str, Any], service: str = "ec2") -> dict[str, Any]:
        """One change made with the AWS CLI; gives its CloudTrail record."""
        done = self.shell.aws(service, name, "--cli-input-json", json.dumps(parameters))
        assert done.code == 0, done.err
        event_name = "".join(word.capitalize() for word in name.split("-"))
        return next(record for record in reversed(self.cloud.records) if record["eventName"] == event_name)


def true_difference(before: Rules, after: Rules) -> RuleDiff:
    """What changed between two readings, rule by rule id."""
    old, new = ({rule.id: rule for rule in listed} for listed in (before, after))
    return RuleDiff(
        added=tuple(rule for key, rule in new.items() if key not in old),
        removed=tuple(rule for key, rule in old.items() if key not in new),
        modified=tuple(
            ModifiedRule(old[key], new[key])
            for key in old
            if key in new and contents([old[key]]) != contents([new[key]])
        ),
    )


def assert_true(changes: Changes, truth: RuleDiff) -> None:
    """That an alert tells the true difference."""
    assert contents(changes.added) == contents(truth.added)
    assert contents(changes.removed) == contents(truth.removed)
    told = [
        item for item in changes.modified if item.before is None or contents([item.before]) != contents([item.after])
    ]
    assert pairs(told) == pairs(truth.modified)


CHANGES = (
    "revoke_by_id",
    "modify",
    "delete",
    "authorize",
    "revoke_by_value",
    "describe_by_value",
    "modify",
    "authorize",
    "describe_by_id",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One change to make: which kind, with what, and on which of the group's rules."""

    kind: str
    direction: Direction
    new: tuple[SecurityGroupRule, ...]
    picks: tuple[int, ...]
    description: str | None


@st.composite
def steps(draw: Any, kind: str | None = None) -> Step:
    """Any change of a kind, or of any."""
    direction = draw(st.sampled_from(Direction))
    return Step(
        kind or draw(st.sampled_from(CHANGES)),
        direction,
        tuple(unique(draw(st.lists(rules(direction), min_size=1, max_size=3)))),
        tuple(draw(st.lists(st.integers(0, 30), min_size=1, max_size=2, unique=True))),
        draw(DESCRIPTIONS),
    )


def request_of(step: Step, world: World, group_id: str) -> tuple[str, dict[str, Any]] | None:
    """The CLI command of a step and its parameters; None where the group has nothing to do it to."""
    live = world.rules(group_id)
    if step.kind != "authorize" and live and all(rule.direction is not step.direction for rule in live):
        step = replace(step, direction=live[0].direction or step.direction)
    same = [rule for rule in live if rule.direction is step.direction]
    taken = {rule.identity for rule in live}
    new = [world.placed(rule, group_id) for rule in step.new]
    new = [rule for rule in new if rule.identity not in taken]
    picked = list({same[pick % len(same)].id: same[pick % len(same)] for pick in step.picks}.values()) if same else []
    request: dict[str, Any] = {"GroupId": group_id}
    if step.kind == "delete":
        return "delete-security-group", request
    if step.kind == "authorize":
        name = f"authorize-security-group-{step.direction}"
        # All rules of a call get the same tags.
        return (name, request | authorization(tuple(new))) if new else None
    if not picked:
        return None
    return _on_rules(step, request, picked, new)


def _on_rules(
    step: Step, request: dict[str, Any], picked: list[SecurityGroupRule], new: list[SecurityGroupRule]
) -> tuple[str, dict[str, Any]] | None:
    ids = [rule.id for rule in picked]
    text = {"Description": step.description} if step.description else {}
    if step.kind == "revoke_by_id":
        return f"revoke-security-group-{step.direction}", request | {"SecurityGroupRuleIds": ids}
    if step.kind == "revoke_by_value":
        bare = [rule._replace(description=None) for rule in picked]
        return f"revoke-security-group-{step.direction}", request | {"IpPermissions": to_ip_permissions(bare)}
    if step.kind == "describe_by_id":
        described = [{"SecurityGroupRuleId": rule_id, **text} for rule_id in ids]
        name = f"update-security-group-rule-descriptions-{step.direction}"
        return name, request | {"SecurityGroupRuleDescriptions": described}
    if step.kind == "describe_by_value":
        renamed = [rule._replace(description=step.description) for rule in picked]
        name = f"update-security-group-rule-descriptions-{step.direction}"
        return name, request | {"IpPermissions": to_ip_permissions(renamed)}
    return _modification(request, picked, new)


def _modification(
    request: dict[str, Any], picked: list[SecurityGroupRule], new: list[SecurityGroupRule]
) -> tuple[str, dict[str, Any]] | None:
    updates: list[dict[str, Any]] = []
    for old, wanted in zip(picked, new, strict=False):
        # AWS lets nobody change the kind of a rule's peer.
        peer = wanted.peer if wanted.peer.type is old.peer.type else old.peer
        changed = wanted._replace(peer=peer)
        updates.append({"SecurityGroupRuleId": old.id, "SecurityGroupRule": rule_request(changed)})
    wanted_identities = [
        json.dumps({k: v for k, v in u["SecurityGroupRule"].items() if k != "Description"}) for u in updates
    ]
    if not updates or len(set(wanted_identities)) < len(updates):
        return None
    return "modify-security-group-rules", request | {"SecurityGroupRules": updates}


@contextmanager
def undone(world: World, alert: Alert, group_id: str, former: State) -> Iterator[str]:
    """Runs the alert's undo in a shell and gives the group's id after it; checks that all is as it was."""
    assert alert.undo.commands is not None, alert.undo.reason
    ran = world.shell.run(alert.undo.commands)
    assert ran.code == 0, (alert.undo.commands, ran.err)
    now = world.group_named(former.name) if alert.event.name == "DeleteSecurityGroup" else group_id
    after = world.state(now)
    if TAGS_NOT_SEEN in alert.unknowns:
        after = replace(after, rule_tags=former.rule_tags)
    assert after == former
    yield now
