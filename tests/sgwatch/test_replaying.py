"""Replay gives the same alerts and counts wherever they are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, to_json
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.security_groups.severity import Severity
from sgwatch.replaying import Tally, itself, replay
from tests.support.records import authorize, revoke, world

RECORDS = 300


def _alone(raw: Mapping[str, Any]) -> Alert:
    """The same as ``alert_of``, but not known to need the record alone: so this process makes the alerts."""
    return alert_of(raw)


def _file(folder: Path) -> Path:
    made: list[dict[str, Any]] = []
    for number in range(RECORDS):
        record = (authorize if number % 2 else revoke)(world(number % 60_000 + 1), eventID=f"event-{number}")
        if number % 7 == 0 and made:
            record = made[-1]
        if number % 11 == 0:
            addendum = {"reason": "UPDATED_DATA", "originalEventID": f"event-{number - 1}"}
            record = {**record, "eventID": f"event-{number}", "addendum": addendum}
        made.append(record)
    path = folder / "records.json"
    path.write_text(json.dumps({"Records": made}))
    return path


def test_alerts_made_in_other_processes_are_those_that_this_one_makes(tmp_path: Path) -> None:
    path = str(_file(tmp_path))
    here, elsewhere = Tally(), Tally()
    one = list(replay([path], EventGroup, here, itself, Severity.LOW, make=_alone))
    many = list(replay([path], EventGroup, elsewhere, itself, Severity.LOW))
    assert [to_json(alert) for alert in one] == [to_json(alert) for alert in many]
    assert here == elsewhere
    assert here.repeated
    assert here.supplemented


def test_no_alert_is_made_of_a_record_that_was_seen_before_where_it_may_cost_look_ups(tmp_path: Path) -> None:
    path, calls = str(_file(tmp_path)), []

    def counted(raw: Mapping[str, Any]) -> Alert:
        calls.append(raw)
        return alert_of(raw)

    tally = Tally()
    made = list(replay([path], EventGroup, tally, itself, make=counted))
    assert len(calls) == len(made) == RECORDS - tally.repeated - tally.supplemented
