"""The sweep of member accounts: each region's groups, and its forwarder, in turn and within the function's time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from chalicelib.alarm_path.snapshot.collect_forwarders import opted_in
from chalicelib.alarm_path.watch.member_forwarders import MemberForwarders
from chalicelib.aws.account_clients import NotAssumed
from chalicelib.aws.clients import ClientFactory
from chalicelib.observability.logs import Log
from chalicelib.reconciliation.places import FleetPlace, Turn, in_turn
from chalicelib.settings.fields import ALL_REGIONS

# Kept back from the function's time for the place that is being swept when it is over.
PLACE_SECONDS = 60.0


class RegionsNotListed(Exception):  # noqa: N818 - it reads as what happened
    """AWS did not say which regions are enabled for an account; the text has its answer."""


@dataclass(frozen=True, slots=True)
class MemberSweep:
    """Sweeps ``regions`` of each account, or those that are enabled there.

    ``enter`` gives an account's clients or raises NotAssumed, ``reconcile`` sweeps one region with them.
    ``home`` is where a member is asked for its regions, ``forwarders`` is None where none are looked at.
    """

    accounts: Collection[str]
    regions: Collection[str]
    home: str
    enter: Callable[[str], ClientFactory]
    reconcile: Callable[[FleetPlace, ClientFactory], object]
    forwarders: MemberForwarders | None
    turn: Turn
    log: Log
    _entered: dict[str, ClientFactory] = field(default_factory=dict)
    _failed: dict[str, Exception] = field(default_factory=dict)

    def run(self, remaining_ms: Callable[[], float]) -> int:
        """Sweep as many places as there is time for, beginning after the one that was last; gives how many.

        Raises:
            ExceptionGroup: some could not be swept; the others were.
        """
        swept = 0
        for place in in_turn(self.accounts, self._regions_of, self.turn.last()):
            if remaining_ms() < PLACE_SECONDS * 1000:
                self.log.warning("the next run goes on", account=place.account_id, region=place.region, swept=swept)
                break
            self._sweep(place)
            self.turn.note(place)
            swept += 1
        self.log.info("member accounts swept", places=swept, failed=len(self._failed))
        if self._failed:
            raise ExceptionGroup("some member accounts could not be reconciled", list(self._failed.values()))
        return swept

    def _sweep(self, place: FleetPlace) -> None:
        clients = self._entered[place.account_id]
        try:
            if self.forwarders is not None:
                self.forwarders.look(place.account_id, place.region, clients)
            self.reconcile(place, clients)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is raised when the others have had their turn
            self._fail(f"{place.account_id} {place.region}", error)

    def _regions_of(self, account_id: str) -> Collection[str]:
        """The account's regions; none where it cannot be entered, which is alerted on."""
        try:
            self._entered[account_id] = self.enter(account_id)
            return self._listed(self._entered[account_id])
        except (NotAssumed, RegionsNotListed) as error:
            self._fail(account_id, error)
            self._report(account_id, str(error))
        return ()

    def _listed(self, clients: ClientFactory) -> Collection[str]:
        if ALL_REGIONS not in self.regions:
            return self.regions
        errors: list[dict[str, Any]] = []
        found = opted_in(clients, self.home, errors)
        if found is None:
            raise RegionsNotListed("; ".join(f"{error['call']}: {error['code']}" for error in errors))
        return found

    def _report(self, account_id: str, reason: str) -> None:
        if self.forwarders is None:
            return
        try:
            self.forwarders.not_entered(account_id, self.home, reason)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(f"{account_id} alert", error)

    def _fail(self, what: str, error: Exception) -> None:
        self._failed[what] = error
        self.log.error("member account could not be reconciled", what=what, exc_info=error)
