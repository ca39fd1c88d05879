"""Every trait at once, as the endpoint asks for them around a call."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localcloud.awkward.settling import CHANGES, Settling
from localcloud.awkward.stale_reads import StaleReads
from localcloud.awkward.throttling import Throttle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.awkward.awkwardness import Awkwardness
    from localcloud.awkward.stacks import FailingStacks
    from localcloud.aws_error import AwsError
    from localcloud.calls import ApiRequest


class Traits:
    """The traits of one local cloud. ``set`` makes it as awkward as asked from the next call on."""

    def __init__(self, awkwardness: Awkwardness) -> None:
        self._failing: FailingStacks | None = None
        self.set(awkwardness)

    def fail_stack(self, name: str) -> None:
        """Let the next creation of a CloudFormation stack fail and be rolled back."""
        self._stacks().names.add(name)

    def _stacks(self) -> FailingStacks:
        from localcloud.awkward.stacks import FailingStacks  # noqa: PLC0415  # moto's CloudFormation takes seconds

        if self._failing is None:
            self._failing = FailingStacks()
        return self._failing

    def set(self, awkwardness: Awkwardness) -> None:
        """Forget what was settling, and be this awkward."""
        self.awkwardness = awkwardness
        self._throttle = Throttle(awkwardness)
        self._settling = Settling(awkwardness)
        self._stale_reads = StaleReads(awkwardness)

    def refusal(self, call: ApiRequest, account_id: str) -> AwsError | None:
        """The error with which AWS would refuse this call at this moment."""
        refused = self._throttle.refusal(call, account_id) or self._settling.refusal(call, account_id)
        if refused is None and self._failing is not None:
            refused = self._failing.refusal(call, account_id)
        return refused

    def around(self, call: ApiRequest, account_id: str) -> AbstractContextManager[None]:
        """What a call is answered in."""
        return self._stale_reads.around(call, account_id)

    def concern(self, call: ApiRequest) -> bool:
        """Whether a call changes what settles, or is answered otherwise meanwhile."""
        return (
            call.operation in CHANGES
            or call.service == "cloudformation"
            or (call.service == "lambda" and "EventSourceMapping" in call.operation)
        )

    def note(self, call: ApiRequest, account_id: str, result: Mapping[str, Any]) -> None:
        """Remember a call that succeeded."""
        self._settling.note(call, account_id, result)
        if self._failing is not None:
            self._failing.note(call, account_id)

    def shown(self, call: ApiRequest, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer as it is while things settle; the same where nothing does."""
        return self._settling.shown(call, result) if self.awkwardness.mapping_changes else result

    def looked_up(self, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The records that LookupEvents returns by now."""
        delay = timedelta(seconds=self.awkwardness.wait(self.awkwardness.late_lookups))
        if not delay:
            return list(records)
        newest = datetime.now(UTC) - delay
        return [record for record in records if datetime.fromisoformat(record["eventTime"]) <= newest]
