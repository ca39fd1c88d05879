"""Whether a change can still be taken back as its alert says, judged by what is live now."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.alerts import Alert
from chalicelib.catalog import lookup
from chalicelib.changes import Change, Outcome
from chalicelib.enrichment.before import shows
from chalicelib.enrichment.clients import Call, Reader
from chalicelib.enrichment.known import Rules
from chalicelib.enrichment.wire import read_groups, read_interfaces, read_live_rules
from chalicelib.rules import SecurityGroupRule
from chalicelib.wording import printable, rule_phrase


class CannotUndo(Exception):  # noqa: N818 - a sentence for people, no error of the program
    """The change cannot be taken back now; the text says why."""


def live_difference(alert: Alert) -> list[str]:
    """What undoing changes, a line for each rule or list of groups."""
    changes = alert.changes
    lines = [f"- {_shown(rule)}" for rule in changes.added]
    lines += [f"+ {_shown(rule)}" for rule in changes.removed]
    lines += [
        f"~ {_shown(item.after)}  becomes  {_shown(item.before)}"
        for item in changes.modified
        if item.before is not None
    ]
    if alert.attachment is not None and alert.attachment.groups_before is not None:
        before, after = (
            ", ".join(groups) for groups in (alert.attachment.groups_before, alert.attachment.groups_after)
        )
        lines.append(f"~ {alert.attachment.resource_id}: {after}  becomes  {before}")
    name = alert.event.name or "the call"
    return lines or [f"~ what {printable(name, 80)} did"]


def _shown(rule: SecurityGroupRule) -> str:
    described = f' "{printable(rule.description, 255)}"' if rule.description else ""
    return f"{rule_phrase(rule)}{described}"


def check_unchanged(alert: Alert, read: Reader) -> None:
    """Ask AWS whether the change still stands as it was made.

    Raises:
        CannotUndo: it does not, something changed again since.
        LookupFailed: AWS did not tell.
    """
    event = lookup(alert.event.source, alert.event.name)
    group_id = alert.security_group.id if alert.security_group else None
    if event is None:
        raise CannotUndo("the alert is of no change of a security group")
    if alert.attachment is not None:
        _check_attachment(alert, read)
    elif event.name == "DeleteSecurityGroup":
        _check_deleted(alert, read)
    elif group_id is not None and not event.name.endswith("SecurityGroupVpc"):
        change = Change(event, Outcome.SUCCEEDED, group_id, changes=alert.changes)
        _check_rules(change, alert, read)


def _check_rules(change: Change, alert: Alert, read: Reader) -> None:
    by_group = {"Name": "group-id", "Values": [change.group_id]}
    group = Call("ec2:DescribeSecurityGroups", "describe_security_groups", {"Filters": [by_group]})
    if not read_groups(read(group, alert.account.id, alert.region)):
        raise CannotUndo(f"the security group {change.group_id} does not exist any more")
    call = Call("ec2:DescribeSecurityGroupRules", "describe_security_group_rules", {"Filters": [by_group]})
    live = read_live_rules(read(call, alert.account.id, alert.region))
    if not _still_stands(change, alert, live):
        raise CannotUndo(f"the security group {change.group_id} has changed again since: look at it first")


def _still_stands(change: Change, alert: Alert, live: Rules) -> bool:
    if change.event.name == "CreateSecurityGroup":
        return not any(rule.direction == "ingress" for rule in live)
    expected = alert.changes.rules_after
    return shows(replace(change, rule_ids=()), live) and expected in (None, len(live))


def _check_deleted(alert: Alert, read: Reader) -> None:
    group = alert.security_group
    filters = [
        {"Name": name, "Values": [value]}
        for name, value in (("group-name", group and group.name), ("vpc-id", group and group.vpc_id))
        if value
    ]
    call = Call("ec2:DescribeSecurityGroups", "describe_security_groups", {"Filters": filters})
    if filters and read_groups(read(call, alert.account.id, alert.region)):
        raise CannotUndo("a security group of the same name exists again")


_INTERFACES_OF = {"network interface": "network-interface-id", "instance": "attachment.instance-id"}


def _check_attachment(alert: Alert, read: Reader) -> None:
    attachment = alert.attachment
    by = _INTERFACES_OF.get(attachment.resource_type) if attachment else None
    if attachment is None or by is None:
        return
    parameters = {"Filters": [{"Name": by, "Values": [attachment.resource_id]}]}
    call = Call("ec2:DescribeNetworkInterfaces", "describe_network_interfaces", parameters)
    interfaces = read_interfaces(read(call, alert.account.id, alert.region))
    if not any(set(item.group_ids) == set(attachment.groups_after) for item in interfaces):
        raise CannotUndo(f"the groups of {attachment.resource_id} have changed again since: look at it first")
