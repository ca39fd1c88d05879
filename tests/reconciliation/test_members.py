"""The sweep of member accounts: which places, in which turn, and what is alerted of their forwarders."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.alarm_path.snapshot.collect_own_path import Forwarding
from chalicelib.alarm_path.watch.member_forwarders import MemberForwarders
from chalicelib.alert.model import Alert, to_json
from chalicelib.aws.account_clients import NotAssumed
from chalicelib.aws.clients import ClientFactory
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import Stage, forwarder_rules
from chalicelib.observability.logs import Log, Redactor
from chalicelib.reconciliation.members import PLACE_SECONDS, MemberSweep
from chalicelib.reconciliation.places import FleetPlace, Turn, in_turn
from chalicelib.settings.fields import ALL_REGIONS
from chalicelib.state.errors import StateError
from tests.support.quick_table import QuickTable
from tests.support.schema import assert_valid

ACCOUNTS = ("111122223333", "210987654321", "444455556666")
REGIONS = ("ap-southeast-2", "eu-west-1", "us-east-1")
STAGE = Stage("sgwatch-prod-")
RULES = forwarder_rules(STAGE, DEFAULT_WATCH)
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/sgwatch-prod-fleet"
NOW = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
EVERYWHERE = [FleetPlace(account, region) for account in ACCOUNTS for region in REGIONS]


@dataclass
class Member:
    """One account's AWS: the same forwarder in every region, but where it is broken."""

    account_id: str
    broken: dict[str, str] = field(default_factory=dict)
    refused: bool = False

    def __call__(self, service: str, region: str) -> Any:
        return _Client(self, region)


@dataclass
class _Client:
    member: Member
    region: str

    def describe_regions(self) -> dict[str, Any]:
        if self.member.refused:
            raise ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "DescribeRegions")
        return {"Regions": [{"RegionName": region} for region in reversed(REGIONS)]}

    def list_rules(self, **_: str) -> dict[str, Any]:
        state = self.member.broken.get(self.region, "ENABLED")
        listed = [{"Name": name, "State": state, "EventPattern": json.dumps(each)} for name, each in RULES.items()]
        return {"Rules": [] if state == "MISSING" else listed}

    def list_targets_by_rule(self, **_: str) -> dict[str, Any]:
        return {"Targets": [{"Arn": BUS}]}

    def get_queue_url(self, **_: str) -> dict[str, str]:
        return {"QueueUrl": "u"}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": "0"}}


@dataclass
class Fleet:
    """The members under a sweep, with what it did and sent."""

    members: dict[str, Member] = field(default_factory=lambda: {each: Member(each) for each in ACCOUNTS})
    closed: set[str] = field(default_factory=set)
    table: QuickTable = field(default_factory=QuickTable)
    swept: list[FleetPlace] = field(default_factory=list)
    failing: set[FleetPlace] = field(default_factory=set)
    sent: list[Alert] = field(default_factory=list)
    now: datetime = NOW
    regions: tuple[str, ...] = (ALL_REGIONS,)

    def run(self, places: int = 100) -> None:
        """A run that has time for so many places."""
        began = len(self.swept)

        def remaining_ms() -> float:
            return 0.0 if len(self.swept) - began >= places else PLACE_SECONDS * 1000

        MemberSweep(
            accounts=ACCOUNTS,
            regions=self.regions,
            home="eu-west-1",
            enter=self._enter,
            reconcile=self._reconcile,
            forwarders=MemberForwarders(
                Forwarding(RULES, STAGE.forwarder_prefix, STAGE.forwarder_queue),
                BUS,
                self.table,
                StateError,
                self.sent.append,
                lambda: self.now,
            ),
            turn=Turn(self.table),
            log=Log(Redactor(), write=lambda _: None),
        ).run(remaining_ms)

    def _enter(self, account_id: str) -> ClientFactory:
        if account_id in self.closed:
            raise NotAssumed("AccessDenied", "no")
        return self.members[account_id]

    def _reconcile(self, place: FleetPlace, clients: ClientFactory) -> None:
        assert clients is self.members[place.account_id]
        self.swept.append(place)
        if place in self.failing:
            raise StateError("no")

    def told(self) -> list[tuple[str | None, str | None, str, str]]:
        """The alerts since the last time."""
        found = [(each.account.id, each.region, each.severity.value, each.title) for each in self.sent]
        for alert in self.sent:
            assert_valid(to_json(alert))
        self.sent.clear()
        return found


@given(
    st.sets(st.sampled_from(ACCOUNTS)),
    st.none()
    | st.builds(FleetPlace, st.sampled_from((*ACCOUNTS, "000000000000")), st.sampled_from((*REGIONS, "b", "zz"))),
)
def test_every_place_has_one_turn_and_the_first_is_the_one_after_the_last(
    accounts: set[str], last: FleetPlace | None
) -> None:
    wanted = [place for place in EVERYWHERE if place.account_id in accounts]
    found = list(in_turn(accounts, lambda _: REGIONS, last))
    assert sorted(found) == wanted
    after = [place for place in wanted if last is not None and place > last]
    assert found == after + [place for place in wanted if place not in after]


def test_a_run_that_has_no_time_for_all_places_is_gone_on_with_by_the_next() -> None:
    fleet = Fleet()
    for _ in range(3):
        fleet.run(places=4)
    assert fleet.swept == [*EVERYWHERE, *EVERYWHERE[:3]]


def test_what_fails_in_one_place_keeps_no_other_from_its_turn() -> None:
    fleet = Fleet(failing={EVERYWHERE[1]})
    with pytest.raises(ExceptionGroup, match="some member accounts could not be reconciled"):
        fleet.run()
    assert fleet.swept == EVERYWHERE


def test_without_all_the_regions_that_are_named_are_swept_everywhere() -> None:
    fleet = Fleet(regions=("us-east-1",))
    fleet.run()
    assert fleet.swept == [FleetPlace(account, "us-east-1") for account in ACCOUNTS]


def test_sound_forwarders_are_no_news() -> None:
    fleet = Fleet()
    fleet.run()
    assert fleet.told() == []


def test_a_broken_forwarder_is_alerted_on_once_a_day_and_when_it_works_again() -> None:
    fleet = Fleet()
    fleet.run()
    fleet.members[ACCOUNTS[1]].broken["us-east-1"] = "DISABLED"
    said = f"Events of account {ACCOUNTS[1]} in us-east-1"
    fleet.run()
    assert fleet.told() == [(ACCOUNTS[1], "us-east-1", "high", f"{said} do not arrive")]
    fleet.run()
    assert fleet.told() == []
    fleet.now += timedelta(days=1)
    fleet.run()
    assert fleet.told() == [(ACCOUNTS[1], "us-east-1", "high", f"{said} still do not arrive")]
    fleet.members[ACCOUNTS[1]].broken.clear()
    fleet.run()
    assert fleet.told() == [(ACCOUNTS[1], "us-east-1", "info", f"{said} arrive again")]


def test_a_region_that_was_enabled_without_a_forwarder_is_alerted_on_at_the_first_look() -> None:
    fleet = Fleet()
    fleet.members[ACCOUNTS[0]].broken["eu-west-1"] = "MISSING"
    fleet.run()
    (alert,) = fleet.sent
    assert alert.summary.startswith(
        f"Events of account {ACCOUNTS[0]} in eu-west-1 do not arrive: there is no forwarder"
    )
    assert f"sgwatch fleet status --account {ACCOUNTS[0]}" in alert.summary


@pytest.mark.parametrize("closed", [True, False])
def test_an_account_that_cannot_be_looked_into_is_unknown_and_alerted_on(*, closed: bool) -> None:
    fleet = Fleet(closed={ACCOUNTS[0]} if closed else set())
    fleet.members[ACCOUNTS[0]].refused = True
    why = "AssumeRole: AccessDenied: no" if closed else "ec2:DescribeRegions: UnauthorizedOperation"
    with pytest.raises(ExceptionGroup):
        fleet.run()
    (alert,) = fleet.sent
    assert (alert.severity.value, why in alert.summary) == ("medium", True)
    assert fleet.swept == EVERYWHERE[3:]
    with pytest.raises(ExceptionGroup):
        fleet.run()
    assert len(fleet.sent) == 1


def test_what_is_remembered_of_a_turn_is_not_trusted() -> None:
    fleet = Fleet()
    fleet.table.put({"pk": "reconcile", "sk": "turn", "account_id": 7, "region": b"x"})
    fleet.run()
    assert fleet.swept == EVERYWHERE
