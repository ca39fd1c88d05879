"""Expected automation: a role or a user of IAM by what a caller cannot choose, as the condition of a silence.

The session's name, the source identity and the user agent are the caller's own choice; the name of the role, or of the
user, and its account are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from chalicelib.aws.arns import parse_arn

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_RESOURCE = r"(?P<kind>role|user)/(?:[\w+=,.@/-]{1,510}/)?(?P<name>[\w+=,.@-]{1,64})"


class ExpectedAutomation(NamedTuple):
    """Who makes changes that are expected: ``kind`` is ``role`` or ``user``."""

    kind: str
    account_id: str
    name: str

    def condition(self, when: str | None = None) -> str:
        """The JMESPath expression on alerts: made by it, and ``when`` holds where that is given."""
        made_by = f"principal.account_id == '{self.account_id}' && "
        if self.kind == "role":
            made_by += f"principal.role == '{self.name}'"
        else:
            # Names of users are unique in an account, whatever their path.
            made_by += f"principal.type == 'IAMUser' && ends_with(principal.arn, '/{self.name}')"
        return f"{made_by} && ({when})" if when else made_by


def parse_automation(text: str, account: Callable[[], str]) -> ExpectedAutomation:
    """The role or user of ``role/terraform-ci``, in the account that ``account`` gives, or of an ARN.

    Raises:
        ValueError: it is neither, or people's own.
    """
    arn = parse_arn(text) if text.startswith("arn:") else None
    match = re.fullmatch(_RESOURCE, arn.resource if arn else text, re.ASCII)
    if match is None or (arn is not None and (arn.service != "iam" or not re.fullmatch(r"\d{12}", arn.account))):
        raise ValueError(
            f'"{text}" is neither role/NAME or user/NAME nor the ARN of one such as '
            "arn:aws:iam::123456789012:role/terraform-ci (that of a session is none: its end is the caller's choice)"
        )
    if match["name"].startswith("AWSReservedSSO_"):
        raise ValueError(f'"{text}" is a role of IAM Identity Center, which is for people')
    return ExpectedAutomation(match["kind"], arn.account if arn else account(), match["name"])
