"""How awkward a local cloud is: each trait by itself, and the strengths used by tests and campaigns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Awkwardness:
    """What AWS is documented to do; zero turns a trait off. Durations are AWS's own, in seconds.

    ``clock_divisor`` divides every duration, so that a minute of AWS passes in a fraction of a second here.
    What is left to chance is drawn from ``seed``.

    :param stale_reads: how long a read may show the state before a change
    :param late_lookups: how old a record is before LookupEvents returns it (AWS: up to 15 minutes)
    :param mapping_changes: how long an event source mapping is Creating or Updating, and refuses changes
    :param deleted_queues: how long the name of a deleted queue is refused (AWS: 60 s)
    :param purged_queues: how long a second PurgeQueue is refused (AWS: 60 s)
    :param ttl_changes: how long a table's time to live is not changed again (AWS: an hour)
    :param lambda_rate: requests a second to Lambda's control plane, for all callers of a region (AWS: 15)
    :param sdk_lacks: operations that the SDK of functions does not know yet, such as
        ``("cloudwatch", "ListAlarmMuteRules")``; read when the cloud starts
    :param throttled: of a thousand calls, how many are throttled
    """

    stale_reads: float = 0.0
    late_lookups: float = 0.0
    mapping_changes: float = 0.0
    deleted_queues: float = 0.0
    purged_queues: float = 0.0
    ttl_changes: float = 0.0
    lambda_rate: float = 0.0
    throttled: int = 0
    sdk_lacks: frozenset[tuple[str, str]] = frozenset()
    clock_divisor: float = 1.0
    seed: int = 0

    def wait(self, seconds: float) -> float:
        """The seconds that a duration of AWS takes here."""
        return seconds / self.clock_divisor


NONE = Awkwardness()
# For end-to-end tests: nothing is left to chance, and waits as AWS documents them take less than a second.
MILD = Awkwardness(
    mapping_changes=20.0, deleted_queues=60.0, purged_queues=60.0, ttl_changes=3600.0, clock_divisor=100.0
)
FULL = Awkwardness(
    stale_reads=10.0,
    late_lookups=900.0,
    mapping_changes=40.0,
    deleted_queues=60.0,
    purged_queues=60.0,
    ttl_changes=3600.0,
    lambda_rate=15.0,
    throttled=20,
    clock_divisor=100.0,
)
BY_NAME = {"none": NONE, "mild": MILD, "full": FULL}
