"""The accounts of an organization, as its management account or a delegated administrator may list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.aws.clients import ClientFactory


@dataclass(frozen=True, slots=True)
class Organization:
    """``accounts``: id → name of each active account, the management account's too."""

    id: str
    management_account_id: str
    accounts: Mapping[str, str]


def read_organization(clients: ClientFactory, region: str) -> Organization:
    """The organization of the account that the clients belong to.

    Raises:
        ClientError: AWS refused; only the management account and delegated administrators may list accounts.
    """
    organizations = clients("organizations", region)
    described = organizations.describe_organization()["Organization"]
    accounts: dict[str, str] = {}
    for page in organizations.get_paginator("list_accounts").paginate():
        # AWS retires `Status` in favor of `State`, which older SDKs do not know.
        # https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
        active = (item for item in page["Accounts"] if item.get("State", item.get("Status")) == "ACTIVE")
        accounts |= {str(item["Id"]): str(item.get("Name", "")) for item in active}
    return Organization(str(described["Id"]), str(described["MasterAccountId"]), accounts)
