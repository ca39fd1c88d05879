"""AWS's answers to the look-ups, read into our own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.cloudtrail.records import mapping, text
from chalicelib.security_groups.address_ranges import is_public, parse_range
from chalicelib.security_groups.lookup_result import GroupInfo, Interface, PrefixList, Rules
from chalicelib.security_groups.rules import Direction, SecurityGroupRule
from chalicelib.security_groups.wire_rules import read_ip_permissions, read_rule_set

AwsAnswer = Mapping[str, Any]


class CutShort(ValueError):  # noqa: N818 - it is no error of the program
    """The answer is one page of several; the text says how many things it holds."""


def read_groups(answer: AwsAnswer) -> dict[str, GroupInfo]:
    """The groups of a DescribeSecurityGroups answer by id."""
    return {item["GroupId"]: _group(item) for item in answer.get("SecurityGroups", ())}


def _group(item: AwsAnswer) -> GroupInfo:
    ingress = read_ip_permissions(item.get("IpPermissions"), Direction.INGRESS)
    egress = read_ip_permissions(item.get("IpPermissionsEgress"), Direction.EGRESS)
    return GroupInfo(
        id=item["GroupId"],
        name=item.get("GroupName"),
        vpc_id=item.get("VpcId"),
        description=item.get("Description"),
        tags={tag["Key"]: tag.get("Value", "") for tag in item.get("Tags", ())},
        rules=ingress.joined(egress).rules,
    )


def read_live_rules(answer: AwsAnswer) -> Rules:
    """The rules of a DescribeSecurityGroupRules answer.

    Raises:
        CutShort: there are more rules, or one that cannot be read.
    """
    reading = read_rule_set(list(answer.get("SecurityGroupRules", ())))
    if answer.get("NextToken"):
        raise CutShort(f"more than the {len(reading.rules):,} rules of one page")
    if reading.problems:
        raise CutShort(f"rules that cannot be read: {reading.problems[0]}")
    return with_tags(reading.rules)


def with_tags(rules: Iterable[SecurityGroupRule]) -> Rules:
    """Rules of DescribeSecurityGroupRules, which shows all tags: where it shows none there are none."""
    return tuple(rule if rule.tags is not None else rule._replace(tags=()) for rule in rules)


def read_interfaces(answer: AwsAnswer) -> tuple[Interface, ...]:
    """The interfaces of a DescribeNetworkInterfaces answer."""
    return tuple(_interface(item) for item in answer.get("NetworkInterfaces", ()))


def _interface(item: AwsAnswer) -> Interface:
    attachment = item.get("Attachment") or {}
    return Interface(
        id=item["NetworkInterfaceId"],
        group_ids=tuple(group["GroupId"] for group in item.get("Groups", ())),
        instance_id=attachment.get("InstanceId"),
        service=_service(item),
        public_addresses=tuple(dict.fromkeys(_public_addresses(item))),
    )


def _public_addresses(item: AwsAnswer) -> Iterable[str]:
    for place in (item, *item.get("PrivateIpAddresses", ())):
        address = (place.get("Association") or {}).get("PublicIp")
        if address:
            yield address
    for entry in item.get("Ipv6Addresses", ()):
        address = entry.get("Ipv6Address")
        parsed = parse_range(address) if address else None
        if parsed is not None and is_public(parsed):
            yield address


# How AWS services sign the interfaces that they make; the first that fits counts.
# https://docs.aws.amazon.com/vpc/latest/userguide/eni-service.html names the owners, the descriptions
# are those seen on their interfaces.
_SIGNATURES = (
    (re.compile(r"ELB (app|net|gwy)/(?P<name>[^/]+)/"), "load balancer {name}"),
    (re.compile(r"ELB (?P<name>\S+)"), "load balancer {name}"),
    (re.compile(r"RDSNetworkInterface"), "RDS"),
    (re.compile(r"AWS Lambda VPC ENI-(?P<name>.+?)(-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$"), "Lambda {name}"),
    (re.compile(r"VPC Endpoint Interface (?P<name>vpce-[0-9a-z]+)"), "VPC endpoint {name}"),
    (re.compile(r"arn:[a-z-]+:ecs:\S+:attachment/"), "ECS task"),
    (re.compile(r"ElastiCache (?P<name>\S+)"), "ElastiCache {name}"),
    (re.compile(r"EFS mount target for (?P<name>fs-[0-9a-z]+)"), "EFS {name}"),
    (re.compile(r"RedshiftNetworkInterface"), "Redshift"),
    (re.compile(r"Amazon EKS (?P<name>\S+)"), "EKS {name}"),
    (re.compile(r"Interface for NAT Gateway (?P<name>nat-[0-9a-z]+)"), "NAT gateway {name}"),
)


def _service(item: AwsAnswer) -> str | None:
    """What the interface belongs to, from its own fields; None for a plain one or one of an instance."""
    description = item.get("Description") or ""
    for pattern, form in _SIGNATURES:
        found = pattern.match(description)
        # Anybody may describe an interface of his own; only AWS's services have theirs managed by a requester.
        if found and (item.get("RequesterManaged") or item.get("RequesterId")):
            return form.format(**found.groupdict())
    kind = item.get("InterfaceType") or "interface"
    return None if kind in ("interface", "efa", "efa-only", "trunk", "branch") else str(kind).replace("_", " ")


def read_owners(answers: Mapping[str, AwsAnswer]) -> frozenset[str]:
    """The accounts whose groups, rules and interfaces were shown."""
    keys = ("SecurityGroups", "SecurityGroupRules", "NetworkInterfaces")
    shown = (item for answer in answers.values() for key in keys for item in answer.get(key, ()))
    owners = (item.get("OwnerId") or item.get("GroupOwnerId") for item in shown)
    return frozenset(owner for owner in owners if owner)


def read_prefix_lists(answer: AwsAnswer) -> dict[str, PrefixList]:
    """The lists of a DescribeManagedPrefixLists answer, whose entries it does not have; AWS's own belong to ``AWS``."""
    return {
        item["PrefixListId"]: PrefixList(
            item.get("PrefixListName"), item.get("OwnerId") == "AWS", (), is_whole=False, owner_id=item.get("OwnerId")
        )
        for item in answer.get("PrefixLists", ())
    }


def read_entries(answer: AwsAnswer) -> tuple[str, ...]:
    """The CIDRs of a GetManagedPrefixListEntries answer, which may be one page of several."""
    return tuple(item["Cidr"] for item in answer.get("Entries", ()))


def read_endpoint_groups(answer: AwsAnswer) -> tuple[str, ...]:
    """The groups of the one endpoint in a DescribeVpcEndpoints answer."""
    endpoints = answer.get("VpcEndpoints") or [{}]
    return tuple(group["GroupId"] for group in endpoints[0].get("Groups", ()))


def read_config_group(answer: AwsAnswer) -> GroupInfo | None:
    """The group as AWS Config recorded it last; None where it recorded nothing usable.

    The configuration is EC2's own answer, keys in lower camel case.
    https://docs.aws.amazon.com/config/latest/APIReference/API_GetResourceConfigHistory.html
    """
    recorded = _configuration(answer)
    if not recorded.get("groupId"):
        return None
    ingress = read_ip_permissions(_config_permissions(recorded.get("ipPermissions")), Direction.INGRESS)
    egress = read_ip_permissions(_config_permissions(recorded.get("ipPermissionsEgress")), Direction.EGRESS)
    if ingress.problems or egress.problems:
        return None
    tags = recorded.get("tags")
    return GroupInfo(
        id=recorded["groupId"],
        name=text(recorded.get("groupName")),
        vpc_id=text(recorded.get("vpcId")),
        description=text(recorded.get("description")),
        tags={tag["key"]: tag.get("value", "") for tag in tags} if isinstance(tags, list) else {},
        rules=ingress.joined(egress).rules,
    )


def read_config_group_ids(answer: AwsAnswer) -> tuple[str, ...] | None:
    """The groups of a network interface or an instance as AWS Config recorded it last."""
    recorded = _configuration(answer)
    groups = recorded.get("groups") if "groups" in recorded else recorded.get("securityGroups")
    if not isinstance(groups, list):
        return None
    return tuple(filter(None, (text(mapping(group).get("groupId")) for group in groups)))


def read_config_time(answer: AwsAnswer) -> str | None:
    """When AWS Config looked last, in words."""
    items = answer.get("configurationItems") or [{}]
    seen_at = items[0].get("configurationItemCaptureTime")
    return f"{seen_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(seen_at, datetime) else None


def _configuration(answer: AwsAnswer) -> Mapping[str, Any]:
    items = answer.get("configurationItems") or [{}]
    try:
        return mapping(json.loads(items[0].get("configuration") or "{}"))
    except ValueError:
        return {}


def _config_permissions(value: object) -> list[dict[str, Any]]:
    """Config spells IPv4 ranges twice: ``ipv4Ranges`` with descriptions, ``ipRanges`` as bare texts."""
    permissions = []
    for item in value if isinstance(value, list) else []:
        permission = dict(mapping(item))
        permission["ipRanges"] = permission.pop("ipv4Ranges", None) or permission.get("ipRanges")
        permissions.append(permission)
    return permissions
