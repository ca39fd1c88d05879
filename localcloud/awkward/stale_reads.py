"""Reads that show the state before a change for a while.

EC2 is eventually consistent: "a subsequent Describe may not reflect the change".
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import copy
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.awkward.awkwardness import Awkwardness
    from localcloud.calls import ApiRequest

GroupStates = dict[str, dict[str, Any]]
CHANGES = ("Authorize", "Revoke", "Modify", "Create", "Delete", "Update")


@dataclass(slots=True)
class StaleReads:
    """The security groups of each account and region as they were before the oldest change that is still young."""

    awkwardness: Awkwardness
    clock: Callable[[], float] = time.monotonic
    _before: dict[tuple[str, str], tuple[float, GroupStates]] = field(default_factory=dict)

    @contextmanager
    def around(self, call: ApiRequest, account_id: str) -> Iterator[None]:
        """Keep what stands before a change; show it to a read while it is young. Held by the endpoint's lock."""
        place = (account_id, call.region)
        if not self.awkwardness.stale_reads or call.service != "ec2" or "SecurityGroup" not in call.operation:
            yield
        elif call.operation.startswith(CHANGES):
            if self._young(place) is None:
                self._before[place] = (self.clock(), _copied(ec2_backends[account_id][call.region].groups))
            yield
        elif (groups := self._young(place)) is not None:
            backend = ec2_backends[account_id][call.region]
            now, backend.groups = backend.groups, groups
            try:
                yield
            finally:
                backend.groups = now
        else:
            yield

    def _young(self, place: tuple[str, str]) -> GroupStates | None:
        at, groups = self._before.get(place, (0.0, None))
        if groups is None or self.clock() - at >= self.awkwardness.wait(self.awkwardness.stale_reads):
            self._before.pop(place, None)
            return None
        return groups


def _copied(groups: GroupStates) -> GroupStates:
    """The groups with rules of their own; what they refer to beyond that is shared."""
    copied = copy.copy(groups)  # of moto's own type, which makes an entry for a VPC that it is asked for
    for vpc, inner in groups.items():
        copied[vpc] = {group_id: _group(group) for group_id, group in inner.items()}
    return copied


def _group(group: Any) -> Any:
    copied = copy.copy(group)
    copied.ingress_rules = [copy.copy(rule) for rule in group.ingress_rules]
    copied.egress_rules = [copy.copy(rule) for rule in group.egress_rules]
    return copied
