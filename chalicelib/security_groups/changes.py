"""A change: what one CloudTrail record did to one security group.

A call that did not succeed changed nothing: its rules are ``attempted``. Whatever the record leaves
open is named in ``unknowns``; what should be in it and cannot be read is in ``unread``, and the
judgement treats that as badly as it may be.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto

from chalicelib.cloudtrail.catalog import WatchedEvent
from chalicelib.cloudtrail.records import DENIED_BY_ENDPOINT
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.rules import Direction, ModifiedRule, SecurityGroupRule
from chalicelib.security_groups.unknowns import Unknown


class Outcome(StrEnum):
    """What became of the API call; only ``succeeded`` changes anything."""

    SUCCEEDED = "succeeded"
    DENIED = "denied"
    FAILED = "failed"
    DRY_RUN = "dry_run"


class NotWatched(ValueError):  # noqa: N818 - it is no error of the program
    """The record is of an event that the catalog does not have, or does not touch a security group."""


class NotUnderstood(ValueError):  # noqa: N818
    """A watched record whose inside cannot be read; the text says what is wrong."""


class Changes(NamedTuple):
    """The rule diff, or the rules of a call that did not succeed (``attempted``, and then nothing else).

    ``rules_after`` counts the group's rules after the change, None where nobody looked.
    """

    added: tuple[SecurityGroupRule, ...] = ()
    removed: tuple[SecurityGroupRule, ...] = ()
    modified: tuple[ModifiedRule, ...] = ()
    attempted: tuple[SecurityGroupRule, ...] = ()
    before_known: bool = True
    rules_after: int | None = None


# What stands in the place of an id that the record does not have.
NOT_NAMED = "unknown"
VPC_ENDPOINT = "VPC endpoint"
CLIENT_VPN = "Client VPN endpoint"


class Attachment(NamedTuple):
    """The groups of one resource before and after; None where not known.

    After are all its groups, but of a VPC endpoint whose groups before are not known only those added. It is None
    where the call did not succeed, only took groups away, or left the groups alone.
    """

    resource_type: str
    resource_id: str
    groups_before: tuple[str, ...] | None
    groups_after: tuple[str, ...] | None


class ListContents(Enum):
    """Where a call says that a prefix list's contents come from."""

    ENTRIES = auto()
    EARLIER_VERSION = auto()
    IPAM = auto()


class PrefixListEntry(NamedTuple):
    """A range in a prefix list, as a CIDR text."""

    cidr: str
    description: str | None = None


class PrefixListChange(NamedTuple):
    """Entries that a change added to a prefix list and removed from it; and whether it renamed it.

    ``prefix_list_id`` is None where the call names only an IPAM resolver or a target of one (``resolver``, in
    words). Of a resolver the entries are the static ranges in its rules. ``version`` was in force before the call,
    ``restored_version`` is the earlier one that is again. ``name`` is what the list is called after the call, and
    ``owner_id`` its account, where the record says so; ``region`` is the list's where a call names one.
    """

    prefix_list_id: str | None
    entries: tuple[PrefixListEntry, ...] = ()
    removed: tuple[str, ...] = ()
    is_renamed: bool = False
    contents: ListContents = ListContents.ENTRIES
    resolver: str = ""
    version: int | None = None
    restored_version: int | None = None
    name: str | None = None
    owner_id: str | None = None
    region: str | None = None
    max_entries: int | None = None
    ends_sync: bool = False

    @property
    def added(self) -> tuple[str, ...]:
        """The added ranges as CIDR texts."""
        return tuple(entry.cidr for entry in self.entries)


class Change(NamedTuple):
    """What one record did to one security group.

    ``attached`` are the groups that an attachment's request gives, whatever came of it; ``detached`` are those that
    ModifyVpcEndpoint takes away. ``skips_privatelink`` is set where a load balancer's inbound rules no longer apply to
    AWS PrivateLink traffic. ``associated_vpc_id`` is the VPC of AssociateSecurityGroupVpc and its opposite, and of a
    Client VPN endpoint's target networks. ``no_answer`` is why AWS's answer to a call that succeeded is not in the
    record; ``answered_no`` is set where it is, and says that the call did nothing. ``rule_ids`` are those of rules that
    the record names by id alone.
    """

    event: WatchedEvent
    outcome: Outcome
    group_id: str | None = None
    group_name: str | None = None
    vpc_id: str | None = None
    description: str | None = None
    changes: Changes = Changes()
    rule_ids: tuple[str, ...] = ()
    associated_vpc_id: str | None = None
    attachment: Attachment | None = None
    attached: tuple[str, ...] = ()
    detached: tuple[str, ...] = ()
    skips_privatelink: bool = False
    prefix_list: PrefixListChange | None = None
    no_answer: str | None = None
    answered_no: bool = False
    unknowns: tuple[Unknown, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the call did what it was asked."""
        return self.outcome is Outcome.SUCCEEDED

    @property
    def keeps_groups(self) -> bool:
        """Whether a call that could have set a resource's groups left them alone."""
        attachment = self.attachment
        return attachment is not None and attachment.groups_after is None and self.changes.before_known

    @property
    def direction(self) -> Direction:
        """Of which rules the call's name speaks; ingress where it names neither."""
        return Direction.EGRESS if self.event.is_egress else Direction.INGRESS


def read_outcome(error_code: str | None) -> Outcome:
    """The outcome by CloudTrail's ``errorCode``; EC2 puts ``Client.`` or ``Server.`` before its own.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    if error_code is None:
        return Outcome.SUCCEEDED
    code = error_code.removeprefix("Client.").removeprefix("Server.")
    if code == "DryRunOperation":
        return Outcome.DRY_RUN
    if code.startswith(("UnauthorizedOperation", "AccessDenied", DENIED_BY_ENDPOINT)):
        return Outcome.DENIED
    return Outcome.FAILED
