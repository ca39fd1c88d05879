"""The stacks of forwarders in this account's other regions: made or updated, several at a time, each to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sgwatch.aws_refusals import sentence
from sgwatch.durable_stack import StackError

POLL_SECONDS = 2.0
MOST_POLLS = 450
# CloudFormation has no code for either, only these sentences.
_NOTHING_TO_DO, _NO_STACK = "No updates are to be performed", "does not exist"
# Such a stack can only be deleted. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_ROLLED_BACK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")


class StackOutcome(StrEnum):
    """What became of a stack."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ForwarderStack:
    """The stack of one region's forwarder."""

    client: Any
    name: str
    sleep: Callable[[float], None] = time.sleep

    def status(self) -> str | None:
        """The stack's status, None where there is none.

        Raises:
            ClientError: AWS refused to say.
        """
        try:
            return str(self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if _NO_STACK in str(error):
                return None
            raise

    def deploy(self, template: str, parameters: Mapping[str, str]) -> tuple[StackOutcome, str]:
        """Make or update the stack and wait for its end; gives what became of it and, where it failed, why."""
        try:
            return self._deploy(template, parameters)
        except (ClientError, BotoCoreError) as error:
            return StackOutcome.FAILED, sentence(error)

    def _deploy(self, template: str, parameters: Mapping[str, str]) -> tuple[StackOutcome, str]:
        status = self.status()
        if status in _ROLLED_BACK:
            self.client.delete_stack(StackName=self.name)
            status = self._end()
        elif status is not None and status.endswith("_IN_PROGRESS"):
            status = self._end()
        wanted = {
            "StackName": self.name,
            "TemplateBody": template,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Tags": [{"Key": "app", "Value": "sgwatch"}],
        }
        creates = status in (None, "DELETE_COMPLETE")
        try:
            (self.client.create_stack if creates else self.client.update_stack)(**wanted)
        except ClientError as error:
            if _NOTHING_TO_DO in str(error):
                return StackOutcome.UNCHANGED, ""
            raise
        ended = self._end()
        if ended in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return StackOutcome.CREATED if creates else StackOutcome.UPDATED, ""
        return StackOutcome.FAILED, f"{ended}: {self._why()}"

    def delete(self) -> None:
        """Delete the stack and wait for its end.

        Raises:
            StackError: something of it is still there; the text says why.
        """
        self.client.delete_stack(StackName=self.name)
        ended = self._end()
        if ended not in (None, "DELETE_COMPLETE"):
            raise StackError(f"{ended}: {self._why()}")

    def _end(self) -> str | None:
        for _ in range(MOST_POLLS):
            status = self.status()
            if status is None or not status.endswith("_IN_PROGRESS"):
                return status
            self.sleep(POLL_SECONDS)
        return f"not done after {POLL_SECONDS * MOST_POLLS:.0f} s"

    def _why(self) -> str:
        events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [item for item in events if str(item.get("ResourceStatus", "")).endswith("_FAILED")]
        reasons = [f"{item['LogicalResourceId']}: {item.get('ResourceStatusReason', '')}" for item in reversed(failed)]
        return "; ".join(reasons[:3]) or "no reason was given"
