"""CloudFormation stacks whose creation fails: rolled back, and no use until they are deleted.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.cloudformation.models import cloudformation_backends

from localcloud.aws_error import AwsError
from localcloud.gaps.stack_resources import ROLLED_BACK, roll_back

if TYPE_CHECKING:
    from localcloud.calls import ApiRequest

REASON = "The following resource(s) failed to create: [Deliveries]. Rollback requested by user."
CHANGING = frozenset({"CreateStack", "UpdateStack", "CreateChangeSet"})


@dataclass(slots=True)
class FailingStacks:
    """Rolls back the next creation of each stack named in ``names``."""

    names: set[str] = field(default_factory=set)

    def refusal(self, call: ApiRequest, account_id: str) -> AwsError | None:
        """The error that refuses to change a stack that was rolled back."""
        if call.service != "cloudformation" or call.operation not in CHANGING:
            return None
        stack = _stack(call, account_id, str(call.params.get("StackName")))
        if stack is None or stack.status != ROLLED_BACK:
            return None
        text = f"Stack:{stack.stack_id} is in {ROLLED_BACK} state and can not be updated."
        return AwsError("ValidationError", text)

    def note(self, call: ApiRequest, account_id: str) -> None:
        """Roll back what a call has just created."""
        name = str(call.params.get("StackName"))
        if call.service != "cloudformation" or name not in self.names:
            return
        if call.operation in ("CreateStack", "ExecuteChangeSet"):
            stack = _stack(call, account_id, name)
            if stack is not None and stack.status == "CREATE_COMPLETE":
                self.names.remove(name)
                roll_back(stack, REASON)


def _stack(call: ApiRequest, account_id: str, name: str) -> Any | None:
    stacks = cloudformation_backends[account_id][call.region].stacks.values()
    return next((item for item in stacks if name in (item.name, item.stack_id) and "DELETE" not in item.status), None)
