"""An alert's title and summary: what somebody reads first, and perhaps alone."""

from __future__ import annotations

from chalicelib.changes import Attachment, Change, Outcome
from chalicelib.exposure import Exposure, Severity
from chalicelib.openings import is_ingress
from chalicelib.principals import Principal
from chalicelib.records import CloudTrailRecord
from chalicelib.rules import Direction, ModifiedRule, SecurityGroupRule
from chalicelib.text import number_of
from chalicelib.wording import (
    group_phrase,
    is_world,
    named_group_phrase,
    peer_phrase,
    printable,
    service_phrase,
)

# A title fits a Slack header (150) with room for a mark, and an SNS subject after shortening.
MAX_TITLE = 140

_ATTEMPTS = {Outcome.DENIED: "Denied", Outcome.FAILED: "Failed", Outcome.DRY_RUN: "Dry run"}


def title(change: Change, exposures: tuple[Exposure, ...]) -> str:
    """What happened, in one line without a full stop."""
    group = group_phrase(change.group_name, change.group_id)
    if not change.succeeded:
        text = f"{_ATTEMPTS[change.outcome]}: {_attempt(change, group)}"
    elif change.unread and not _new_rules(change):
        text = f"change to {group} only partly understood"
    else:
        text = _done(change, exposures, group) + (", and more not understood" if change.unread else "")
    return _as_title(text)


def not_understood_title(record: CloudTrailRecord, group_id: str | None, group_name: str | None) -> str:
    """The title where no more is known than which call it was, and perhaps on which group."""
    called = printable(record.event_name or "a call", 60)
    group = f" on {group_phrase(group_name, group_id)}" if group_id or group_name else ""
    return _as_title(f"{called}{group}: the record is not understood")


def _as_title(text: str) -> str:
    if not text.startswith(("tcp", "udp", "icmp")):  # protocol names keep their case
        text = text[0].upper() + text[1:]
    return text if len(text) <= MAX_TITLE else text[: MAX_TITLE - 1] + "…"


def _new_rules(change: Change) -> list[SecurityGroupRule]:
    return [*change.changes.added, *(item.after for item in change.changes.modified)]


def summary(record: CloudTrailRecord, principal: Principal, exposures: tuple[Exposure, ...]) -> str:
    """Who did it and where, then the worst reason: two sentences."""
    return (
        f"{call_sentence(record, principal)} {exposures[0].reason}" if exposures else call_sentence(record, principal)
    )


def call_sentence(record: CloudTrailRecord, principal: Principal) -> str:
    """``alice (console, from 203.0.113.9) called CreateSecurityGroup in account 123456789012, eu-west-1.``"""
    source = f", from {printable(principal.source_ip, 60)}" if principal.source_ip else ""
    name = printable(principal.name, 100)
    called = printable(record.event_name or "an unnamed API", 80)
    code = f" ({printable(record.error_code, 60)})" if record.error_code else ""
    where = ", ".join(
        printable(part, 40) for part in (record.account_id and f"account {record.account_id}", record.region) if part
    )
    return f"{name} ({principal.client}{source}) called {called}{code}{f' in {where}' if where else ''}."


def _done(change: Change, exposures: tuple[Exposure, ...], group: str) -> str:
    name = change.event.name
    if change.changes.added or change.changes.modified:
        return _rules_title(change, exposures, group)
    if name.startswith("Revoke"):
        return _removed_title(change, group)
    return _without_rules(change, group)


def _without_rules(change: Change, group: str) -> str:
    named = named_group_phrase(change.group_name, change.group_id)
    vpc = printable(change.associated_vpc_id or "a VPC", 40)
    attachment, prefix_list = change.attachment, change.prefix_list
    if attachment and change.event.name == "ModifyVpcEndpoint" and change.changes.before_known:
        return f"{_resource(attachment)} modified, its security groups untouched"
    if attachment:
        return f"security groups of {_resource(attachment)} changed"
    if prefix_list:
        return f"prefix list {printable(prefix_list.prefix_list_id, 60)} changed"
    return {
        "CreateSecurityGroup": f"{named} created",
        "DeleteSecurityGroup": f"{named} deleted",
        "AssociateSecurityGroupVpc": f"{named} associated with {vpc}",
        "DisassociateSecurityGroupVpc": f"{named} disassociated from {vpc}",
    }.get(change.event.name, f"rule descriptions changed on {group}")


def _resource(attachment: Attachment) -> str:
    return f"{attachment.resource_type} {printable(attachment.resource_id, 80)}"


def _rules_title(change: Change, exposures: tuple[Exposure, ...], group: str) -> str:
    after = _new_rules(change)
    rule = next((item.rule for item in exposures if item.rule in after), after[0])
    assert rule is not None  # noqa: S101 - `after` holds no None
    more = f" and {number_of(len(after) - 1, 'more rule')}" if len(after) > 1 else ""
    if change.event.name.startswith("UpdateSecurityGroupRuleDescriptions"):
        return f"description changed of {service_phrase(rule)}, {peer_phrase(rule.peer)}{more} on {group}"
    changed = next((item for item in change.changes.modified if item.after is rule), None)
    # Nothing but a way in for the whole internet is critical.
    to_world = exposures[0].severity is Severity.CRITICAL and not is_world(rule.peer)
    return f"{_opened(rule, changed, 'the internet through ' if to_world else '')}{more} on {group}"


def _opened(rule: SecurityGroupRule, changed: ModifiedRule | None, through: str) -> str:
    service, peer = service_phrase(rule), through + peer_phrase(rule.peer)
    was = _former(changed, rule) if changed else ""
    if rule.direction is Direction.EGRESS:
        return f"{service} {'now ' if changed else ''}allowed out to {peer}{was}"
    if changed:
        return f"{service} now open to {peer}{was}"
    return f"{service} opened to {peer}"


def _former(changed: ModifiedRule, rule: SecurityGroupRule) -> str:
    """What the rule was, as far as it differs: ``, was 10.0.0.0/8``."""
    before = changed.before
    if before is None:
        return " by a changed rule"
    parts = []
    if service_phrase(before) != service_phrase(rule):
        parts.append(service_phrase(before))
    if before.peer != rule.peer:
        parts.append(peer_phrase(before.peer))
    return f" (was {' from '.join(parts)})" if parts else ""


def _removed_title(change: Change, group: str) -> str:
    removed = change.changes.removed
    if not removed and change.changes.before_known:
        return f"nothing removed from {group}, which had no such rules"
    if not removed:
        return f"rules removed from {group} that the record does not list"
    rule = next((item for item in removed if is_world(item.peer)), removed[0])
    more = f" and {number_of(len(removed) - 1, 'more rule')}" if len(removed) > 1 else ""
    service, peer = service_phrase(rule), peer_phrase(rule.peer)
    if is_ingress(rule):
        return f"{service} closed to {peer}{more} on {group}"
    return f"{service} no longer allowed out to {peer}{more} on {group}"


def _attempt(change: Change, group: str) -> str:
    name, rules = change.event.name, change.changes.attempted
    if not rules:
        return _attempt_without_rules(change, group)
    service, peer = service_phrase(rules[0]), peer_phrase(rules[0].peer)
    more = f" and {number_of(len(rules) - 1, 'more rule')}" if len(rules) > 1 else ""
    out = name.endswith("Egress")
    if name.startswith("Authorize"):
        verb = f"allowing {service} out to {peer}" if out else f"opening {service} to {peer}"
    elif name.startswith("Revoke"):
        verb = f"disallowing {service} out to {peer}" if out else f"closing {service} to {peer}"
    elif name == "ModifySecurityGroupRules":
        verb = f"changing a rule to {service}, {peer}"
    else:
        verb = f"describing {service}, {peer}"
    return f"{verb}{more} on {group}"


def _attempt_without_rules(change: Change, group: str) -> str:
    if change.attachment:
        return f"changing the security groups of {_resource(change.attachment)}"
    if change.prefix_list:
        return f"changing prefix list {printable(change.prefix_list.prefix_list_id, 60)}"
    named = named_group_phrase(change.group_name, change.group_id)
    verbs = {
        "CreateSecurityGroup": f"creating {named}",
        "DeleteSecurityGroup": f"deleting {named}",
        "AssociateSecurityGroupVpc": f"associating {named} with a VPC",
        "DisassociateSecurityGroupVpc": f"disassociating {named} from a VPC",
    }
    return verbs.get(change.event.name, f"{change.event.name} on {group}")
