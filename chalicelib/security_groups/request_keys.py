"""The parameters that each watched call may carry, in CloudTrail's spelling.

A request may carry what this table does not know: AWS adds parameters. Such a key is named in the alert, since it
may be what the call was made for. tests/security_groups/test_request_keys.py holds the table to AWS's own models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.cloudtrail.catalog import Verb, WatchedEvent
from chalicelib.security_groups.wire_shapes import Canonical, KeyNames, canonical, fold, items, key_names

# A plural, a number and "Set" at the end make no other key: wire_shapes.fold takes them away.
# The short form: one rule whose protocol, ports and peer stand beside the group's id. EC2 has no cidrIpv6 there.
_FLAT = ("ipProtocol", "fromPort", "toPort", "cidrIp", "cidrIpv6", "sourceSecurityGroupName")
_SOURCE = ("sourceSecurityGroupId", "sourceSecurityGroupOwnerId")
_TAGS = "tagSpecificationSet"
_RULES = ("groupId", "groupName", "ipPermissions", "dryRun", *_FLAT)
_AUTHORIZE = key_names(*_RULES, *_SOURCE, _TAGS)
_REVOKE = key_names(*_RULES, *_SOURCE, "securityGroupRuleIds")
_DESCRIBE = key_names("groupId", "groupName", "ipPermissions", "dryRun", "securityGroupRuleDescriptions")
_ASSOCIATE = key_names("groupId", "vpcId", "dryRun")
# However a resource's new groups are called: botocore, the query protocol, CloudTrail and tables differ.
_GROUPS = {
    "groupSet": ("groupId", "securityGroups", "securityGroupId"),
}
_LIST_TARGET = ("dryRun", "desiredVersion", "trackLatestVersion", "clientToken")

REQUEST_KEYS: Mapping[str, KeyNames] = {
    "AuthorizeSecurityGroupIngress": _AUTHORIZE,
    "AuthorizeSecurityGroupEgress": _AUTHORIZE,
    "RevokeSecurityGroupIngress": _REVOKE,
    "RevokeSecurityGroupEgress": _REVOKE,
    "ModifySecurityGroupRules": key_names("groupId", "dryRun", "securityGroupRules"),
    "UpdateSecurityGroupRuleDescriptionsIngress": _DESCRIBE,
    "UpdateSecurityGroupRuleDescriptionsEgress": _DESCRIBE,
    "CreateSecurityGroup": key_names("groupName", "vpcId", "dryRun", _TAGS, groupDescription=("description",)),
    "DeleteSecurityGroup": key_names("groupId", "groupName", "dryRun"),
    "AssociateSecurityGroupVpc": _ASSOCIATE,
    "DisassociateSecurityGroupVpc": _ASSOCIATE,
    "ModifyNetworkInterfaceAttribute": key_names(
        *("networkInterfaceId", "description", "sourceDestCheck", "attachment", "dryRun", "enaSrdSpecification"),
        *("enablePrimaryIpv6", "connectionTrackingSpecification", "associatePublicIpAddress", "associatedSubnetIds"),
        **_GROUPS,
    ),
    "ModifyInstanceAttribute": key_names(
        *("instanceId", "attribute", "value", "dryRun", "sourceDestCheck", "enclaveOptions", "disableApiStop"),
        *("disableApiTermination", "instanceType", "kernel", "ramdisk", "userData", "ebsOptimized", "enaSupport"),
        *("instanceInitiatedShutdownBehavior", "sriovNetSupport", "blockDeviceMapping"),
        **_GROUPS,
    ),
    "ModifyVpcEndpoint": key_names(
        *("vpcEndpointId", "dryRun", "resetPolicy", "policyDocument", "ipAddressType", "dnsOptions"),
        *("privateDnsEnabled", "subnetConfigurations", "addRouteTableIds", "removeRouteTableIds", "addSubnetIds"),
        "removeSubnetIds",
        addSecurityGroupIds=("addSecurityGroups", "addGroupId"),
        removeSecurityGroupIds=("removeSecurityGroups", "removeGroupId"),
    ),
    "ModifyInstanceConnectEndpoint": key_names(
        "instanceConnectEndpointId", "ipAddressType", "preserveClientIp", "dryRun", **_GROUPS
    ),
    "ModifyClientVpnEndpoint": key_names(
        *("clientVpnEndpointId", "vpcId", "dryRun", "serverCertificateArn", "connectionLogOptions", "dnsServers"),
        *("vpnPort", "description", "splitTunnel", "selfServicePortal", "clientConnectOptions", "sessionTimeoutHours"),
        *("clientLoginBannerOptions", "clientRouteEnforcementOptions", "disconnectOnSessionTimeout"),
        *("transitGatewayConfiguration", "devicePostureOptions"),
        **_GROUPS,
    ),
    "ApplySecurityGroupsToClientVpnTargetNetwork": key_names("clientVpnEndpointId", "vpcId", "dryRun", **_GROUPS),
    "SetSecurityGroups": key_names(
        "loadBalancerArn", "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic", **_GROUPS
    ),
    "ApplySecurityGroupsToLoadBalancer": key_names("loadBalancerName", **_GROUPS),
    "ModifyManagedPrefixList": key_names(
        *("prefixListId", "currentVersion", "prefixListName", "maxEntries", "dryRun"),
        "ipamPrefixListResolverSyncEnabled",
        addEntries=("addEntry",),
        removeEntries=("removeEntry",),
    ),
    "RestoreManagedPrefixListVersion": key_names("prefixListId", "previousVersion", "currentVersion", "dryRun"),
    "CreateIpamPrefixListResolverTarget": key_names(
        "ipamPrefixListResolverId", "prefixListId", "prefixListRegion", *_LIST_TARGET, _TAGS
    ),
    "ModifyIpamPrefixListResolverTarget": key_names("ipamPrefixListResolverTargetId", *_LIST_TARGET),
    "ModifyIpamPrefixListResolver": key_names("ipamPrefixListResolverId", "description", "dryRun", "rules"),
}

# What these calls do can only close, or is only words.
_NEVER_OPENS = frozenset({Verb.REVOKE, Verb.DESCRIBE, Verb.DELETE, Verb.DISASSOCIATE})


def may_open(event: WatchedEvent) -> bool:
    """Whether a parameter that is not known may make this call open something."""
    return event.verb not in _NEVER_OPENS


def unwrapped(name: str | None, parameters: Mapping[str, Any], ending: str = "Request") -> Mapping[str, Any]:
    """The parameters themselves; some calls have them one level down, under the call's name."""
    wanted = {fold(f"{name}{ending}"), fold(ending)}
    for key, inner in parameters.items():
        if fold(str(key)) in wanted and isinstance(inner, Mapping):
            beside = {other: value for other, value in parameters.items() if other != key}
            both = (other for other in beside.keys() & inner.keys() if beside[other] != inner[other])
            twice = {other: [*items(beside[other]), *items(inner[other])] for other in both}
            return {**beside, **inner, **twice}
    return parameters


def read_request(event: WatchedEvent, parameters: Mapping[str, Any]) -> Canonical:
    """A call's parameters under their canonical names, out of the wrapper if there is one."""
    return canonical(unwrapped(event.name, parameters), REQUEST_KEYS[event.name])
