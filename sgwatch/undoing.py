"""Whether a change can still be taken back as its alert says, judged by what is live now."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.alert.model import Alert, AlertKind, Attachment
from chalicelib.aws.read_calls import Call, Reader
from chalicelib.cloudtrail.catalog import EventGroup, lookup
from chalicelib.enrichment.before import reflects
from chalicelib.enrichment.group_snapshots import is_default
from chalicelib.enrichment.parse_answers import read_endpoint_groups, read_groups, read_interfaces, read_live_rules
from chalicelib.enrichment.replay_changes import find
from chalicelib.security_groups.changes import Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import GroupInfo, Rules
from chalicelib.security_groups.phrases import printable, rule_phrase
from chalicelib.security_groups.rules import SecurityGroupRule
from chalicelib.text import number_of


class CannotUndo(Exception):  # noqa: N818 - a sentence for people, no error of the program
    """The change cannot be taken back now; the text says why, ``live`` how things differ from what the alert left."""

    def __init__(self, reason: str, live: Sequence[str] = ()) -> None:
        self.live = tuple(live)
        super().__init__(reason)


def live_difference(alert: Alert) -> list[str]:
    """What undoing changes, a line for each rule or list of groups."""
    changes = alert.changes
    lines = [f"- {_shown(rule)}" for rule in changes.added]
    lines += [f"+ {_shown(rule)}" for rule in changes.removed]
    lines += [
        f"~ {_shown(item.after)}  becomes  {_shown(item.before)}"
        for item in changes.modified
        if item.before is not None
    ]
    attachment = alert.attachment
    if attachment is not None and attachment.groups_before is not None:
        before, after = _listed(attachment.groups_before), _listed(attachment.groups_after or ())
        lines.append(f"~ {attachment.resource_id}: {after}  becomes  {before}")
    name = alert.event.name or "the call"
    return lines or [f"~ what {printable(name, 80)} did"]


def _shown(rule: SecurityGroupRule) -> str:
    described = f' "{printable(rule.description, 255)}"' if rule.description else ""
    return f"{rule_phrase(rule)}{described}"


def _listed(groups: Sequence[str]) -> str:
    return ", ".join(groups) or "no group"


def check_unchanged(alert: Alert, read: Reader) -> None:
    """Ask AWS whether the change still stands as it was made.

    Raises:
        CannotUndo: it does not, something changed again since.
        LookupFailed: AWS gave no answer.
    """

    def ask(call: Call) -> Mapping[str, Any]:
        return read(call, alert.account.id, alert.region)

    event = lookup(alert.event.source, alert.event.name)
    if alert.kind is AlertKind.DRIFT:
        # No call is known: the rules as they were found are what has to stand.
        event = lookup("ec2.amazonaws.com", "ModifySecurityGroupRules")
    group_id = alert.security_group.id if alert.security_group else None
    if event is None:
        raise CannotUndo("the alert is of no change of a security group")
    if alert.attachment is not None:
        _check_attachment(alert.attachment, ask)
    elif event.name == "DeleteSecurityGroup":
        _check_deleted(alert, ask)
    elif group_id is not None and event.name.endswith("SecurityGroupVpc"):
        _check_association(group_id, _associated_vpc(alert), event.name, ask)
    elif event.group is EventGroup.TAMPER:
        return  # what was stopped is started, which does no harm where it runs already
    elif group_id is not None:
        _check_rules(Change(event, Outcome.SUCCEEDED, group_id, changes=alert.changes), ask)
    elif event.group is not EventGroup.PREFIX_LISTS:  # of a list AWS itself compares the version
        raise CannotUndo("the alert does not name the group's id, so whether it changed again cannot be checked")


ReadAws = Callable[[Call], Mapping[str, Any]]


def _check_rules(change: Change, ask: ReadAws) -> None:
    by_group = {"Name": "group-id", "Values": [change.group_id]}
    group = Call("ec2:DescribeSecurityGroups", "describe_security_groups", {"Filters": [by_group]})
    if not read_groups(ask(group)):
        raise CannotUndo(f"the security group {change.group_id} does not exist any more")
    call = Call("ec2:DescribeSecurityGroupRules", "describe_security_group_rules", {"Filters": [by_group]})
    live = read_live_rules(ask(call))
    if not _still_stands(change, live):
        raise CannotUndo(
            f"the security group {change.group_id} has changed again since: look at it first",
            _against_live(change.changes, live),
        )


def _still_stands(change: Change, live: Rules) -> bool:
    if change.event.name == "CreateSecurityGroup":
        return not any(rule.direction == "ingress" for rule in live)
    expected = change.changes.rules_after
    stands = reflects(change._replace(rule_ids=()), live) and not _back(change.changes, live)
    return stands and expected in (None, len(live))


def _back(changes: Changes, live: Rules) -> list[SecurityGroupRule]:
    """The removed rules that are there again, under new ids: AWS has no two rules that allow the same."""
    allowed = {rule.identity for rule in live}
    return [rule for rule in changes.removed if rule.identity in allowed]


def _against_live(changes: Changes, live: Rules) -> list[str]:
    """How the live rules differ from those that the alert left, as far as it names them."""
    lines = []
    for rule in (*changes.added, *(item.after for item in changes.modified)):
        place = find(live, rule, None)
        if place is None:
            lines.append(f"live: {_shown(rule)} is there no more")
        elif _shown(live[place]) != _shown(rule):
            lines.append(f"live: {_shown(rule)} is now {_shown(live[place])}")
    lines += [f"live: {_shown(rule)} is there again" for rule in _back(changes, live)]
    if changes.rules_after not in (None, len(live)):
        lines.append(f"live: {number_of(len(live), 'rule')}, and {changes.rules_after} after the change")
    return lines or [f"live: {_shown(rule)}" for rule in live]


def _check_deleted(alert: Alert, ask: ReadAws) -> None:
    group = alert.security_group
    filters = [
        {"Name": name, "Values": [value]}
        for name, value in (("group-name", group and group.name), ("vpc-id", group and group.vpc_id))
        if value
    ]
    call = Call("ec2:DescribeSecurityGroups", "describe_security_groups", {"Filters": filters})
    found = read_groups(ask(call)) if filters else {}
    if any(not _may_be_ours(item, alert) for item in found.values()):
        raise CannotUndo("a security group of the same name exists again", [f"live: {_listed(list(found))}"])


def _may_be_ours(live: GroupInfo, alert: Alert) -> bool:
    """Whether an undo that did not come to its end may have made it: the old group with some of its rules missing."""
    group = alert.security_group
    wanted = {rule.identity for rule in alert.changes.removed}
    there = {rule.identity for rule in live.rules}
    is_same = group is not None and live.description == group.description
    return is_same and there != wanted and all(rule.identity in wanted or is_default(rule) for rule in live.rules)


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupVpcAssociation.html
_ASSOCIATED = frozenset({"associating", "associated", "disassociation-failed"})


def _associated_vpc(alert: Alert) -> str:
    """The VPC of an association, which only the alert's command holds."""
    words = [word for command in alert.undo.commands or () for word in shlex.split(command)]
    if "--vpc-id" not in words[:-1]:
        raise CannotUndo("the alert does not name its VPC")
    return words[words.index("--vpc-id") + 1]


def _check_association(group_id: str, vpc_id: str, event_name: str, ask: ReadAws) -> None:
    by_both = [{"Name": "group-id", "Values": [group_id]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    call = Call(
        "ec2:DescribeSecurityGroupVpcAssociations",
        "describe_security_group_vpc_associations",
        {"Filters": by_both},
    )
    states = [str(item.get("State")) for item in ask(call).get("SecurityGroupVpcAssociations", ())]
    is_associated = any(state in _ASSOCIATED for state in states)
    if is_associated != (event_name == "AssociateSecurityGroupVpc"):
        raise CannotUndo(
            f"the association of {group_id} with {vpc_id} has changed again since",
            [f"live: {', '.join(states) or 'not associated'}"],
        )


def _groups_of_interface(resource_id: str, ask: ReadAws) -> list[tuple[str, ...]]:
    by_id = {"Filters": [{"Name": "network-interface-id", "Values": [resource_id]}]}
    call = Call("ec2:DescribeNetworkInterfaces", "describe_network_interfaces", by_id)
    return [item.group_ids for item in read_interfaces(ask(call))]


def _groups_of_instance(resource_id: str, ask: ReadAws) -> list[tuple[str, ...]]:
    by_id = {"Filters": [{"Name": "instance-id", "Values": [resource_id]}]}
    call = Call("ec2:DescribeInstances", "describe_instances", by_id)
    found = (item for each in ask(call).get("Reservations", ()) for item in each.get("Instances", ()))
    return [tuple(group["GroupId"] for group in item.get("SecurityGroups", ())) for item in found]


def _groups_of_endpoint(resource_id: str, ask: ReadAws) -> list[tuple[str, ...]]:
    call = Call("ec2:DescribeVpcEndpoints", "describe_vpc_endpoints", {"VpcEndpointIds": [resource_id]})
    return [read_endpoint_groups(ask(call))]


def _groups_of_load_balancer(resource_id: str, ask: ReadAws) -> list[tuple[str, ...]]:
    arns = {"LoadBalancerArns": [resource_id]}
    call = Call("elasticloadbalancing:DescribeLoadBalancers", "describe_load_balancers", arns, "elbv2")
    return [tuple(item.get("SecurityGroups", ())) for item in ask(call).get("LoadBalancers", ())]


_LIVE_GROUPS: Mapping[str, Callable[[str, ReadAws], list[tuple[str, ...]]]] = {
    "network interface": _groups_of_interface,
    "instance": _groups_of_instance,
    "load balancer": _groups_of_load_balancer,
    "VPC endpoint": _groups_of_endpoint,
}


def _check_attachment(attachment: Attachment, ask: ReadAws) -> None:
    live = _LIVE_GROUPS[attachment.resource_type](attachment.resource_id, ask)
    if not any(set(groups) == set(attachment.groups_after or ()) for groups in live):
        now = "; ".join(map(_listed, live)) or "it is not there"
        raise CannotUndo(
            f"the groups of {attachment.resource_id} have changed again since: look at it first",
            [f"live: {now}", f"after the change: {_listed(attachment.groups_after or ())}"],
        )
