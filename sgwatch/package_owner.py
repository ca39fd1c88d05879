"""Who made a stage that was deployed as a package: what belongs to somebody else is his to change and to remove."""

from __future__ import annotations

from typing import Any, NamedTuple

from chalicelib.deployment import AUDIT_ON_SCHEDULE
from sgwatch.durable_template import StagePlace
from sgwatch.terraform_module import DEPLOYED_BY


class PackageOwner(NamedTuple):
    """``name`` is what people call it, ``removal`` the command that removes what it made."""

    name: str
    removal: str


def package_owner(place: StagePlace, functions: Any) -> PackageOwner | None:
    """Who made the stage's functions; None where ``chalice deploy`` did, or nobody.

    CloudFormation puts its tags on functions, the Terraform module one of its own.
    """
    try:
        found = functions.get_function(FunctionName=place.function(AUDIT_ON_SCHEDULE))
    except functions.exceptions.ResourceNotFoundException:
        return None
    tags = found.get("Tags") or {}
    if stack := tags.get("aws:cloudformation:stack-name"):
        return PackageOwner(
            f"the CloudFormation stack {stack}", f"aws cloudformation delete-stack --stack-name {stack}"
        )
    return PackageOwner("Terraform", "terraform destroy") if DEPLOYED_BY in tags.items() else None
