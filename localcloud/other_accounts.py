"""Resource policies that let another account's principals in: a role's trust policy and an event bus's policy.

moto keeps them and asks neither. Where both accounts are one, IAM needs the identity policy alone for a bus, and the
trust policy for a role whoever asks.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from localcloud.aws_error import AwsError
from localcloud.callers import PARTITION, CallerIdentity, Callers

if TYPE_CHECKING:
    from localcloud.calls import ApiRequest


def lets_in(policy: Mapping[str, Any], action: str, principal: str, context: Mapping[str, str]) -> bool:
    """Whether a statement of the policy allows the principal, an IAM ARN, the action; no statement denies here."""
    known = {"aws:PrincipalArn": principal, "aws:PrincipalOrgID": _organization(principal), **context}
    return any(
        statement.get("Effect") == "Allow"
        and action in _listed(statement.get("Action"))
        and _names(statement.get("Principal"), principal)
        and all(_holds(*item, known) for item in _conditions(statement))
        for statement in _listed(policy.get("Statement", []))
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(principals: Any, principal: str) -> bool:
    if principals == "*":
        return True
    account = principal.split(":")[4]
    everybody = {"*", account, f"arn:{PARTITION}:iam::{account}:root", principal}
    listed = principals.get("AWS", ()) if isinstance(principals, Mapping) else ()
    return any(str(item) in everybody for item in _listed(listed))


def _conditions(statement: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, expected in keys.items():
            yield operator, key, expected


def _holds(operator: str, key: str, expected: Any, context: Mapping[str, str]) -> bool:
    """Whether one condition holds; a key that the request does not have matches nothing."""
    value = context.get(key, "")
    if operator == "StringEquals":
        return value in _listed(expected)
    return any(isinstance(item, str) and fnmatchcase(value, item) for item in _listed(expected))


def _organization(principal: str) -> str:
    """The organization of the principal's account, empty where it is in none."""
    account = principal.split(":")[4]
    owner, partition = organizations_backends.master_accounts.get(account, (account, PARTITION))
    organization = organizations_backends[owner][partition].org
    return str(organization.id) if organization is not None else ""


@dataclass(frozen=True, slots=True)
class TrustPolicies:
    """AssumeRole as AWS answers it: the role has to be there, and to trust the caller."""

    callers: Callers

    def assume_role(self, call: ApiRequest, _account_id: str, ask: Callable[[], Any]) -> Any:
        """AssumeRole, refused where the role's trust policy does not let the caller in."""
        caller = self.callers.identify(call.access_key_id)
        role_arn = str(call.params["RoleArn"])
        policy = _trust_policy(role_arn)
        context = {"sts:ExternalId": str(call.params.get("ExternalId", ""))}
        if policy is None or not lets_in(policy, "sts:AssumeRole", _principal(caller), context):
            what = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise AwsError("AccessDenied", what)
        return ask()


def _principal(caller: CallerIdentity) -> str:
    return caller.role_arn or caller.arn


def _trust_policy(role_arn: str) -> Mapping[str, Any] | None:
    account = role_arn.split(":")[4]
    roles = iam_backends[account][PARTITION].roles.values()
    documents = [role.assume_role_policy_document for role in roles if role.arn == role_arn]
    found = documents[0] if documents else None
    return json.loads(found) if isinstance(found, str) else found
