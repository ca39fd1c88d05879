"""The role that is assumed in member accounts (infra/member-read.yaml). Imports no SDK, as cold starts name it too."""

from __future__ import annotations

import re

from chalicelib.named_tuple import NamedTuple


class MemberRole(NamedTuple):
    """``name`` is the role's name with its path, or an ARN with ``{account}`` or any account's id in it."""

    name: str
    external_id: str | None = None
    partition: str = "aws"

    def arn(self, account_id: str) -> str:
        """The role in this account."""
        if self.name.startswith("arn:"):
            return re.sub(r"\{account\}|(?<=:)\d{12}(?=:)", account_id, self.name)
        return f"arn:{self.partition}:iam::{account_id}:role/{self.name}"

    def asked(self, account_id: str, session_name: str) -> dict[str, str]:
        """What AssumeRole is asked."""
        external_id = {"ExternalId": self.external_id} if self.external_id else {}
        return {"RoleArn": self.arn(account_id), "RoleSessionName": session_name, **external_id}
