"""What an alert says of the group and of the prefix list: from the record, with what was looked up."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.alert.model import Attached, ChangedPrefixList, PrefixListUse, SecurityGroup
from chalicelib.alert.resolution import Resolution
from chalicelib.aws import console_links as console
from chalicelib.cloudtrail.catalog import Verb
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.lookup_result import Interface, LookupResult


def security_group(resolution: Resolution, region: str | None) -> SecurityGroup | None:
    """The group of a change; None where it is about a prefix list, or a resource with several groups."""
    change, group = resolution.resolved.change, resolution.group
    if change.prefix_list is not None or (change.attachment is not None and change.group_id is None):
        return None
    # An attachment's interfaces are those of the resource, and say nothing of the group's others.
    interfaces = resolution.looked_up.interfaces
    is_gone = change.succeeded and change.event.verb is Verb.DELETE
    return SecurityGroup(
        id=change.group_id,
        name=change.group_name,
        vpc_id=group.vpc_id if group else change.vpc_id,
        description=group.description if group else change.description,
        owner=resolution.owner,
        tags=dict(group.tags) if group else None,
        attached=None if interfaces is None else attached_of(interfaces),
        url=None if is_gone else console.security_group_url(change.group_id, region),
    )


def attached_of(interfaces: tuple[Interface, ...]) -> Attached:
    """What the interfaces belong to, each once."""
    return Attached(
        interfaces=tuple(item.id for item in interfaces),
        instances=tuple(dict.fromkeys(item.instance_id for item in interfaces if item.instance_id)),
        public_addresses=tuple(dict.fromkeys(address for item in interfaces for address in item.public_addresses)),
        services=tuple(dict.fromkeys(item.service for item in interfaces if item.service)),
    )


def changed_prefix_list(change: Change, looked_up: LookupResult) -> ChangedPrefixList | None:
    """The prefix list of a change, with the groups whose rules name it as far as they were looked up."""
    entries = change.prefix_list
    if entries is None:
        return None
    known = looked_up.prefix_lists.get(entries.prefix_list_id or "")
    return ChangedPrefixList(
        id=entries.prefix_list_id,
        name=known.name if known and known.name else entries.name,
        owner_id=known.owner_id if known and known.owner_id else entries.owner_id,
        version=entries.version,
        added=entries.entries,
        removed=entries.removed,
        used_by=tuple(dict.fromkeys(_uses(entries.prefix_list_id, looked_up))),
    )


def _uses(list_id: str | None, looked_up: LookupResult) -> Iterator[PrefixListUse]:
    for group in (looked_up.groups or {}).values():
        for rule in group.rules:
            if rule.peer.value == list_id:
                yield PrefixListUse(group.id, group.name, rule.direction)
