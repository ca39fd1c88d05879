from __future__ import annotations

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import from_json, to_json
from chalicelib.alert.resolution import RecordAlone, Resolution
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.rules import Direction, Peer, PeerType
from tests.support import records as r
from tests.support.alerts import rule
from tests.support.schema import assert_valid


class Answering(RecordAlone):
    """Resolves every change to one answer and counts how often it was asked."""

    def __init__(self, looked_up: LookupResult, group: GroupInfo | None = None) -> None:
        self.looked_up, self.group = looked_up, group
        self.asked = 0

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:
        self.asked += 1
        return Resolution(ResolvedChange(change), self.looked_up, self.group, "payments", ("A note.",))


class Failing(RecordAlone):
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:
        raise KeyError("GroupId")

    def failed(self, record: CloudTrailRecord, error: Exception) -> None:
        self.errors.append(error)


LIST = {"prefixListId": r.LIST_ID, "currentVersion": 3, "addEntries": [{"cidr": "0.0.0.0/0", "description": "all"}]}


def test_a_change_is_resolved_once_and_worded_with_what_was_found() -> None:
    resolver = Answering(LookupResult(account_name="prod"), GroupInfo(r.GROUP_ID, "web", "vpc-1", "Front end"))
    alert = alert_of(r.authorize(r.world()), resolver)
    assert resolver.asked == 1
    assert alert.security_group is not None
    assert (alert.security_group.owner, alert.security_group.vpc_id) == ("payments", "vpc-1")
    assert (alert.account.name, alert.notes) == ("prod", ("A note.",))
    assert alert.summary.endswith(" A note.")


def test_a_fault_of_the_look_ups_costs_the_alert_what_they_know_and_no_more() -> None:
    resolver = Failing()
    alert, plain = alert_of(r.authorize(r.world()), resolver), alert_of(r.authorize(r.world()))
    assert len(resolver.errors) == 1
    assert (alert.severity, alert.title) == (plain.severity, plain.title)
    assert alert.unknowns[-1].text == "everything beyond the record: a fault in sgwatch itself (KeyError)"


def test_the_alert_holds_the_prefix_list_whole_with_the_groups_that_use_it() -> None:
    through = rule()._replace(peer=Peer(PeerType.PREFIX_LIST, r.LIST_ID))
    group = GroupInfo("sg-1", "web", rules=(through, rule()))
    known = PrefixList("offices", aws_managed=False, cidrs=(), owner_id="444455556666")
    found = LookupResult(groups={"sg-1": group}, prefix_lists={r.LIST_ID: known})
    alert = alert_of(r.record("ModifyManagedPrefixList", LIST), Answering(found))
    document = to_json(alert)
    assert_valid(document)
    assert document["prefix_list"] == {
        "id": r.LIST_ID,
        "name": "offices",
        "owner_id": "444455556666",
        "version": 3,
        "added": [{"cidr": "0.0.0.0/0", "description": "all"}],
        "removed": [],
        "used_by": [{"group_id": "sg-1", "group_name": "web", "direction": Direction.INGRESS.value}],
    }
    assert from_json(document).prefix_list == alert.prefix_list


def test_the_undo_of_a_prefix_list_is_known_from_its_record() -> None:
    (command,) = alert_of(r.record("ModifyManagedPrefixList", LIST)).undo.commands or ()
    assert '"PreviousVersion": 3, "CurrentVersion": 4' in command
