"""What a destination with incidents opened is closed when it is reverted, whatever comes first and whatever fails."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from chalicelib.alert.model import Alert, Changes, Exposure, Outcome, Severity
from chalicelib.destinations.contract import DeliveryError, RevisionTable, Tools, resolve
from chalicelib.destinations.http_door import HttpDoor, HttpResponse
from chalicelib.destinations.incidents import MOST_BYTES, POSTED_AFTER_SECONDS, Incident
from chalicelib.destinations.incidents import GroupIncidents as Group
from chalicelib.functions.composition.alerting import builder_of
from chalicelib.security_groups.rules import ModifiedRule, SecurityGroupRule
from chalicelib.settings.environment import read_settings
from chalicelib.settings.kinds import KINDS
from chalicelib.state.errors import StateError, VersionConflict
from sgwatch.previews import sample_settings
from tests.support.alerts import critical_open_ssh, event, revoke, rule
from tests.support.destinations import FakeAws
from tests.support.memory_table import MemoryTable
from tests.support.receiver import Answer

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SSH, WEB_PORT = rule(rule_id="sgr-1"), rule(port=443, rule_id="sgr-2")
RESOLVING = [kind for kind in KINDS if kind.resolves]


class Killed(BaseException):
    """The function ended here."""


class Call(NamedTuple):
    """What a service was asked: to ``open`` or ``close`` which incident."""

    action: str
    key: str


class Service(HttpDoor):
    """Plays the services: keeps what it was asked, and which incidents are open; ``before`` and ``after`` may break."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    def post_json(
        self,
        url: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
        max_response_bytes: int | None = None,
    ) -> HttpResponse:
        if "event_action" in body:
            self.take("open" if body["event_action"] == "trigger" else "close", body["dedup_key"])
        elif "/close?" in url:
            self.take("close", url.rpartition("/close")[0].rpartition("/")[2])
        else:
            self.take("open", body["alias"])
        return HttpResponse(202, b"{}")

    def take(self, action: str, key: str) -> None:
        self.before()
        self.calls.append(Call(action, key.rpartition("-")[2] if "-" in key else key))
        self.after()

    def open(self) -> set[str]:
        standing: set[str] = set()
        for call in self.calls:
            (standing.add if call.action == "open" else standing.discard)(call.key)
        return standing


class Hub(FakeAws):
    """Security Hub, which takes findings."""

    def __init__(self, service: Service) -> None:
        super().__init__(Answer(200))
        self.service = service

    def batch_import_findings(self, **request: Any) -> Any:
        (finding,) = request["Findings"]
        self.service.take("open" if finding["RecordState"] == "ACTIVE" else "close", finding["Id"])
        return super().batch_import_findings(**request)


class Stage:
    """A destination with its table, its service and a clock."""

    def __init__(self, kind: str, table: RevisionTable | None) -> None:
        (of_kind,) = [each for each in RESOLVING if each.key == kind]
        (configured,) = read_settings(sample_settings(of_kind)).destinations
        self.service, self.table = Service(), table
        tools = Tools(self.service, Hub(self.service), table=table)
        made: Any = builder_of(kind)(configured.name, configured.values, tools)
        self.now = START
        self.destination = made._replace(incidents=made.incidents._replace(now=lambda: self.now))

    def send(self, *alerts: Alert) -> None:
        for alert in alerts:
            self.destination.send(alert)

    def resolve(self, alert: Alert) -> None:
        resolve(self.destination, alert)


@pytest.fixture(params=[kind.key for kind in RESOLVING])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param, MemoryTable())


def opened(name: str, minutes: float, *rules: SecurityGroupRule, severity: Severity = Severity.CRITICAL) -> Alert:
    exposures = tuple(Exposure(severity, "ingress from 0.0.0.0/0", (), item) for item in rules)
    at = START + timedelta(minutes=minutes)
    return critical_open_ssh()._replace(
        id=name, severity=severity, occurred_at=at, changes=Changes(added=rules), exposures=exposures
    )


def closed(name: str, minutes: float, *rules: SecurityGroupRule) -> Alert:
    at = START + timedelta(minutes=minutes)
    return revoke()._replace(id=name, occurred_at=at, changes=Changes(removed=rules), exposures=())


STORY = (
    opened("opened", 0, SSH),
    opened("widened", 1, WEB_PORT, severity=Severity.MEDIUM),
    closed("narrowed", 3, WEB_PORT),
    closed("reverted", 4, SSH),
)


def test_every_kind_that_resolves_is_here() -> None:
    assert {kind.key for kind in RESOLVING} == {"pagerduty", "jsm", "security_hub"}


def test_the_story_of_a_group_opens_two_incidents_and_closes_each_with_its_own_rules(stage: Stage) -> None:
    stage.send(*STORY)
    assert [f"{call.action} {call.key}" for call in stage.service.calls] == [
        "open opened",
        "open widened",
        "close widened",
        "close opened",
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_whatever_is_delivered_first_nothing_that_was_reverted_stays_open(order: tuple[int, ...]) -> None:
    stage = Stage("pagerduty", MemoryTable())
    stage.send(*(STORY[position] for position in order))
    assert stage.service.open() <= {"narrowed", "reverted"}, "a revert that closes nothing known is an incident itself"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("position", range(4))
def test_a_kill_around_any_call_leaves_nothing_open_that_was_reverted(moment: str, position: int) -> None:
    stage = Stage("pagerduty", MemoryTable())

    def die() -> None:
        raise Killed

    for place, alert in enumerate(STORY):
        if place == position:
            setattr(stage.service, moment, die)
            with suppress(Killed):
                stage.send(alert)
            setattr(stage.service, moment, lambda: None)
        stage.send(alert)
    assert stage.service.open() == set()


def test_a_resolution_that_fails_is_tried_again(stage: Stage) -> None:
    stage.send(STORY[0])

    def refuse() -> None:
        raise DeliveryError("it answered HTTP 503", permanent=False)

    stage.service.before = refuse
    with pytest.raises(DeliveryError):
        stage.send(STORY[3])
    stage.service.before = lambda: None
    stage.send(STORY[3])
    assert stage.service.open() == set()
    stage.send(STORY[3])
    assert stage.service.open() == set(), "a revert that comes again opens nothing"


def test_what_only_resolves_opens_nothing(stage: Stage) -> None:
    stage.resolve(STORY[3])
    assert stage.service.calls == []
    stage.send(STORY[0])
    assert [call.action for call in stage.service.calls] == ["open", "close"]
    stage.send(STORY[1])
    stage.resolve(STORY[2])
    assert stage.service.open() == set()
    stage.send(STORY[2])
    assert stage.service.open() == set(), "nor does it when it is delivered as an alert later"


def test_a_rule_that_is_narrowed_by_its_id_closes_what_it_opened(stage: Stage) -> None:
    stage.send(STORY[0])
    narrow = SSH._replace(peer=SSH.peer._replace(value="10.0.0.0/8"))
    changes = Changes(modified=(ModifiedRule(None, narrow),), before_known=False)
    stage.send(closed("narrow", 5)._replace(changes=changes))
    assert "opened" not in stage.service.open()


def test_a_deleted_group_closes_all_that_was_opened_on_it(stage: Stage) -> None:
    stage.send(*STORY[:2])
    stage.resolve(closed("deleted", 5)._replace(event=event("DeleteSecurityGroup")))
    assert stage.service.open() == set()


@pytest.mark.parametrize("outcome", [Outcome.DENIED, Outcome.FAILED, Outcome.DRY_RUN])
def test_an_attempt_closes_nothing(stage: Stage, outcome: Outcome) -> None:
    stage.send(STORY[0])
    stage.resolve(STORY[3]._replace(event=event("RevokeSecurityGroupIngress", outcome)))
    stage.resolve(closed("deleted", 5)._replace(event=event("DeleteSecurityGroup", outcome)))
    assert stage.service.open() == {"opened"}


def test_a_revert_by_root_closes_and_is_an_incident_itself(stage: Stage) -> None:
    stage.send(STORY[0], STORY[3]._replace(severity=Severity.HIGH))
    assert stage.service.open() == {"reverted"}


def test_groups_do_not_close_each_other(stage: Stage) -> None:
    stage.send(STORY[0])
    other = STORY[3].security_group
    assert other is not None
    stage.resolve(STORY[3]._replace(security_group=other._replace(id="sg-other")))
    assert stage.service.open() == {"opened"}


def test_without_the_table_every_alert_is_an_incident_of_its_own() -> None:
    stage = Stage("pagerduty", None)
    stage.send(*STORY)
    assert [call.action for call in stage.service.calls] == ["open"] * 4


class BrokenTable:
    def get(self, pk: str, sk: str) -> None:
        raise StateError("ProvisionedThroughputExceededException on dynamodb:GetItem", "")

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        raise StateError("x", "")


def test_a_table_that_fails_costs_no_alert_and_a_resolution_waits_for_it(stage: Stage) -> None:
    broken = Stage("pagerduty", BrokenTable())
    broken.send(*STORY)
    assert [call.action for call in broken.service.calls] == ["open"] * 4
    with pytest.raises(DeliveryError) as caught:
        broken.resolve(STORY[3])
    assert not caught.value.permanent


class Overtaken(MemoryTable):
    """Is written by somebody else before the first writes."""

    conflicts = 3

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise VersionConflict("written by somebody else")
        super().put_revision(item, seen)


def test_who_is_overtaken_looks_again() -> None:
    stage = Stage("pagerduty", Overtaken())
    stage.send(STORY[0], STORY[3])
    assert stage.service.open() == set()


def test_an_incident_whose_sender_never_came_back_is_closed_all_the_same() -> None:
    noted = Group().with_alert(STORY[0], "opened", "", 1_000.0).with_closings(STORY[3], "reverted")
    assert noted.due(1_000.0) == {}
    assert list(noted.due(1_001.0 + POSTED_AFTER_SECONDS)) == ["opened"]


def test_what_is_remembered_fits_into_an_item() -> None:
    table = MemoryTable()
    stage = Stage("security_hub", table)
    for number in range(120):
        rules = tuple(rule(port=port, rule_id=f"sgr-{port}") for port in range(1_000 + number, 1_040 + number))
        stage.now += timedelta(seconds=1)
        stage.send(opened(f"n{number}", number, *rules))
    ((_, item),) = table._items.items()
    assert len(item["incidents"]) <= MOST_BYTES
    assert len(json.loads(item["incidents"])["incidents"]) > 20


@pytest.mark.parametrize("text", ["", "{", "[]", '{"form":9}', '{"form":1}', '{"form":1,"incidents":3}'])
def test_what_cannot_be_read_is_nothing_remembered(text: str) -> None:
    table = MemoryTable()
    stage = Stage("pagerduty", table)
    stage.send(STORY[0])
    ((keys, item),) = table._items.items()
    table._items[keys] = {**item, "incidents": text}
    stage.send(STORY[1], STORY[2])
    assert stage.service.open() == {"opened"}


def test_an_incident_is_about_the_rules_that_expose_something() -> None:
    private = rule(port=5432, rule_id="sgr-3")
    alert = opened("opened", 0, SSH)._replace(changes=Changes(added=(SSH, private)))
    group = Group().with_alert(alert, "opened", "", 0.0).with_posted("opened").with_closings(STORY[3], "reverted")
    assert list(group.due(0.0)) == ["opened"]
    assert isinstance(group.incidents["opened"], Incident)
