"""The stack of durable resources: its change set, shown before it is made, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sgwatch.durable_template import TEMPLATE, StagePlace
from sgwatch.terminal import note

CHANGE_SET = "sgwatch-setup"
POLL_SECONDS = 2.0
MOST_POLLS = 450
# The status of a stack of which there is nothing but a change set that somebody may agree to.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
PLANNED = "REVIEW_IN_PROGRESS"
# Of these nothing can become anything; they can only be deleted.
UNUSABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
# CloudFormation has no code for "nothing to do", only these sentences.
_NOTHING = ("didn't contain changes", "No updates are to be performed")


class StackError(Exception):
    """CloudFormation did not do it; the text says what it said."""

    @property
    def is_queue_name_taken(self) -> bool:
        """Whether SQS refused a queue because one of its name was deleted just now; CloudFormation hands on no code."""
        return any(text in str(self) for text in ("QueueDeletedRecently", "60 seconds after deleting a queue"))


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What CloudFormation would do: ``lines`` are empty where it would do nothing."""

    lines: tuple[str, ...]
    creates: bool


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack at a place."""

    client: Any
    place: StagePlace
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], object] = note

    def plan(self) -> ChangeSet:
        """Make a change set and say what is in it; one without changes is taken away again.

        Raises:
            StackError: there can be none now.
        """
        status = self._settled()
        if status in UNUSABLE:
            self.say(f"The stack {self.place.stack} could not be made once ({status}): removing what is left of it …")
            self.delete()
            status = None
        creates = status in (None, PLANNED)
        try:
            self._create_anew(creates=creates)
        except self.client.exceptions.ClientError as error:
            if _NOTHING[1] in str(error):
                return ChangeSet((), creates=False)
            raise
        described = self._until(self._change_set, ("CREATE_COMPLETE", "FAILED"), "Status")
        lines = tuple(_line(item["ResourceChange"]) for item in described.get("Changes", ()))
        if described["Status"] == "FAILED":
            self.discard()
            reason = str(described.get("StatusReason"))
            if not any(sentence in reason for sentence in _NOTHING):
                raise StackError(reason)
            return ChangeSet((), creates=False)
        if not lines:
            self.discard()
        return ChangeSet(lines, creates)

    def _settled(self) -> str | None:
        """The status, once nothing is being changed."""
        status = self.status()
        if status == PLANNED or not str(status).endswith("_IN_PROGRESS"):
            return status
        self.say(f"Waiting for the stack {self.place.stack}, which is {status} …")
        for _ in range(MOST_POLLS):
            self.sleep(POLL_SECONDS)
            status = self.status()
            if not str(status).endswith("_IN_PROGRESS"):
                return status
        raise StackError(f"the stack {self.place.stack} is still {status}: try again when that has ended")

    def topic(self) -> str:
        """The alarm topic that the stack was given last; empty where there is none."""
        return self._given().get("AlarmTopicArn") or ""

    def path_alarms(self) -> tuple[str, ...]:
        """The alarms of the alarm path that the stack was given last."""
        return tuple(filter(None, (self._given().get("PathAlarmArns") or "").split(",")))

    def _given(self) -> dict[str, str]:
        if self.status() is None:
            return {}
        return {item["ParameterKey"]: item.get("ParameterValue", "") for item in self._stack().get("Parameters", ())}

    def _create_anew(self, *, creates: bool) -> None:
        """Make the change set; one that nobody answered for gives way."""
        try:
            self._create(creates=creates)
        except self.client.exceptions.AlreadyExistsException:
            self.discard()
            self._create(creates=creates)

    def _create(self, *, creates: bool) -> None:
        self.client.create_change_set(
            StackName=self.place.stack,
            ChangeSetName=CHANGE_SET,
            ChangeSetType="CREATE" if creates else "UPDATE",
            TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
            Parameters=[
                {"ParameterKey": "Stage", "ParameterValue": self.place.stage},
                {"ParameterKey": "AlarmTopicArn", "ParameterValue": self.place.topic},
                {"ParameterKey": "PathAlarmArns", "ParameterValue": ",".join(self.place.path_alarms)},
            ],
            Tags=[{"Key": "app", "Value": "sgwatch"}],
        )

    def execute(self) -> None:
        """Make the changes and wait for the end.

        Raises:
            StackError: they were rolled back; what was there before goes on working.
        """
        self.client.execute_change_set(StackName=self.place.stack, ChangeSetName=CHANGE_SET)
        stack = self._until(self._stack, ("_COMPLETE", "_FAILED"), "StackStatus")
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise StackError(f"{stack['StackStatus']}: {self._why()}")

    def discard(self) -> None:
        """Forget the change set."""
        self.client.delete_change_set(StackName=self.place.stack, ChangeSetName=CHANGE_SET)

    def delete(self) -> None:
        """Take the stack away and wait for the end."""
        self.client.delete_stack(StackName=self.place.stack)
        for _ in range(MOST_POLLS):
            status = self.status()
            if status is None or status == "DELETE_COMPLETE":
                return
            if status == "DELETE_FAILED":
                raise StackError(self._why())
            self.sleep(POLL_SECONDS)
        raise StackError(f"the stack {self.place.stack} is not gone yet")

    def status(self) -> str | None:
        """The stack's status, None where there is none."""
        try:
            return str(self._stack()["StackStatus"])
        except self.client.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def _stack(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=self.place.stack)["Stacks"][0]
        return found

    def _change_set(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_change_set(StackName=self.place.stack, ChangeSetName=CHANGE_SET)
        return found

    def _until(self, look: Callable[[], dict[str, Any]], endings: tuple[str, ...], key: str) -> dict[str, Any]:
        for _ in range(MOST_POLLS):
            found = look()
            status = found[key]
            if status.endswith(endings) and "CLEANUP" not in status:
                return found
            self.sleep(POLL_SECONDS)
        raise StackError(f"the stack {self.place.stack} has not come to an end")

    def _why(self) -> str:
        events = self.client.describe_stack_events(StackName=self.place.stack)["StackEvents"]
        failed = [item for item in events if str(item.get("ResourceStatus", "")).endswith("_FAILED")]
        reasons = [f"{item['LogicalResourceId']}: {item.get('ResourceStatusReason', '')}" for item in reversed(failed)]
        return "; ".join(reasons[:5]) or "no reason was given"


def _line(change: dict[str, Any]) -> str:
    verbs = {"Add": "add", "Modify": "change", "Remove": "remove"}
    replaced = " (replaced)" if change.get("Replacement") == "True" else ""
    verb = verbs.get(change["Action"], change["Action"].lower())
    return f"{verb} {change['ResourceType']} {change['LogicalResourceId']}{replaced}"
