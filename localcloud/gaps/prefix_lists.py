"""ModifyManagedPrefixList and RestoreManagedPrefixListVersion on moto's own lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest


def _list_of(call: ApiRequest, account_id: str) -> Any:
    list_id = call.params["PrefixListId"]
    found = ec2_backends[account_id][call.region].managed_prefix_lists.get(list_id)
    if found is None:
        raise AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{list_id}' does not exist")
    stated = call.params.get("CurrentVersion")
    if stated is not None and int(stated) != found.version:
        raise AwsError("PrefixListVersionMismatch", f"The prefix list has the version {found.version}, not {stated}")
    return found


def _shown(prefix_list: Any, state: str) -> Mapping[str, Any]:
    return {
        "PrefixList": {
            "PrefixListId": prefix_list.id,
            "AddressFamily": prefix_list.address_family,
            "State": state,
            "PrefixListArn": prefix_list.prefix_list_arn,
            "PrefixListName": prefix_list.prefix_list_name,
            "MaxEntries": prefix_list.max_entries,
            "Version": prefix_list.version,
            "OwnerId": prefix_list.owner_id,
        }
    }


def modify(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """ModifyManagedPrefixList; moto forgets the name where the call does not give it."""
    prefix_list = _list_of(call, account_id)
    if "PrefixListName" in call.params:
        prefix_list.prefix_list_name = call.params["PrefixListName"]
    added = {item["Cidr"]: dict(item) for item in call.params.get("AddEntries", ())}
    removed = {item["Cidr"] for item in call.params.get("RemoveEntries", ())} | set(added)
    if removed:
        entries = [item for item in prefix_list.entries.get(prefix_list.version, []) if item["Cidr"] not in removed]
        prefix_list.version += 1
        prefix_list.entries[prefix_list.version] = [*entries, *added.values()]
    prefix_list.state = "modify-complete"
    return _shown(prefix_list, "modify-in-progress")


def restore(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """RestoreManagedPrefixListVersion, which moto lacks."""
    prefix_list = _list_of(call, account_id)
    previous = int(call.params["PreviousVersion"])
    if previous not in prefix_list.entries:
        raise AwsError("InvalidPrefixListVersion", f"The prefix list has no version {previous}")
    prefix_list.version += 1
    prefix_list.entries[prefix_list.version] = list(prefix_list.entries[previous])
    prefix_list.state = "restore-complete"
    return _shown(prefix_list, "restore-in-progress")


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "ModifyManagedPrefixList": modify,
    "RestoreManagedPrefixListVersion": restore,
}
