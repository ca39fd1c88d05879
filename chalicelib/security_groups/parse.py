"""From a CloudTrail record to the change it made: which group, which outcome, and the call's own reader."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.cloudtrail.catalog import EventGroup, WatchedEvent, lookup
from chalicelib.cloudtrail.records import CloudTrailRecord, mapping, text
from chalicelib.security_groups.changes import Change, Changes, NotUnderstood, NotWatched, Outcome, read_outcome
from chalicelib.security_groups.parse_attachments import ATTACHMENT_READERS, sets_groups
from chalicelib.security_groups.parse_prefix_lists import PREFIX_LIST_READERS
from chalicelib.security_groups.parse_rule_calls import RULE_READERS, CallReader, Parameters
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.request_keys import REQUEST_KEYS, may_open, read_request, unwrapped
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other, unread_parts
from chalicelib.security_groups.wire_shapes import canonical, field, items


def read_change(record: CloudTrailRecord) -> Change:
    """The change that a record of the groups rules, groups, attachments or prefix_lists made.

    Raises:
        NotWatched: nothing about security groups in it.
        NotUnderstood: a watched event of which the record holds nothing that can be read.
    """
    event = lookup(record.event_source, record.event_name)
    if event is None or event.group is EventGroup.TAMPER:
        raise NotWatched(f"{record.event_source} {record.event_name} is not an event of a security group")
    request, unknown_keys = read_request(event, record.request_parameters)
    no_request = _why_missing(record, "requestParameters")
    unknown_keys = () if no_request else unknown_keys
    if event.needs_groups and not (no_request or unknown_keys or sets_groups(request)):
        raise NotWatched(f"{event.name} that sets no security group")
    outcome = read_outcome(record.error_code)
    no_answer = _why_missing(record, "responseElements") if outcome is Outcome.SUCCEEDED else None
    response = {} if no_answer else unwrapped(event.name, record.response_elements, "Response")
    change = _identify(event, outcome, request, response, no_answer)
    if change.succeeded:
        change = _with_doubts(change, record, request, response)
    if no_request:
        # What the answer holds is still good.
        if change.succeeded and change.group_id is None:
            raise NotUnderstood(no_request)
        unknown = Unknown(UnknownTopic.REQUEST, f"the request: {no_request}")
        change = change._replace(unknowns=(unknown, *change.unknowns))
    return _READERS[event.name](_with_unknown_keys(change, unknown_keys), request, response)


def _with_doubts(change: Change, record: CloudTrailRecord, request: Parameters, response: Parameters) -> Change:
    """A call without an error code, with what else in its record says that it did nothing."""
    says_no, dry_run = _says_no(response), request.get("dryRun")
    if not (says_no or record.error_message or dry_run):  # nearly always
        return change
    signs = {
        "AWS's answer is false, and the record has no error": says_no,
        "the record has an error message and no error code": record.error_message is not None,
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
        "it asked for a dry run, which AWS answers with an error": str(dry_run).lower() == "true",
    }
    doubts = [other(f"whether the call did what it was asked: {sign}") for sign, is_there in signs.items() if is_there]
    return change._replace(answered_no=says_no, unknowns=(*change.unknowns, *doubts))


def _with_unknown_keys(change: Change, keys: tuple[str, ...]) -> Change:
    """The change with each parameter that the call was not known to have; what it does may be anything."""
    if not keys:
        return change
    problems = tuple(f"the parameter {printable(key, 60)}, which sgwatch does not know" for key in keys)
    return change._replace(
        unread=problems if change.succeeded and may_open(change.event) else (),
        unknowns=change.unknowns + unread_parts("part of the request", problems),
    )


def named_group(record: CloudTrailRecord) -> tuple[str | None, str | None]:
    """The id and the name of the group that a record speaks of, as far as it has them."""
    request = unwrapped(record.event_name, record.request_parameters)
    if (keys := REQUEST_KEYS.get(record.event_name or "")) is not None:
        request = canonical(request, keys).values
    return _named_group(request, unwrapped(record.event_name, record.response_elements, "Response"))


def _named_group(request: Parameters, response: Parameters) -> tuple[str | None, str | None]:
    group_id = text(field(request, "groupId")) or text(field(response, "groupId")) or _group_of_rules(response)
    return group_id, text(field(request, "groupName"))


_OMITTED_KEYS = {"omitted", "originalSize", "reason"}


def _why_missing(record: CloudTrailRecord, field_name: str) -> str | None:
    given = record.raw.get(field_name)
    if given is None and record.is_network_activity:
        return "CloudTrail leaves it out of records of network activity"
    if given is None:
        return f"{field_name} is null or absent, as when CloudTrail truncates a large record"
    if not isinstance(given, Mapping):
        return f"{field_name} is not an object"
    # CloudTrail puts this object in the place of a field over its size limit.
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    if given.get("omitted") in (True, "true") and given.keys() <= _OMITTED_KEYS:
        return f"CloudTrail left {field_name} out because they were too large"
    return None if given else f"{field_name} is empty"


def _says_no(response: Parameters) -> bool:
    """Whether AWS's answer says that the call did nothing.

    EC2 answers true, or gives an error: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    if response.get("_return") is True:  # nearly always
        return False
    answers = (field(response, key) for key in ("_return", "return"))
    return any(str(answer).strip().lower() == "false" for answer in answers)


def _identify(
    event: WatchedEvent, outcome: Outcome, request: Parameters, response: Parameters, no_answer: str | None
) -> Change:
    group_id, group_name = _named_group(request, response)
    unknowns = []
    if event.group in (EventGroup.RULES, EventGroup.GROUPS) and not (group_id or group_name):
        unknowns.append(other("the security group: the record does not name it"))
    return Change(
        event=event,
        outcome=outcome,
        group_id=group_id,
        group_name=group_name,
        vpc_id=text(request.get("vpcId")) if event.name == "CreateSecurityGroup" else None,
        no_answer=no_answer,
        unknowns=tuple(unknowns),
    )


def _group_of_rules(response: Parameters) -> str | None:
    rules = items(field(response, "securityGroupRuleSet")) or items(field(response, "revokedSecurityGroupRuleSet"))
    return next(filter(None, (text(field(mapping(rule), "groupId")) for rule in rules)), None)


def _read_create(change: Change, request: Parameters, _response: Parameters) -> Change:
    description = text(request.get("groupDescription"))
    no_id = other("the new group's id: the record has no answer")
    unknowns = () if change.group_id or not change.succeeded else (no_id,)
    return change._replace(description=description, unknowns=change.unknowns + unknowns)


def _read_delete(change: Change, _request: Parameters, _response: Parameters) -> Change:
    if not change.succeeded:
        return change
    unknown = Unknown(UnknownTopic.DELETED_RULES, "the rules that went with the group: the record does not list them")
    return change._replace(changes=Changes(before_known=False), unknowns=(*change.unknowns, unknown))


def _read_association(change: Change, request: Parameters, _response: Parameters) -> Change:
    vpc_id = text(request.get("vpcId"))
    _must_name(change, change.group_id, change.group_name, vpc_id)
    return change._replace(associated_vpc_id=vpc_id)


def _must_name(change: Change, *found: object) -> None:
    """A call that did something is not understood where nothing of what it did was found.

    Raises:
        NotUnderstood: so it is.
    """
    if change.succeeded and not any(found):
        raise NotUnderstood(f"{change.event.name} carries nothing that can be read")


_READERS: dict[str, CallReader] = {
    **RULE_READERS,
    **ATTACHMENT_READERS,
    **PREFIX_LIST_READERS,
    "CreateSecurityGroup": _read_create,
    "DeleteSecurityGroup": _read_delete,
    "AssociateSecurityGroupVpc": _read_association,
    "DisassociateSecurityGroupVpc": _read_association,
}
