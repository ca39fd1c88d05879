"""What newly attached groups open on a resource: their rules count as if they were added to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chalicelib.exposure.explain import Surroundings
from chalicelib.exposure.opened_rules import OtherRules, judge_opened
from chalicelib.exposure.traffic import is_ingress
from chalicelib.security_groups.changes import Attachment, Change
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult
from chalicelib.security_groups.phrases import group_phrase, printable
from chalicelib.security_groups.rules import ModifiedRule, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Severity
from chalicelib.text import number_of

# An interface takes 16 groups at most: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
_SHOWN = 16


def judge_attachment(change: Change, looked_up: LookupResult, around: Surroundings) -> Iterator[Exposure]:
    """The exposures of a change of a resource's groups, as far as the groups' rules are known."""
    attachment = change.attachment
    what = attachment.resource_type if attachment else "resource"
    if change.skips_privatelink:
        reason = "Inbound rules no longer apply to traffic that reaches the load balancer through AWS PrivateLink."
        yield Exposure(Severity.MEDIUM, reason, kind=ExposureKind.ATTACHMENT)
    if change.keeps_groups:
        reason = f"The {what} was modified; its security groups are not part of the request."
        yield Exposure(Severity.LOW, reason, kind=ExposureKind.ATTACHMENT)
    else:
        reason = f"Which security groups protect this {what} has changed."
        yield Exposure(Severity.LOW, reason, kind=ExposureKind.ATTACHMENT)
    if attachment is not None:
        yield from _opened(attachment, looked_up, around)


def groups_phrase(change: Change) -> str:
    """The groups that the request of an attachment names, in brackets."""
    if change.attachment is None:
        return ""
    given = "adds" if change.event.name == "ModifyVpcEndpoint" else "gives"
    asked = ((given, change.attached), ("removes", change.detached))
    said = [f"{verb} {_names(groups)}" for verb, groups in asked if groups]
    if change.skips_privatelink:
        said.append("lets AWS PrivateLink traffic past the inbound rules")
    return f" (the call {' and '.join(said)})" if said else ""


def _names(groups: Sequence[str]) -> str:
    more = len(groups) - _SHOWN
    shown = ", ".join(printable(group, 60) for group in groups[:_SHOWN])
    return shown + (f" and {number_of(more, 'more group')}" if more > 0 else "")


def _opened(attachment: Attachment, looked_up: LookupResult, around: Surroundings) -> Iterator[Exposure]:
    groups, after = looked_up.groups or {}, attachment.groups_after or ()
    before = attachment.groups_before or ()
    new = [
        (group, rule)
        for group_id in dict.fromkeys(after)
        if group_id not in before and (group := groups.get(group_id)) is not None
        for rule in group.rules
        if is_ingress(rule)  # every group comes with a rule for all egress
    ]
    kept = tuple(_rules(groups, (group_id for group_id in before if group_id in after)))
    gone = tuple(_rules(groups, (group_id for group_id in before if group_id not in after)))
    is_known = attachment.groups_before is not None and all(group_id in groups for group_id in before)
    others = OtherRules(kept, gone, (*kept, *gone) if is_known else None, called="the groups attached before")
    owners = {id(rule): group for group, rule in new}
    how = "newly attached" if attachment.groups_before is not None else "perhaps newly attached"
    for item in judge_opened([ModifiedRule(None, rule) for _, rule in new], others, around, looked_up.interfaces or ()):
        group = owners.get(id(item.rule))
        where = group_phrase(group.name, group.id) if group is not None else "the groups"
        yield item._replace(reason=f"Through {where}, {how}: {item.reason}")


def _rules(groups: Mapping[str, GroupInfo], group_ids: Iterable[str]) -> Iterator[SecurityGroupRule]:
    for group_id in group_ids:
        group = groups.get(group_id)
        if group is not None:
            yield from group.rules
