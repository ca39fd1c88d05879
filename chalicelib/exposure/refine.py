"""The judgement with look-ups, for callers that first judge without them."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.exposure.judge import judge
from chalicelib.security_groups.lookup_result import Facts, LookupResult, ResolvedChange
from chalicelib.security_groups.severity import Exposure, ExposureKind


def refine(
    exposures: Iterable[Exposure], known: ResolvedChange, world: LookupResult, facts: Facts
) -> tuple[Exposure, ...]:
    """The exposures with what the look-ups add to them, worst first."""
    if not known.change.succeeded:
        return tuple(exposures)
    by_root = any(item.kind is ExposureKind.ROOT for item in exposures)
    return judge(known, world, by_root=by_root, account_id=facts.account_id)
