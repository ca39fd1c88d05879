"""An alert's title and summary: what somebody reads first, and perhaps alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.cloudtrail.catalog import Verb
from chalicelib.cloudtrail.principals import Principal
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.exposure.compare import is_within
from chalicelib.exposure.judge import Exposure, Opens, most_telling_rule
from chalicelib.exposure.list_entries import widest_first
from chalicelib.exposure.traffic import is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.changes import (
    NOT_NAMED,
    Attachment,
    Change,
    ListContents,
    Outcome,
    PrefixListChange,
    read_outcome,
)
from chalicelib.security_groups.phrases import (
    NO_PEER_NAMES,
    PeerNames,
    group_phrase,
    is_world,
    named_group_phrase,
    peer_phrase,
    previous_peer_phrase,
    printable,
    service_phrase,
)
from chalicelib.security_groups.rules import Direction, ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import ExposureKind
from chalicelib.text import number_of

# A title fits a Slack header (150) with room for a mark, and an SNS subject after shortening.
MAX_TITLE = 140

_ANSWERED_NO = ", though AWS's answer is false"
_ATTEMPTS = {Outcome.DENIED: "Denied", Outcome.FAILED: "Failed", Outcome.DRY_RUN: "Dry run"}


def title(change: Change, exposures: tuple[Exposure, ...], names: PeerNames = NO_PEER_NAMES) -> str:
    """What happened, in one line without a full stop, with the peers' ``names`` where there is room for them."""
    text = _said(change, exposures, names)
    return _as_title(text if len(text) <= MAX_TITLE else _said(change, exposures, NO_PEER_NAMES))


def _said(change: Change, exposures: tuple[Exposure, ...], names: PeerNames) -> str:
    group = group_phrase(change.group_name, change.group_id)
    if not change.succeeded:
        text = f"{_ATTEMPTS[change.outcome]}: {_attempt(change, exposures, group, names)}"
    elif change.unread and not _new_rules(change):
        text = f"change to {_subject(change, group)} only partly understood"
    else:
        text = _done(change, exposures, group, names) + (", and more not understood" if change.unread else "")
    if change.answered_no:
        text += _ANSWERED_NO
    return text


def not_understood_title(record: CloudTrailRecord, group_id: str | None, group_name: str | None) -> str:
    """The title where no more is known than which call it was, and perhaps on which group."""
    called = printable(record.event_name or "a call", 60)
    group = f" on {group_phrase(group_name, group_id)}" if group_id or group_name else ""
    outcome = read_outcome(record.error_code)
    became = f"{_ATTEMPTS[outcome]}: " if outcome in _ATTEMPTS else ""
    return _as_title(f"{became}{called}{group}: the record could not be parsed")


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


def call_sentence(record: CloudTrailRecord, principal: Principal, operation: str | None = None) -> str:
    """``alice (console, from 203.0.113.9) called CreateSecurityGroup in account 123456789012, eu-west-1.``

    ``operation`` is the API's name for the call, where that is not the event's.
    """
    source = f", from {printable(principal.source_ip, 60)}" if principal.source_ip else ""
    name = printable(principal.name, 100)
    called = printable(operation or record.event_name or "an unnamed API", 80)
    code = f" ({printable(record.error_code, 60)})" if record.error_code else ""
    return f"{name} ({principal.client}{source}) called {called}{code}{_place(record)}.{_supplement(record)}"


def _place(record: CloudTrailRecord) -> str:
    # Network activity may have been sent to the endpoint's owner: whose resources were meant is not in it.
    account_id = None if record.is_network_activity else record.account_id
    where = ", ".join(printable(part, 40) for part in (account_id and f"account {account_id}", record.region) if part)
    return f" in {where}" if where else ""


def notes_of(record: CloudTrailRecord) -> tuple[str, ...]:
    """Which way the call came, where the record is of that."""
    if not record.is_network_activity:
        return ()
    endpoint = f"VPC endpoint {printable(record.vpc_endpoint_id, 40)}" if record.vpc_endpoint_id else "a VPC endpoint"
    owner = f" of account {printable(record.vpc_endpoint_owner, 40)}" if record.vpc_endpoint_owner else ""
    return (f"The call came through {endpoint}{owner}, whose policy denied it.",)


def _supplement(record: CloudTrailRecord) -> str:
    if record.supplements is None:
        return ""
    return f" The record supplements {printable(record.supplements, 60)}, which is of the same call."


def _done(change: Change, exposures: tuple[Exposure, ...], group: str, names: PeerNames) -> str:
    if change.changes.added or change.changes.modified:
        return _rules_title(change, exposures, group, names)
    if change.event.verb is Verb.REVOKE:
        return _removed_title(change, exposures, group, names)
    return _without_rules(change, exposures, group)


def _without_rules(change: Change, exposures: tuple[Exposure, ...], group: str) -> str:
    named = named_group_phrase(change.group_name, change.group_id)
    vpc = printable(change.associated_vpc_id or "a VPC", 40)
    attachment, prefix_list = change.attachment, change.prefix_list
    opened = _to_world(exposures)
    if opened is not None:
        service, whom = service_phrase(opened.rule), opened.whom
        if attachment and attachment.groups_before is None:
            return f"{service} now open to {whom} on {_resource(attachment)}"
        if attachment:
            return f"{service} opened to {whom} on {_resource(attachment)} by a group attached to it"
        if prefix_list:
            return f"{service} opened to {whom} through {_list(prefix_list)}"
    if attachment and change.skips_privatelink:
        return f"inbound rules of {_resource(attachment)} no longer apply to AWS PrivateLink traffic"
    if attachment and change.keeps_groups:
        return f"{_resource(attachment)} modified, its security groups untouched"
    if attachment:
        return f"security groups of {_resource(attachment)} changed"
    if prefix_list:
        return _list_title(prefix_list)
    return {
        "CreateSecurityGroup": f"{named} created",
        "DeleteSecurityGroup": f"{named} deleted",
        "AssociateSecurityGroupVpc": f"{named} associated with {vpc}",
        "DisassociateSecurityGroupVpc": f"{named} disassociated from {vpc}",
    }.get(change.event.name, f"rule descriptions changed on {group}")


def _list_title(prefix_list: PrefixListChange) -> str:
    named, is_ipams = _list(prefix_list), prefix_list.contents is ListContents.IPAM
    if prefix_list.prefix_list_id is None and not is_ipams:
        return f"{printable(prefix_list.resolver, 80)} modified, its rules untouched"
    if prefix_list.prefix_list_id is None and prefix_list.added:
        return f"{_ranges(prefix_list.added)} now in {named}"
    if is_ipams:
        return f"contents of {named} now decided by IPAM"
    counted = (("added to", prefix_list.added), ("removed from", prefix_list.removed))
    said = [f"{_ranges(cidrs)} {verb}" for verb, cidrs in counted if cidrs]
    if not said:
        return _without_entries(prefix_list, named)
    return _whole(f"{' and '.join(said)} {named}", f"{said[0]} {named}")


def _without_entries(prefix_list: PrefixListChange, named: str) -> str:
    if prefix_list.restored_version is not None:
        return f"version {prefix_list.restored_version} of {named} in force again"
    if prefix_list.ends_sync:
        return f"contents of {named} no longer decided by IPAM"
    if prefix_list.is_renamed:
        return f"{_list(prefix_list._replace(name=None))} renamed to {printable(prefix_list.name or '', 60)}"
    if prefix_list.max_entries is not None:
        return f"{named} may now hold {number_of(prefix_list.max_entries, 'range')}"
    return f"{named} changed"


def _ranges(cidrs: Sequence[str]) -> str:
    more = f" and {number_of(len(cidrs) - 1, 'more range')}" if len(cidrs) > 1 else ""
    return f"{printable(widest_first(cidrs)[0], 60)}{more}"


def _list(prefix_list: PrefixListChange) -> str:
    if prefix_list.prefix_list_id is None:
        return f"prefix lists of {printable(prefix_list.resolver, 80)}"
    if prefix_list.prefix_list_id == NOT_NAMED:
        return "a prefix list that the record does not name"
    list_id = printable(prefix_list.prefix_list_id, 60)
    return f"prefix list {f'{printable(prefix_list.name, 48)} ({list_id})' if prefix_list.name else list_id}"


def _subject(change: Change, group: str) -> str:
    if change.prefix_list:
        return _list(change.prefix_list)
    return _resource(change.attachment) if change.attachment else group


def _resource(attachment: Attachment) -> str:
    if attachment.resource_id == NOT_NAMED:
        article = "an" if attachment.resource_type[0] in "aeiouE" else "a"
        return f"{article} {attachment.resource_type} that the record does not name"
    # A load balancer's ARN is longer than a title: its name and id stand for it.
    last = attachment.resource_id.rpartition(":")[2].removeprefix("loadbalancer/")
    return f"{attachment.resource_type} {printable(last, 80)}"


def _rules_title(change: Change, exposures: tuple[Exposure, ...], group: str, names: PeerNames) -> str:
    after = _new_rules(change)
    if change.event.verb is Verb.DESCRIBE:
        return _described(after[0], after, group, names)
    new = {id(rule) for rule in after}  # to compare a thousand rules with each other takes its time
    about = [item for item in exposures if id(item.rule) in new]
    opening_ones = [item for item in about if item.opens in (Opens.WORLD, Opens.QUARTER, Opens.SOME)]
    if not opening_ones:
        return _nothing_opened(change, (about[0].rule if about else None) or after[0], group, names)
    # The worst first; beside it the internet has a word of its own.
    rule = opening_ones[0].rule or after[0]
    named = [_opened(rule, _modification(change, rule), _through(rule, opening_ones, names), names)]
    opened = _to_world(opening_ones)
    if opened is not None and opened.rule != rule and opening_ones[0].opens not in _INTERNET:
        named.append(f"{service_phrase(opened.rule)} opened to {_through(opened.rule, opening_ones, names)}")
    return f"{', '.join(named)}{_and_more(after, len(named))} on {group}"


def _described(rule: SecurityGroupRule, after: Sequence[SecurityGroupRule], group: str, names: PeerNames) -> str:
    return (
        f"description changed of {service_phrase(rule)}, {peer_phrase(rule.peer, names)}{_and_more(after)} on {group}"
    )


def _and_more(rules: Sequence[SecurityGroupRule], named: int = 1) -> str:
    return f" and {number_of(len(rules) - named, 'more rule')}" if len(rules) > named else ""


def _modification(change: Change, rule: SecurityGroupRule) -> ModifiedRule | None:
    return next((item for item in change.changes.modified if item.after == rule), None)


# By what an exposure opens: to whom.
_INTERNET: dict[Opens | None, str] = {
    Opens.WORLD: "the internet",
    Opens.QUARTER: "a quarter or more of the internet",
}


class _ToInternet(NamedTuple):
    """A rule that newly lets the internet in, all of it or a quarter or more, and that in words."""

    rule: SecurityGroupRule
    whom: str


def _to_world(exposures: Iterable[Exposure]) -> _ToInternet | None:
    """The first of them that newly lets the internet in."""
    for item in exposures:
        if item.rule is not None and (whom := _INTERNET.get(item.opens)):
            return _ToInternet(item.rule, whom)
    return None


def _through(rule: SecurityGroupRule, exposures: Iterable[Exposure], names: PeerNames) -> str:
    """Whom the rule lets in: the internet also where it takes other rules or a prefix list to say so."""
    opened = {item.opens for item in exposures if item.rule == rule}
    if Opens.WORLD in opened and not is_world(rule.peer):
        return f"the internet through {peer_phrase(rule.peer, names)}"
    if Opens.QUARTER in opened and Opens.WORLD not in opened:
        return f"{_INTERNET[Opens.QUARTER]} through {peer_phrase(rule.peer, names)}"
    return peer_phrase(rule.peer, names)


def _opened(rule: SecurityGroupRule, changed: ModifiedRule | None, peer: str, names: PeerNames) -> str:
    service = service_phrase(rule)
    was = _previous(changed, rule, names) if changed else ""
    if rule.direction is Direction.EGRESS:
        return f"{service} {'now ' if changed else ''}allowed out to {peer}{was}"
    if changed:
        # Which way it goes may not be known.
        return f"{service} {'may now be' if rule.direction is None else 'now'} open to {peer}{was}"
    return f"{service} opened to {peer}"


def _nothing_opened(change: Change, rule: SecurityGroupRule, group: str, names: PeerNames) -> str:
    """A rule that allows only what was allowed before: in words that open nothing."""
    after, changed = _new_rules(change), _modification(change, rule)
    way = "out to" if rule.direction is Direction.EGRESS else "from"
    what, more = f"{service_phrase(rule)} {way} {peer_phrase(rule.peer, names)}", _and_more(after)
    if changed is None:
        return f"rule for {what}{more} added on {group}, which opens nothing new"
    if changed.before is not None and changed.before.identity == rule.identity:
        return _described(rule, after, group, names)
    was = _previous(changed, rule, names)
    if changed.before is not None and is_within(rule, changed.before):
        return f"rule narrowed to {what}{was}{more} on {group}"
    return f"rule changed to {what}{was}{more} on {group}, which opens nothing new"


def _previous(changed: ModifiedRule, rule: SecurityGroupRule, names: PeerNames) -> str:
    """What the rule was, as far as it differs: ``, was 10.0.0.0/8``."""
    before = changed.before
    if before is None:
        return " by a changed rule"
    parts = []
    if service_phrase(before) != service_phrase(rule):
        parts.append(service_phrase(before))
    if before.peer != rule.peer:
        parts.append(previous_peer_phrase(before.peer, names, beside_ipv6=rule.peer.type is PeerType.IPV6))
    return f" (was {' from '.join(parts)})" if parts else ""


# What of a removed rule the others allow.
_LEFT: dict[ExposureKind | None, str] = {
    ExposureKind.STILL_ALLOWED: "the same",
    ExposureKind.PARTLY_ALLOWED: "a part of it",
}


def _removed_title(change: Change, exposures: tuple[Exposure, ...], group: str, names: PeerNames) -> str:
    removed = change.changes.removed
    if change.answered_no and not removed:
        return f"rules may have been removed from {group}"
    if change.no_answer:
        return f"rules may have been removed from {group}: AWS's answer is not in the record"
    if not removed and change.changes.before_known:
        return f"nothing removed from {group}, which had no such rules"
    if not removed:
        return f"rules removed from {group} that the record does not list"
    # The same as in the summary, which may also begin with another reason: root, say.
    rule = most_telling_rule(exposures) or removed[0]
    more = f" and {number_of(len(removed) - 1, 'more rule')}" if len(removed) > 1 else ""
    service, peer = service_phrase(rule), peer_phrase(rule.peer, names)
    left = next((_LEFT[item.kind] for item in exposures if item.rule == rule and item.kind in _LEFT), None)
    if left:
        way = "from" if is_ingress(rule) else "to"
        return f"rule for {service} {way} {peer}{more} removed on {group}, others still allow {left}"
    if is_ingress(rule):
        return f"{service} closed to {peer}{more} on {group}"
    return f"{service} no longer allowed out to {peer}{more} on {group}"


def _attempt(change: Change, exposures: tuple[Exposure, ...], group: str, names: PeerNames) -> str:
    rules = change.changes.attempted
    if not rules:
        return _attempt_without_rules(change, group)
    rule = most_telling_rule(exposures) or rules[0]
    service, peer = service_phrase(rule), peer_phrase(rule.peer, names)
    more = f" and {number_of(len(rules) - 1, 'more rule')}" if len(rules) > 1 else ""
    out, asked = change.event.is_egress, change.event.verb
    if asked is Verb.AUTHORIZE:
        verb = f"allowing {service} out to {peer}" if out else f"opening {service} to {peer}"
    elif asked is Verb.REVOKE:
        verb = f"disallowing {service} out to {peer}" if out else f"closing {service} to {peer}"
    elif asked is Verb.MODIFY:
        verb = f"changing a rule to {service}, {peer}"
    else:
        verb = f"describing {service}, {peer}"
    return f"{verb}{more} on {group}"


def _attempt_without_rules(change: Change, group: str) -> str:
    if change.attachment:
        doing = "modifying" if change.keeps_groups else "changing the security groups of"
        return f"{doing} {_resource(change.attachment)}"
    if change.prefix_list:
        return _attempt_on_list(change.prefix_list)
    if change.rule_ids:
        return f"{_ON_RULES[change.event.verb]} {_rule_ids(change.rule_ids)} on {group}"
    named = named_group_phrase(change.group_name, change.group_id)
    vpc = printable(change.associated_vpc_id or "a VPC", 40)
    verbs = {
        "CreateSecurityGroup": f"creating {named}",
        "DeleteSecurityGroup": f"deleting {named}",
        "AssociateSecurityGroupVpc": f"associating {named} with {vpc}",
        "DisassociateSecurityGroupVpc": f"disassociating {named} from {vpc}",
    }
    return verbs.get(change.event.name, f"{change.event.name} on {group}")


def _attempt_on_list(prefix_list: PrefixListChange) -> str:
    named = _list(prefix_list)
    if prefix_list.restored_version is not None:
        return f"restoring version {prefix_list.restored_version} of {named}"
    counted = (("adding", "to", prefix_list.added), ("removing", "from", prefix_list.removed))
    said = [f"{doing} {_ranges(cidrs)} {where}" for doing, where, cidrs in counted if cidrs]
    if not said or prefix_list.prefix_list_id is None:
        return f"changing {named}"
    return _whole(f"{' and '.join(said)} {named}", f"{said[0]} {named}", f"changing {named}")


def _whole(*choices: str) -> str:
    """The first that leaves a title room for what became of the call: what it was about is not cut."""
    return next((text for text in choices if len(text) <= MAX_TITLE - len("Dry run: ")), choices[-1])


_ON_RULES = {Verb.REVOKE: "removing", Verb.DESCRIBE: "describing", Verb.MODIFY: "changing"}


def _rule_ids(rule_ids: Sequence[str]) -> str:
    more = f" and {number_of(len(rule_ids) - 1, 'more rule')}" if len(rule_ids) > 1 else ""
    return f"rule {printable(rule_ids[0], 40)}{more}"
