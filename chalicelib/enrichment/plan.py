"""Which look-ups an alert is worth: at most three, chosen by what the record leaves open.

What each event asks, and what it gives up for that, is in docs/enrichment.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.read_calls import Call
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.cloudtrail.records import CloudTrailRecord, mapping
from chalicelib.security_groups.changes import NOT_NAMED, VPC_ENDPOINT, Change
from chalicelib.security_groups.rules import PeerType, SecurityGroupRule
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other

MAX_CALLS = 3
# AWS takes 200 values in a filter: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
_MAX_VALUES = 200
_PAGE = 1000

# What the alert lacks where DescribeSecurityGroups did not describe the group.
_LABELS = "the group's name, description and tags"

# How the key of a question for a prefix list's present entries begins.
ENTRIES = "entries:"


@dataclass(frozen=True, slots=True)
class Question:
    """One look-up: ``key`` names its answer, ``lacks`` and ``topic`` what the alert lacks without it."""

    key: str
    lacks: str
    call: Call
    topic: UnknownTopic = UnknownTopic.OTHER


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """What is asked, and what will not be known because it is not."""

    questions: tuple[Question, ...] = ()
    given_up: tuple[Unknown, ...] = ()


def plan(
    record: CloudTrailRecord, change: Change, *, with_config: bool, is_cached: Callable[[str], bool]
) -> LookupPlan:
    """The look-ups for one change; ``is_cached`` says which prefix lists need none."""
    if not change.succeeded:
        return LookupPlan((_groups(change, ()),) if _is_named(change) else ())
    group = change.event.group
    if group is EventGroup.PREFIX_LISTS:
        return _for_prefix_list(record, change)
    if group is EventGroup.ATTACHMENTS:
        return _for_attachment(record, change, with_config=with_config)
    if not _is_named(change):
        return LookupPlan()
    if group is EventGroup.GROUPS:
        return _for_group(record, change, with_config=with_config)
    return _for_rules(record, change, with_config=with_config, is_cached=is_cached)


def changed_rules(change: Change) -> tuple[SecurityGroupRule, ...]:
    """Every rule that the change speaks of."""
    changes = change.changes
    after = (item.after for item in changes.modified)
    return (*changes.added, *after, *changes.removed, *changes.attempted)


def _is_named(change: Change) -> bool:
    return bool(change.group_id or change.group_name)


def _for_rules(
    record: CloudTrailRecord, change: Change, *, with_config: bool, is_cached: Callable[[str], bool]
) -> LookupPlan:
    if change.group_id is None:
        return LookupPlan((_groups(change, ()),))
    new = (*change.changes.added, *(item.after for item in change.changes.modified))
    lists = [rule.peer.value for rule in new if rule.peer.type is PeerType.PREFIX_LIST]
    lists = [item for item in dict.fromkeys(lists) if not is_cached(item)]
    rules = _rules(change.group_id)
    if lists:
        return LookupPlan((rules, _lists(lists), _entries(lists[0])), tuple(_given_up_for(lists)))
    if with_config and not change.changes.before_known:
        return LookupPlan((rules, _config(change.group_id, "AWS::EC2::SecurityGroup", record), _attached(change)))
    return LookupPlan((_groups(change, _referenced(change)), rules, _attached(change)))


def _given_up_for(lists: Sequence[str]) -> Iterator[Unknown]:
    taken = "not looked up, the prefix list took the calls"
    yield Unknown(UnknownTopic.GROUP_LABELS, f"{_LABELS}: {taken}")
    yield other(f"attached interfaces: {taken}")
    for item in lists[1:]:
        yield other(f"what is in prefix list {item}: not looked up, an alert has three calls")


def _for_group(record: CloudTrailRecord, change: Change, *, with_config: bool) -> LookupPlan:
    group_id = change.group_id
    if change.event.name == "DeleteSecurityGroup":
        # It is gone: nothing live is left to ask about.
        recorded = with_config and group_id
        return LookupPlan((_config(str(group_id), "AWS::EC2::SecurityGroup", record),) if recorded else ())
    if group_id is None:
        return LookupPlan((_groups(change, ()),))
    if change.event.name == "CreateSecurityGroup":
        return LookupPlan((_groups(change, ()), _rules(group_id)))
    return LookupPlan((_groups(change, ()), _attached(change)))


# How DescribeNetworkInterfaces finds the interfaces of a resource, and what AWS Config calls its kind.
INTERFACES_OF = {
    "network interface": ("network-interface-id", "AWS::EC2::NetworkInterface"),
    "instance": ("attachment.instance-id", "AWS::EC2::Instance"),
}
_LOAD_BALANCER = re.compile(r"arn:[a-z-]+:elasticloadbalancing:[^:]*:\d*:loadbalancer/(?P<path>.+)")


def _for_attachment(record: CloudTrailRecord, change: Change, *, with_config: bool) -> LookupPlan:
    attachment = change.attachment
    if attachment is None or change.changes.before_known:  # an endpoint whose groups were left alone
        return LookupPlan()
    named = (*(attachment.groups_after or ()), *change.detached)
    questions = [_groups_by_id(named, "what the groups are")] if named else []
    if attachment.resource_id == NOT_NAMED:
        return LookupPlan(tuple(questions))
    if attachment.resource_type in INTERFACES_OF:
        by, kind = INTERFACES_OF[attachment.resource_type]
        questions.append(_interfaces(by, attachment.resource_id))
        if with_config:
            questions.append(_config(attachment.resource_id, kind, record))
    elif attachment.resource_type == VPC_ENDPOINT:
        call = Call("ec2:DescribeVpcEndpoints", "describe_vpc_endpoints", {"VpcEndpointIds": [attachment.resource_id]})
        questions.append(Question("endpoint", f"the groups of {attachment.resource_id}", call))
    elif found := _LOAD_BALANCER.fullmatch(attachment.resource_id):
        questions.append(_interfaces("description", f"ELB {found['path']}"))
    return LookupPlan(tuple(questions))


def _request(record: CloudTrailRecord) -> Mapping[str, Any]:
    return mapping(record.request_parameters.get(f"{record.event_name}Request")) or record.request_parameters


def _for_prefix_list(record: CloudTrailRecord, change: Change) -> LookupPlan:
    entries = change.prefix_list
    if entries is None or entries.prefix_list_id in (None, NOT_NAMED):
        return LookupPlan()
    if entries.region not in (None, record.region):  # IPAM fills lists of other regions, too
        return LookupPlan()
    list_id = entries.prefix_list_id
    by_list = {"Name": "ip-permission.prefix-list-id", "Values": [list_id]}
    questions = [_describe_groups([by_list], f"which security groups {list_id} opens")]
    if entries.version is not None:
        questions.append(_entries(list_id, entries.version, "entries_before"))
    if entries.restored_version is not None:
        questions.append(_entries(list_id, entries.restored_version, "entries_after"))
    else:
        questions.append(_lists([list_id]))
    return LookupPlan(tuple(questions[:MAX_CALLS]))


def alias() -> Question:
    """The account's alias, asked where a call is left."""
    return Question("alias", "account name", Call("iam:ListAccountAliases", "list_account_aliases", {}, "iam"))


def _referenced(change: Change) -> tuple[str, ...]:
    peers = (rule.peer for rule in changed_rules(change))
    ids = (peer.value for peer in peers if peer.type is PeerType.SECURITY_GROUP and peer.value.startswith("sg-"))
    return tuple(dict.fromkeys(ids))


def _groups(change: Change, others: Iterable[str]) -> Question:
    if change.group_id is None:
        # A filter takes * and ? for any characters, and the caller chose the name.
        literal = re.sub(r"[*?\\]", r"\\\g<0>", change.group_name or "")
        return _describe_groups([{"Name": "group-name", "Values": [literal]}], _LABELS, UnknownTopic.GROUP_LABELS)
    return _groups_by_id((change.group_id, *others), _LABELS, UnknownTopic.GROUP_LABELS)


def _groups_by_id(group_ids: Iterable[str], lacks: str, topic: UnknownTopic = UnknownTopic.OTHER) -> Question:
    # By filter and not by id: one unknown id would make the whole call fail.
    values = list(dict.fromkeys(group_ids))[:_MAX_VALUES]
    return _describe_groups([{"Name": "group-id", "Values": values}], lacks, topic)


def _describe_groups(filters: list[Any], lacks: str, topic: UnknownTopic = UnknownTopic.OTHER) -> Question:
    parameters = {"Filters": filters, "MaxResults": _PAGE}
    call = Call("ec2:DescribeSecurityGroups", "describe_security_groups", parameters)
    return Question("groups", lacks, call, topic)


def _rules(group_id: str) -> Question:
    parameters = {"Filters": [{"Name": "group-id", "Values": [group_id]}], "MaxResults": _PAGE}
    call = Call("ec2:DescribeSecurityGroupRules", "describe_security_group_rules", parameters)
    return Question("rules", "live rules", call)


def _attached(change: Change) -> Question:
    return _interfaces("group-id", str(change.group_id))


def _interfaces(name: str, value: str) -> Question:
    parameters = {"Filters": [{"Name": name, "Values": [value]}], "MaxResults": _PAGE}
    call = Call("ec2:DescribeNetworkInterfaces", "describe_network_interfaces", parameters)
    return Question("interfaces", "attached interfaces", call)


def _lists(prefix_list_ids: list[str]) -> Question:
    by_id = {"Name": "prefix-list-id", "Values": prefix_list_ids[:_MAX_VALUES]}
    call = Call("ec2:DescribeManagedPrefixLists", "describe_managed_prefix_lists", {"Filters": [by_id]})
    return Question("lists", f"the name of prefix list {', '.join(prefix_list_ids)}", call)


def _entries(prefix_list_id: str, version: int | None = None, key: str | None = None) -> Question:
    parameters: dict[str, Any] = {"PrefixListId": prefix_list_id, "MaxResults": 100}
    lacks = f"what is in prefix list {prefix_list_id}"
    if version is not None:
        parameters["TargetVersion"] = version
        lacks = f"what was in version {version} of prefix list {prefix_list_id}"
    call = Call("ec2:GetManagedPrefixListEntries", "get_managed_prefix_list_entries", parameters)
    return Question(key or f"{ENTRIES}{prefix_list_id}", lacks, call)


def _config(resource_id: str, kind: str, record: CloudTrailRecord) -> Question:
    parameters: dict[str, Any] = {"resourceType": kind, "resourceId": resource_id, "limit": 1}
    if record.event_time is not None:
        parameters["laterTime"] = record.event_time
    call = Call("config:GetResourceConfigHistory", "get_resource_config_history", parameters, "config")
    return Question("config", "what AWS Config recorded before", call)
