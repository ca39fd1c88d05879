"""What each call did, read from its record alone."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.records import read_record
from chalicelib.security_groups.changes import Change, ListContents, NotUnderstood, NotWatched, Outcome, read_outcome
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction
from tests.support import records as r
from tests.support.records import Json, items, permission, stored, world
from tests.support.rows import every
from tests.support.unknowns import sentences

ANSWER = "securityGroupRuleSet"
REVOKED = "revokedSecurityGroupRuleSet"
UNKNOWN = "unknownIpPermissionSet"


def change_of(record: Json) -> Change:
    return read_change(read_record(record))


def said(change: Change, *words: str) -> bool:
    return any(all(word in sentence for word in words) for sentence in sentences(change.unknowns))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, Outcome.SUCCEEDED),
        ("Client.UnauthorizedOperation", Outcome.DENIED),
        ("UnauthorizedOperation", Outcome.DENIED),
        ("AccessDenied", Outcome.DENIED),
        ("AccessDeniedException", Outcome.DENIED),
        ("VpceAccessDenied", Outcome.DENIED),
        ("Client.DryRunOperation", Outcome.DRY_RUN),
        ("Client.InvalidPermission.Duplicate", Outcome.FAILED),
        ("Client.InvalidGroup.NotFound", Outcome.FAILED),
        ("Server.InternalError", Outcome.FAILED),
        ("RequestExpired", Outcome.FAILED),
    ],
)
def test_the_outcome_is_that_of_the_error_code(code: str | None, outcome: Outcome) -> None:
    assert read_outcome(code) is outcome


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_authorize_without_an_answer_adds_what_was_asked(direction: str) -> None:
    change = change_of(r.authorize(world(), direction=direction))
    (rule,) = change.changes.added
    assert rule.direction == Direction(direction.lower())
    assert (rule.id, change.unknowns, change.changes.before_known) == (None, (), True)


def test_authorize_with_an_answer_adds_what_was_stored_and_keeps_the_asked_description_and_account() -> None:
    peer = {"groupId": r.PEER_ID, "userId": r.OTHER_ACCOUNT, "description": "partner"}
    answer = {ANSWER: items(stored(referencedGroupInfo={"groupId": r.PEER_ID}))}
    (rule,) = change_of(r.authorize(permission(groups=(peer,)), answer=answer)).changes.added
    assert (rule.id, rule.description, rule.peer.account_id) == (r.RULE_ID, "partner", r.OTHER_ACCOUNT)


def test_the_tags_of_new_rules_are_those_of_the_call() -> None:
    assert [rule.tags for rule in change_of(r.authorize(world())).changes.added] == [()]
    tags = [{"key": "why", "value": "test"}, {"key": "empty"}]
    group = {
        "groupId": r.GROUP_ID,
        "tagSpecificationSet": items({"resourceType": "security-group-rule", "tags": tags}),
    }
    given = (("why", "test"), ("empty", ""))
    assert [rule.tags for rule in change_of(r.authorize(world(), group=group)).changes.added] == [given]
    answer = {ANSWER: items(stored(cidrIpv4="0.0.0.0/0", tagSet=items({"key": "stored", "value": "so"})))}
    assert [rule.tags for rule in change_of(r.authorize(world(), answer=answer)).changes.added] == [(("stored", "so"),)]


def test_an_answer_that_was_cut_hides_no_rule_that_was_asked_for() -> None:
    answer = {ANSWER: items(stored(cidrIpv4="0.0.0.0/0"))}
    change = change_of(r.authorize(world(22), world(3389), answer=answer))
    assert [(rule.id, rule.from_port) for rule in change.changes.added] == [(r.RULE_ID, 22), (None, 3389)]


@pytest.mark.parametrize("odd", [None, "text", {"isEgress": False}, {"groupId": 7.5}])
def test_the_group_of_an_answer_is_that_of_the_first_rule_that_names_one(odd: object) -> None:
    answer = {ANSWER: items(odd, stored(cidrIpv4="0.0.0.0/0"))}
    change = change_of(r.authorize(requestParameters=None, answer=answer))
    assert (change.group_id, len(change.changes.added), len(change.unread)) == (r.GROUP_ID, 1, 1)


def test_an_answer_that_was_cut_hides_nothing_that_was_asked_for_and_cannot_be_read() -> None:
    answer = {ANSWER: items(stored(cidrIpv4="0.0.0.0/0"))}
    change = change_of(r.authorize(world(22), permission("tcp", "all", v4=("10.0.0.0/8",)), answer=answer))
    assert (len(change.changes.added), len(change.unread)) == (1, 1)


def test_an_answer_that_is_whole_shows_what_in_the_request_cannot_be_read() -> None:
    answer = {ANSWER: items(stored(cidrIpv4="0.0.0.0/0"), stored("sgr-2", cidrIpv4="10.0.0.0/8"))}
    change = change_of(r.authorize(world(22), permission("tcp", "all", v4=("10.0.0.0/8",)), answer=answer))
    assert (len(change.changes.added), change.unread) == (2, ())


def test_rules_are_read_from_the_answer_where_the_request_is_missing() -> None:
    change = change_of(r.authorize(requestParameters=None, answer={ANSWER: items(stored(cidrIpv4="0.0.0.0/0"))}))
    assert (change.group_id, len(change.changes.added)) == (r.GROUP_ID, 1)
    assert said(change, "requestParameters is null")


@pytest.mark.parametrize(
    "request_parameters",
    [
        None,
        {},
        "text",
        7,
        [],
        {"groupId": r.GROUP_ID},
        {"omitted": True, "originalSize": 120384},
        {"groupId": r.GROUP_ID, "ipPermissions": "text"},
        {"groupId": r.GROUP_ID, "ipPermissions": items("text")},
    ],
)
def test_an_authorize_that_names_no_rule_is_not_understood(request_parameters: object) -> None:
    with pytest.raises(NotUnderstood):
        change_of(r.authorize(requestParameters=request_parameters))


@pytest.mark.parametrize("omitted", [True, "true"])
@pytest.mark.parametrize("event_name", ["AuthorizeSecurityGroupIngress", "ModifyNetworkInterfaceAttribute"])
def test_a_request_that_cloudtrail_left_out_is_said_to_be_too_large(event_name: str, omitted: object) -> None:
    left_out = {"omitted": omitted, "originalSize": "149893", "reason": "requestParameters too large"}
    with pytest.raises(NotUnderstood, match="too large"):
        change_of(r.record(event_name, left_out))


def test_what_can_be_read_is_reported_beside_what_cannot() -> None:
    change = change_of(r.authorize(world(), "text"))
    assert len(change.changes.added) == 1
    assert len(change.unread) == 1
    assert said(change, "part of the request", "'text'")


def test_an_ip_permission_without_a_peer_gives_no_rule_and_an_unknown() -> None:
    change = change_of(r.authorize(permission()))
    assert change.changes.added == ()
    assert said(change, "names no peer")


def test_a_group_known_by_name_has_no_id() -> None:
    change = change_of(r.authorize(world(), group={"groupName": "web"}))
    assert (change.group_id, change.group_name) == (None, "web")


def test_a_record_that_names_no_group_says_so() -> None:
    assert said(change_of(r.authorize(world(), group={"other": 1})), "does not name it")


@pytest.mark.parametrize("code", [r.DENIED, r.FAILED, r.DRY_RUN])
@pytest.mark.parametrize("made", [r.authorize, r.revoke])
def test_a_call_that_did_not_succeed_changed_nothing_and_shows_what_it_attempted(made: Any, code: str) -> None:
    changes = change_of(made(world(), errorCode=code, responseElements=None)).changes
    assert (changes.added, changes.removed, changes.modified) == ((), (), ())
    assert [rule.from_port for rule in changes.attempted] == [22]


def test_a_denied_modification_is_an_attempt_too() -> None:
    change = change_of(r.modify(r.new_values(CidrIpv4="0.0.0.0/0"), errorCode=r.DENIED, response=None))
    assert ([rule.direction for rule in change.changes.attempted], change.changes.modified) == ([None], ())
    assert said(change, "direction", r.RULE_ID)


@pytest.mark.parametrize("parameters", [None, {}, "text", {"groupId": 5.5, "ipPermissions": [[]]}])
@pytest.mark.parametrize("name", ["AuthorizeSecurityGroupIngress", "DeleteSecurityGroup", "ModifySecurityGroupRules"])
def test_an_attempt_with_nothing_readable_is_still_an_attempt(name: str, parameters: object) -> None:
    change = change_of(r.record(name, parameters, None, errorCode=r.DENIED))
    assert change.outcome is Outcome.DENIED
    assert change.unknowns


def test_revoke_removes_what_was_asked_where_there_is_no_answer() -> None:
    change = change_of(r.revoke(world(), permission(v4=("10.0.0.0/8",))))
    assert [rule.peer.value for rule in change.changes.removed] == ["0.0.0.0/0", "10.0.0.0/8"]
    assert change.changes.before_known
    assert said(change, "previous descriptions")


def test_revoke_removes_what_the_answer_lists() -> None:
    answer = {REVOKED: items(stored(cidrIpv4="0.0.0.0/0", description="old"))}
    change = change_of(r.revoke(world(), world(80), answer=answer))
    assert [(rule.id, rule.description) for rule in change.changes.removed] == [(r.RULE_ID, "old")]
    assert change.unknowns == ()


def test_what_was_not_there_is_not_removed() -> None:
    change = change_of(r.revoke(world(22), world(80), answer={UNKNOWN: items(world(80))}))
    assert [rule.from_port for rule in change.changes.removed] == [22]


@pytest.mark.parametrize("answer", [{UNKNOWN: items(world())}, {UNKNOWN: items(world()), REVOKED: {}}])
def test_a_revoke_of_nothing_that_was_there_removes_nothing_and_leaves_nothing_unknown(answer: Json) -> None:
    change = change_of(r.revoke(world(), answer=answer))
    assert (change.changes.removed, change.unknowns, change.changes.before_known) == ((), (), True)


def test_a_peer_group_that_was_asked_for_by_name_and_was_not_there_is_not_removed() -> None:
    asked, told = {"groupName": "peer"}, {"groupId": r.PEER_ID, "groupName": "peer"}
    absent = {UNKNOWN: items(permission(groups=(told,)))}
    change = change_of(r.revoke(permission(groups=(asked,)), answer=absent))
    assert (change.changes.removed, change.unknowns, change.changes.before_known) == ((), (), True)
    with_more = change_of(r.revoke(permission(groups=(asked,)), "text", answer=absent))
    assert not with_more.changes.before_known


def test_an_unreadable_unknown_set_is_said() -> None:
    assert said(change_of(r.revoke(world(), answer={UNKNOWN: items("text")})), "a removed rule", "'text'")


def test_an_unreadable_part_of_a_revoke_is_said_beside_what_can_be_read() -> None:
    change = change_of(r.revoke(world(), "text"))
    assert len(change.changes.removed) == 1
    assert not change.changes.before_known
    assert said(change, "'text'")


def test_readable_rules_of_an_answer_survive_an_unreadable_one() -> None:
    answer = {REVOKED: items(stored(cidrIpv4="0.0.0.0/0"), {"securityGroupRuleId": "sgr-2"})}
    change = change_of(r.revoke_by_ids(r.RULE_ID, "sgr-2", answer=answer))
    assert [rule.id for rule in change.changes.removed] == [r.RULE_ID]
    assert said(change, "sgr-2", "by id only")


@pytest.mark.parametrize(
    "ids",
    [
        items({"securityGroupRuleId": r.RULE_ID}),
        items(r.RULE_ID),
        [r.RULE_ID],
        r.RULE_ID,
        {"tag": 1, "content": r.RULE_ID},
    ],
)
def test_a_revoke_by_ids_alone_does_not_show_what_was_removed(ids: object) -> None:
    request = {"groupId": r.GROUP_ID, "securityGroupRuleIds": ids}
    change = change_of(r.record("RevokeSecurityGroupIngress", request))
    assert (change.rule_ids, change.changes.removed, change.changes.before_known) == ((r.RULE_ID,), (), False)
    assert said(change, r.RULE_ID, "by id only")


def test_a_revoke_that_names_no_rule_is_not_understood() -> None:
    with pytest.raises(NotUnderstood):
        change_of(r.revoke())


@pytest.mark.parametrize(
    ("peer", "value"),
    [
        ({"CidrIpv4": "203.0.113.0/24"}, "203.0.113.0/24"),
        ({"CidrIpv6": "2001:db8::/32"}, "2001:db8::/32"),
        ({"PrefixListId": r.LIST_ID}, r.LIST_ID),
        ({"ReferencedGroupId": r.PEER_ID}, r.PEER_ID),
    ],
)
def test_modify_shows_new_values_and_neither_direction_nor_former_self(peer: Json, value: str) -> None:
    change = change_of(r.modify(r.new_values(Description="office", **peer)))
    (modified,) = change.changes.modified
    assert modified.before is None
    assert (modified.after.id, modified.after.direction, modified.after.description) == (r.RULE_ID, None, "office")
    assert modified.after.peer.value == value
    assert not change.changes.before_known
    assert said(change, "previous values", r.RULE_ID)
    assert said(change, "direction", "judged as ingress")


def test_modify_of_several_rules_is_read_in_order() -> None:
    change = change_of(
        r.modify(r.new_values("sgr-1", 1, CidrIpv4="0.0.0.0/0"), r.new_values("sgr-2", 2, low=80, CidrIpv6="::/0"))
    )
    assert [item.after.id for item in change.changes.modified] == ["sgr-1", "sgr-2"]
    assert change.group_id == r.GROUP_ID


def test_modify_with_one_unreadable_rule_of_two_says_which_part() -> None:
    change = change_of(r.modify(r.new_values(CidrIpv4="0.0.0.0/0"), r.new_values("sgr-2", 2)))
    assert len(change.changes.modified) == 1
    assert len(change.unread) == 1


@pytest.mark.parametrize("rules", [None, {}, [], "text", [7], {"SecurityGroupRuleId": "sgr-1"}])
def test_a_modify_without_a_readable_rule_is_not_understood(rules: object) -> None:
    with pytest.raises(NotUnderstood):
        change_of(r.modify(rules))


@pytest.mark.parametrize("wrapper", [True, False])
def test_described_by_values_is_a_modified_rule(wrapper: bool) -> None:
    change = change_of(r.describe_by_values(wrapper))
    (modified,) = change.changes.modified
    assert (modified.before, modified.after.peer.value) == (None, "203.0.113.0/24")
    assert (modified.after.direction, modified.after.description) == (Direction.INGRESS, "office")
    assert said(change, "previous descriptions")
    assert change.group_id == r.GROUP_ID


@pytest.mark.parametrize("wrapper", [True, False])
def test_described_by_ids_says_the_new_text_and_the_id(wrapper: bool) -> None:
    change = change_of(r.describe_by_ids(wrapper))
    assert change.rule_ids == (r.RULE_ID,)
    assert said(change, r.RULE_ID, "mail")


def test_a_description_call_that_names_no_rule_opened_nothing_and_says_so() -> None:
    change = change_of(r.describe_by_ids(False) | {"requestParameters": {"groupId": r.GROUP_ID}})
    assert not change.changes.modified
    assert said(change, "names no rule")


def test_create_takes_the_id_from_the_answer_and_lists_no_rule() -> None:
    change = change_of(r.create())
    assert (change.group_id, change.group_name, change.vpc_id) == (r.GROUP_ID, "web", r.VPC_ID)
    assert (change.description, change.changes.added, change.unknowns) == ("Web servers", (), ())


def test_create_without_an_answer_says_that_the_id_is_not_known() -> None:
    assert said(change_of(r.create(responseElements=None)), "new group's id")


@pytest.mark.parametrize(
    ("group", "known"), [({"groupId": r.GROUP_ID}, (r.GROUP_ID, None)), ({"groupName": "web"}, (None, "web"))]
)
def test_delete_does_not_show_the_rules(group: Json, known: tuple[str | None, str | None]) -> None:
    change = change_of(r.delete(group))
    assert (change.group_id, change.group_name) == known
    assert not change.changes.before_known
    assert said(change, "rules that went with the group")


@pytest.mark.parametrize("name", ["AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc"])
@pytest.mark.parametrize("wrapper", [True, False])
def test_an_association_names_the_vpc(name: str, wrapper: bool) -> None:
    request = {"groupId": r.GROUP_ID, "vpcId": r.VPC_ID}
    change = change_of(r.association(name) if wrapper else r.record(name, request))
    assert (change.group_id, change.associated_vpc_id) == (r.GROUP_ID, r.VPC_ID)


GROUPS = items({"groupId": "sg-1"}, {"groupId": "sg-2"})


@pytest.mark.parametrize(
    ("name", "source", "request_parameters"),
    [
        ("ModifyNetworkInterfaceAttribute", "ec2", {"networkInterfaceId": "eni-1", "groupSet": GROUPS}),
        ("ModifyInstanceAttribute", "ec2", {"instanceId": "i-1", "groupSet": GROUPS}),
        (
            "SetSecurityGroups",
            "elasticloadbalancing",
            {"loadBalancerArn": "arn:lb", "securityGroups": ["sg-1", "sg-2"]},
        ),
    ],
)
def test_attachments_show_the_new_groups_only(name: str, source: str, request_parameters: Json) -> None:
    change = change_of(r.record(name, request_parameters, eventSource=f"{source}.amazonaws.com"))
    assert change.attachment is not None
    assert (change.attachment.groups_before, change.attachment.groups_after) == (None, ("sg-1", "sg-2"))
    assert said(change, "before")


def test_an_endpoint_shows_the_groups_it_was_given_and_those_it_lost() -> None:
    request = {
        "VpcEndpointId": "vpce-1",
        "AddSecurityGroupId": {"tag": 1, "content": "sg-1"},
        "RemoveSecurityGroupId": {"tag": 1, "content": "sg-2"},
    }
    change = change_of(r.wrapped("ModifyVpcEndpoint", request))
    assert change.attachment is not None
    assert (change.attachment.resource_id, change.attachment.groups_after) == ("vpce-1", ("sg-1",))
    assert said(change, "only those added (sg-1) and removed (sg-2)")


@pytest.mark.parametrize("key", ["addSecurityGroupIds", "addSecurityGroupId", "AddSecurityGroupIdSet"])
@pytest.mark.parametrize("value", ["sg-1", ["sg-1"], items("sg-1"), items({"securityGroupId": "sg-1"})])
def test_every_spelling_of_an_endpoints_groups_is_read(key: str, value: object) -> None:
    change = change_of(r.record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", key: value}))
    assert change.attachment is not None
    assert change.attachment.groups_after == ("sg-1",)


@pytest.mark.parametrize("groups", [{"addSecurityGroupIds": [7.5]}, {"RemoveSecurityGroupId": {"tag": 1}}])
def test_groups_of_an_endpoint_that_cannot_be_read_are_not_taken_for_none(groups: Json) -> None:
    with pytest.raises(NotUnderstood, match="no security group"):
        change_of(r.record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", **groups}))


@pytest.mark.parametrize("request_parameters", [{"PolicyDocument": "{}"}, {"addSecurityGroupIds": {}}])
def test_an_endpoint_may_keep_its_groups(request_parameters: Json) -> None:
    change = change_of(r.record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", **request_parameters}))
    assert (change.changes.before_known, change.unknowns) == (True, ())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ModifyInstanceAttribute", {"instanceId": "i-1", "instanceType": {"value": "t3.micro"}}),
        ("ModifyInstanceAttribute", {"instanceId": "i-1", "groupSet": {}}),
        ("ModifyInstanceAttribute", {"instanceId": "i-1", "attribute": "userData", "value": "x"}),
        ("ModifyNetworkInterfaceAttribute", {"networkInterfaceId": "eni-1", "sourceDestCheck": {"value": False}}),
        ("ModifyNetworkInterfaceAttribute", {"networkInterfaceId": "eni-1", "description": {"value": "x"}}),
        ("ModifyNetworkInterfaceAttribute", {"networkInterfaceId": "eni-1", "groupSet": {"items": []}}),
        (
            "ModifyNetworkInterfaceAttribute",
            {"ModifyNetworkInterfaceAttributeRequest": {"NetworkInterfaceId": "eni-1", "Attachment": {"X": True}}},
        ),
    ],
)
def test_an_attribute_that_is_no_group_is_not_watched(name: str, parameters: Json) -> None:
    with pytest.raises(NotWatched):
        change_of(r.record(name, parameters))


def test_prefix_list_entries_are_read() -> None:
    request = {
        "PrefixListId": r.LIST_ID,
        "AddEntry": [{"Cidr": "203.0.113.0/24", "tag": 1}],
        "RemoveEntry": {"Cidr": "10.0.0.0/8", "tag": 1},
    }
    change = change_of(r.wrapped("ModifyManagedPrefixList", request))
    assert change.prefix_list is not None
    assert (change.prefix_list.added, change.prefix_list.removed) == (("203.0.113.0/24",), ("10.0.0.0/8",))


@pytest.mark.parametrize("entry", [{"tag": 1}, {"Cidr": 7.5}, "text", [None], [{"Cidr": "10.0.0.0/8"}, {}]])
def test_an_entry_of_a_prefix_list_that_cannot_be_read_is_said(entry: object) -> None:
    change = change_of(r.wrapped("ModifyManagedPrefixList", {"PrefixListId": r.LIST_ID, "AddEntry": entry}))
    assert len(change.unread) == 1
    assert said(change, "without a range", r.LIST_ID)


@pytest.mark.parametrize(
    "request_parameters", [{"other": 1}, {"ModifyManagedPrefixListRequest": "text"}, {"groupId": []}]
)
@pytest.mark.parametrize(
    "name",
    [
        *("AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc", "ModifyVpcEndpoint"),
        *("ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"),
    ],
)
def test_a_call_that_shows_nothing_is_not_understood(name: str, request_parameters: Json) -> None:
    with pytest.raises(NotUnderstood, match="nothing that can be read"):
        change_of(r.record(name, request_parameters))
    assert change_of(r.record(name, request_parameters, errorCode=r.DENIED)).outcome is Outcome.DENIED


LEFT_OUT = {"omitted": True, "originalSize": 120384, "reason": "responseElements too large"}


@pytest.mark.parametrize("answer", [None, LEFT_OUT, "text", {}])
def test_a_revoke_whose_answer_is_not_in_the_record_removed_nothing_for_sure(answer: object) -> None:
    change = change_of(r.revoke(world(), responseElements=answer))
    assert (change.changes.removed, change.changes.before_known) == ((), False)
    assert said(change, "which of the rules asked for", "tcp/22")


@pytest.mark.parametrize("answer", [None, LEFT_OUT])
def test_an_authorize_whose_answer_is_not_in_the_record_says_so(answer: object) -> None:
    change = change_of(r.authorize(world(), responseElements=answer))
    assert [rule.from_port for rule in change.changes.added] == [22]
    assert said(change, "whether AWS stored the rules as asked")


ENI, INSTANCE = "ModifyNetworkInterfaceAttribute", "ModifyInstanceAttribute"


@every("name", [ENI, INSTANCE])
@every("key", ["groupSet", "GroupSet", "groupset", "Groups", "SecurityGroupId", "securityGroupIds"])
@every(
    "value",
    [
        "sg-1",
        ["sg-1"],
        items("sg-1"),
        items({"groupId": "sg-1"}),
        {"item": [{"GroupId": "sg-1"}]},
        {"tag": 1, "content": "sg-1"},
        [{"securityGroupId": {"value": "sg-1"}}],
    ],
)
@every("wrapper", ["", "Request"])
def test_groups_are_found_in_every_shape_and_spelling(name: str, key: str, value: object, wrapper: str) -> None:
    request = {"networkInterfaceId" if name == ENI else "instanceId": "x-1", key: value}
    change = change_of(r.record(name, {f"{name}{wrapper}": request} if wrapper else request))
    assert change.attachment is not None
    assert change.attachment.groups_after == ("sg-1",)


@pytest.mark.parametrize("key", ["SecurityGroupId.1", "networkCards", "newParameter"])
def test_groups_under_a_key_that_is_not_known_are_found(key: str) -> None:
    change = change_of(r.record(ENI, {"networkInterfaceId": "eni-1", key: [{"deep": {"er": "sg-1"}}]}))
    assert change.attachment is not None
    assert change.attachment.groups_after == ("sg-1",)


def test_groups_that_cannot_be_read_are_not_taken_for_none() -> None:
    with pytest.raises(NotUnderstood, match="no security group"):
        change_of(r.record(ENI, {"networkInterfaceId": "eni-1", "groupSet": [7.5]}))


@pytest.mark.parametrize("record", r.other_samples().values(), ids=r.other_samples())
def test_a_call_that_did_not_succeed_has_no_groups_after_it(record: Json) -> None:
    change = change_of(record | {"errorCode": r.DENIED, "responseElements": None})
    assert change.attachment is None or change.attachment.groups_after is None


def test_an_endpoint_that_only_lost_groups_has_none_known_after() -> None:
    change = change_of(r.record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", "removeSecurityGroupIds": ["sg-2"]}))
    assert change.attachment is not None
    assert (change.attachment.groups_after, change.detached, change.keeps_groups) == (None, ("sg-2",), False)


@pytest.mark.parametrize(
    ("value", "skips"), [("off", True), ("OFF", True), (False, True), ("on", False), (None, False), ("", False)]
)
def test_a_load_balancer_may_skip_its_inbound_rules_for_privatelink(value: object, skips: bool) -> None:
    request: Json = {"loadBalancerArn": r.LOAD_BALANCER_ARN, "securityGroups": ["sg-1"]}
    request["enforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = value
    change = change_of(r.record("SetSecurityGroups", request, eventSource=r.ELB))
    assert (change.skips_privatelink, change.unread) == (skips, ())


@pytest.mark.parametrize(("value", "ipam"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_a_list_that_ipam_fills_has_unknown_contents(value: object, ipam: bool) -> None:
    request = {"PrefixListId": r.LIST_ID, "IpamPrefixListResolverSyncEnabled": value}
    change = change_of(r.wrapped("ModifyManagedPrefixList", request))
    assert change.prefix_list is not None
    assert (change.prefix_list.contents is ListContents.IPAM) == ipam
    assert said(change, "IPAM decides") == ipam


def test_a_resolvers_static_ranges_are_its_entries() -> None:
    change = change_of(r.other_samples()["list resolver"])
    assert change.prefix_list is not None
    assert (change.prefix_list.prefix_list_id, change.prefix_list.added) == (None, ("203.0.113.0/24",))


def test_an_entry_of_a_prefix_list_with_an_unknown_key_is_said() -> None:
    entry = {"tag": 1, "Cidr": "10.0.0.0/8", "Description": "x", "DomainName": "example.com"}
    request = {"ModifyManagedPrefixListRequest": {"PrefixListId": r.LIST_ID, "AddEntry": [entry]}}
    change = read_change(read_record(r.record("ModifyManagedPrefixList", request)))
    assert change.unread == ("the key DomainName of an entry, which sgwatch does not know",)


def test_a_list_of_which_an_entry_cannot_be_read_is_not_said_to_add_nothing() -> None:
    request = {"ModifyManagedPrefixListRequest": {"PrefixListId": r.LIST_ID, "AddEntry": "0.0.0.0/0"}}
    alert = alert_of(r.record("ModifyManagedPrefixList", request))
    assert not any("adds no public range" in exposure.reason for exposure in alert.exposures)
