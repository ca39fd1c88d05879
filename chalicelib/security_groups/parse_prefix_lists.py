"""What the calls that change a prefix list's meaning did: of its entries, its version, or what IPAM puts into it."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.cloudtrail.records import mapping, text
from chalicelib.security_groups.changes import (
    NOT_NAMED,
    Change,
    ListContents,
    NotUnderstood,
    PrefixListChange,
    PrefixListEntry,
)
from chalicelib.security_groups.parse_rule_calls import CallReader, Parameters
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other, unread_parts
from chalicelib.security_groups.wire_shapes import KeyNames, canonical, field, is_set, items, key_names


def _read_entries(change: Change, request: Parameters, response: Parameters) -> Change:
    """ModifyManagedPrefixList and RestoreManagedPrefixListVersion."""
    list_id = text(request.get("prefixListId"))
    added = [_entry(item, "cidr") for item in items(request.get("addEntries"))]
    removed = [_entry(item, "cidr") for item in items(request.get("removeEntries"))]
    if change.succeeded and not (list_id or added or removed):
        raise NotUnderstood(f"{change.event.name} carries nothing that can be read")
    unread = [f"an entry of {list_id or 'the list'} without a range" for entry in added if entry is None]
    unread += _unknown_keys("an entry", request.get("addEntries"), _ENTRY_KEYS)
    contents, answered = ListContents.ENTRIES, mapping(field(response, "prefixList"))
    renamed = text(request.get("prefixListName"))
    sync = request.get("ipamPrefixListResolverSyncEnabled")
    if change.event.name == "RestoreManagedPrefixListVersion":
        contents = ListContents.EARLIER_VERSION
    elif _is_on(sync):
        contents = ListContents.IPAM
    return _changed(
        change,
        PrefixListChange(
            list_id or NOT_NAMED,
            tuple(filter(None, added)),
            tuple(entry.cidr for entry in removed if entry),
            is_renamed=renamed is not None,
            contents=contents,
            version=_number(request.get("currentVersion")) or _version_before(answered),
            restored_version=_number(request.get("previousVersion")),
            name=(renamed if change.succeeded else None) or text(field(answered, "prefixListName")),
            owner_id=text(field(answered, "ownerId")),
            max_entries=_number(request.get("maxEntries")),
            ends_sync=is_set(sync) and not _is_on(sync),
        ),
        unread,
    )


def _version_before(answered: Parameters) -> int | None:
    # The answer comes before the new version is made: https://docs.aws.amazon.com/cli/latest/reference/ec2/modify-managed-prefix-list.html
    in_progress = (text(field(answered, "state")) or "").endswith("-in-progress")
    return _number(field(answered, "version")) if in_progress else None


_ENTRY_KEYS = key_names("cidr", "description")


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPrefixListResolverRuleRequest.html
_RESOLVER_RULE_KEYS = key_names("ruleType", "staticCidr", "ipamScopeId", "resourceType", "conditions")


def _unknown_keys(what: str, value: object, names: KeyNames) -> list[str]:
    """What the members of a list carry beside the keys that they are known to: it may be addresses, too."""
    keys = dict.fromkeys(key for item in items(value) for key in canonical(mapping(item), names).unknown)
    return [f"the key {printable(key, 60)} of {what}, which sgwatch does not know" for key in keys]


def _number(value: object) -> int | None:
    digits = text(value)
    return int(digits) if digits is not None and digits.isdecimal() and len(digits) <= 18 else None


def _entry(item: object, key: str) -> PrefixListEntry | None:
    cidr = text(field(mapping(item), key))
    return PrefixListEntry(cidr, text(field(mapping(item), "description"))) if cidr else None


def _is_on(value: object) -> bool:
    return is_set(value) and str(value).strip().lower() != "false"


def _read_target(change: Change, request: Parameters, response: Parameters) -> Change:
    """CreateIpamPrefixListResolverTarget and ModifyIpamPrefixListResolverTarget: IPAM fills the list from now on."""
    target = mapping(field(response, "ipamPrefixListResolverTarget"))
    target_id = text(request.get("ipamPrefixListResolverTargetId")) or text(
        field(target, "ipamPrefixListResolverTargetId")
    )
    resolver_id = text(request.get("ipamPrefixListResolverId")) or text(field(target, "ipamPrefixListResolverId"))
    list_id = text(request.get("prefixListId")) or text(field(target, "prefixListId"))
    if change.succeeded and not (list_id or target_id or resolver_id):
        raise NotUnderstood(f"{change.event.name} carries nothing that can be read")
    resolver = f"IPAM resolver target {target_id}" if target_id else _resolver(resolver_id)
    region = text(request.get("prefixListRegion")) or text(field(target, "prefixListRegion"))
    return _changed(change, PrefixListChange(list_id, contents=ListContents.IPAM, resolver=resolver, region=region), ())


def _resolver(resolver_id: str | None) -> str:
    return f"IPAM resolver {resolver_id}" if resolver_id else "an IPAM resolver that the record does not name"


def _read_resolver(change: Change, request: Parameters, _response: Parameters) -> Change:
    """ModifyIpamPrefixListResolver: the rules by which IPAM fills every list of the resolver."""
    resolver_id, rules = text(request.get("ipamPrefixListResolverId")), items(request.get("rules"))
    if change.succeeded and not (resolver_id or rules):
        raise NotUnderstood(f"{change.event.name} carries nothing that can be read")
    static = tuple(filter(None, (_entry(rule, "staticCidr") for rule in rules)))
    contents = ListContents.IPAM if is_set(request.get("rules")) else ListContents.ENTRIES
    resolver = _resolver(resolver_id)
    unread = _unknown_keys("a rule", request.get("rules"), _RESOLVER_RULE_KEYS)
    return _changed(change, PrefixListChange(None, static, contents=contents, resolver=resolver), unread)


def _changed(change: Change, prefix_list: PrefixListChange, unread: Iterable[str]) -> Change:
    named = prefix_list.prefix_list_id or f"the lists of {prefix_list.resolver}"
    if named == NOT_NAMED:
        named = "the list"
    where = f" in {prefix_list.region}" if prefix_list.region else ""
    unknowns = [Unknown(UnknownTopic.LIST_USERS, f"which security groups{where} use {named}: not in the record")]
    if prefix_list.contents is ListContents.IPAM and change.succeeded:
        unknowns.append(other(f"what is in {named} now: IPAM decides that, and the record does not list it"))
    unknowns += unread_parts("part of the request", unread)
    return change._replace(
        prefix_list=prefix_list,
        unknowns=(*change.unknowns, *unknowns),
        unread=(*change.unread, *(unread if change.succeeded else ())),
    )


PREFIX_LIST_READERS: dict[str, CallReader] = {
    "ModifyManagedPrefixList": _read_entries,
    "RestoreManagedPrefixListVersion": _read_entries,
    "CreateIpamPrefixListResolverTarget": _read_target,
    "ModifyIpamPrefixListResolverTarget": _read_target,
    "ModifyIpamPrefixListResolver": _read_resolver,
}
