"""The accounts that a command is about, those named or an organization's, and how each is entered.

The SDK is imported where accounts are asked: commands about one account do without this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.arns import parse_arn
from chalicelib.aws.clients import ClientFactory
from chalicelib.aws.member_role import MemberRole

if TYPE_CHECKING:
    from chalicelib.aws.account_clients import AccountClients
    from sgwatch.organization import Organization

_ID_LENGTH = 12


class AccountsError(ValueError):
    """The accounts that were asked for cannot be established; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class AskedAccounts:
    """Accounts by id, or all of the ``organization``, and the role to assume in each but one's own."""

    accounts: tuple[str, ...]
    role: str
    external_id: str
    organization: bool = False


@dataclass(frozen=True, slots=True)
class FleetAccounts:
    """``names``: id → name of the accounts, empty where it is not known; ``own_id`` is that of the credentials."""

    own_id: str
    names: Mapping[str, str]
    organization: Organization | None
    own: ClientFactory
    _members: AccountClients
    _role: MemberRole

    def enter(self, account_id: str) -> ClientFactory:
        """The clients of an account.

        Raises:
            NotAssumed: the role in it could not be assumed.
        """
        return self.own if account_id == self.own_id else self._members.member(account_id, self._role)


def fleet_accounts(clients: ClientFactory, region: str, asked: AskedAccounts) -> FleetAccounts:
    """The accounts that were asked for.

    Raises:
        AccountsError: an id is none, or AWS does not list the organization's.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    from chalicelib.aws.account_clients import AccountClients  # noqa: PLC0415
    from sgwatch.aws_refusals import sentence  # noqa: PLC0415
    from sgwatch.organization import read_organization  # noqa: PLC0415

    wrong = [each for each in asked.accounts if not (each.isdecimal() and len(each) == _ID_LENGTH)]
    if wrong:
        raise AccountsError(f'"{wrong[0]}" is not an account id, which has 12 digits')
    try:
        caller = clients("sts", region).get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        raise AccountsError(f"AWS does not say which account this is: {sentence(error)}") from error
    try:
        organization = read_organization(clients, region) if asked.organization else None
    except (ClientError, BotoCoreError) as error:
        who = "only the management account and delegated administrators may list an organization's accounts"
        raise AccountsError(f"{sentence(error)}: {who}; else name accounts by their ids") from error
    listed = dict(organization.accounts) if organization else {}
    names = {each: listed.get(each, "") for each in asked.accounts} or listed
    arn = parse_arn(caller["Arn"])
    role = MemberRole(asked.role, asked.external_id, arn.partition if arn else "aws")
    return FleetAccounts(str(caller["Account"]), names, organization, clients, AccountClients(clients, region), role)
