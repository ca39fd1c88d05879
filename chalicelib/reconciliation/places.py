"""Which regions of which accounts a sweep visits, in turn: the next run begins with what this one had no time for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from chalicelib.named_tuple import NamedTuple
from chalicelib.state.state_table import StateTable

_KEY = ("reconcile", "turn")


class FleetPlace(NamedTuple):
    """A region of an account."""

    account_id: str
    region: str


@dataclass(frozen=True, slots=True)
class Turn:
    """Which place was the last to be swept, in the state table; every method raises StateError where that fails."""

    table: StateTable

    def last(self) -> FleetPlace | None:
        """The place, None where none was swept."""
        item = self.table.get(*_KEY) or {}
        account_id, region = item.get("account_id"), item.get("region")
        return FleetPlace(account_id, region) if isinstance(account_id, str) and isinstance(region, str) else None

    def note(self, place: FleetPlace) -> None:
        """The place has had its turn, whatever came of it."""
        pk, sk = _KEY
        self.table.put({"pk": pk, "sk": sk, "account_id": place.account_id, "region": place.region})


def in_turn(
    accounts: Collection[str], regions_of: Callable[[str], Iterable[str]], last: FleetPlace | None
) -> Iterator[FleetPlace]:
    """Every place once, those after ``last`` first; an account's regions are asked for when it has its turn."""
    ordered = sorted(accounts)
    after = [each for each in ordered if last is not None and each > last.account_id]
    before = [each for each in ordered if last is None or each < last.account_id]
    held = last.account_id if last is not None and last.account_id in ordered else None
    regions = sorted(regions_of(held)) if held is not None else []
    rest = last.region if last is not None else ""
    if held is not None:
        yield from (FleetPlace(held, region) for region in regions if region > rest)
    for account_id in (*after, *before):
        yield from (FleetPlace(account_id, region) for region in sorted(regions_of(account_id)))
    if held is not None:
        yield from (FleetPlace(held, region) for region in regions if region <= rest)
