"""Bursts: folding, its windows and what is told at their end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.alerts import Alert, AlertKind, Exposure, Severity
from chalicelib.delivery.bursts import follow_ups
from chalicelib.delivery.envelope import BurstEnd, read
from chalicelib.delivery.queue import Queue, QueueError
from chalicelib.destinations.slack import payload
from chalicelib.messages import plain_text
from tests.support.alerts import ALICE, critical_open_ssh, revoke, trial
from tests.support.durable import World, numbered


def change(number: int, group: str | None = None, **fields: Any) -> Alert:
    """A change of low severity by Alice."""
    return replace(numbered(number, group or f"sg-{number:05d}", revoke()), **fields)


def ends(durable: World) -> list[BurstEnd]:
    """The ends that are scheduled in the queue."""
    messages = [read(message["Body"]) for message in durable.receive(most=10)]
    return [message for message in messages if isinstance(message, BurstEnd)]


def test_the_first_change_goes_out_at_once_and_the_rest_of_the_window_is_folded(durable: World) -> None:
    bursts = durable.made.bursts
    assert [bursts.admit(change(number)) for number in range(4)] == [True, False, False, False]
    (end,) = ends(durable)
    assert (end.due_at - durable.clock.now()).total_seconds() == 60
    assert bursts.end(end.burst, end.window) == [change(1), change(2), change(3)]


def test_two_hundred_changes_are_told_with_every_group_named_exactly_once(durable: World) -> None:
    bursts = durable.made.bursts
    at_once = []
    for number in range(200):
        if bursts.admit(change(number)):
            at_once.append(change(number))
        durable.clock.forward(0.1)
    (end,) = ends(durable)
    (told,) = follow_ups(bursts.end(end.burst, end.window), end.window)
    assert at_once == [change(0)]
    assert told.title == "199 more changes of 199 security groups by alice@example.com"
    assert named(exposure.reason for exposure in told.exposures) == [f"sg-{number:05d}" for number in range(1, 200)]


def named(texts: Iterable[str]) -> list[str]:
    """Every group that is named, as often as it is, in order."""
    return sorted(re.findall(r"sg-[0-9a-f]+", " ".join(texts)))


@pytest.mark.parametrize("alike", [True, False])
def test_a_slack_message_names_each_of_two_hundred_groups_once(alike: bool) -> None:
    ids = [f"sg-{number:017x}" for number in range(199)]
    folded = [change(number, group) for number, group in enumerate(ids)]
    if not alike:
        folded = [
            replace(alert, exposures=(Exposure(alert.severity, f"Good news of kind {number % 20}."),))
            for number, alert in enumerate(folded)
        ]
    (told,) = follow_ups(folded, "w")
    sections = [
        block["text"]["text"] for block in payload(told)["blocks"] if block["type"] == "section" and "text" in block
    ]
    assert named(text for text in sections if "Undo" not in text) == ids
    assert named([plain_text(told).partition("\nUndo")[0]]) == ids


def test_more_groups_than_one_message_can_name_are_told_in_several() -> None:
    ids = [f"sg-{number:017x}" for number in range(450)]
    told = follow_ups([change(number, group) for number, group in enumerate(ids)], "w")
    assert [alert.title.split(" by ")[0] for alert in told] == [
        "200 more changes of 200 security groups",
        "200 more changes of 200 security groups",
        "50 more changes of 50 security groups",
    ]
    assert named(exposure.reason for alert in told for exposure in alert.exposures) == ids
    assert len({alert.id for alert in told}) == 3


def test_a_group_that_changed_several_times_is_named_once_with_its_worst_change() -> None:
    worse = replace(change(2, "sg-1"), severity=Severity.HIGH, exposures=(Exposure(Severity.HIGH, "Opened."),))
    (told,) = follow_ups([change(1, "sg-1"), worse, change(3, "sg-3")], "w")
    assert [exposure.reason for exposure in told.exposures] == [
        "name-of-sg-1 (sg-1) (2 changes): Opened.",
        f"name-of-sg-3 (sg-3): {change(3).exposures[0].reason}",
    ]


def test_critical_alerts_are_never_folded(durable: World) -> None:
    bursts = durable.made.bursts
    assert bursts.admit(change(0))
    assert all(bursts.admit(numbered(number, like=critical_open_ssh())) for number in range(1, 6))
    assert ends(durable) == []


@pytest.mark.parametrize(
    "alert", [trial(), replace(revoke(), kind=AlertKind.ALARM_PATH), replace(revoke(), principal=None)]
)
def test_what_is_no_change_of_a_known_principal_is_never_folded(durable: World, alert: Alert) -> None:
    assert all(durable.made.bursts.admit(replace(alert, id=str(number))) for number in range(3))


def test_each_principal_has_a_burst_of_their_own(durable: World) -> None:
    bob = replace(ALICE, name="bob@example.com", arn="arn:aws:iam::123456789012:user/bob")
    bursts = durable.made.bursts
    assert bursts.admit(change(0))
    assert bursts.admit(change(1, principal=bob))
    assert not bursts.admit(change(2))


def test_an_event_that_comes_again_is_decided_as_before(durable: World) -> None:
    bursts = durable.made.bursts
    assert [bursts.admit(change(number)) for number in (0, 1, 0, 1)] == [True, False, True, False]
    durable.clock.forward(3600)
    assert [bursts.admit(change(number)) for number in (0, 1)] == [True, False]
    (end,) = ends(durable)
    assert bursts.end(end.burst, end.window) == [change(1)]


def test_after_the_window_the_next_change_goes_out_at_once(durable: World) -> None:
    bursts = durable.made.bursts
    assert bursts.admit(change(0))
    durable.clock.forward(60)
    assert bursts.admit(change(1))
    assert not bursts.admit(change(2))


def test_nothing_is_folded_into_a_window_that_was_told(durable: World) -> None:
    bursts = durable.made.bursts
    bursts.admit(change(0))
    bursts.admit(change(1))
    (end,) = ends(durable)
    bursts.end(end.burst, end.window)
    assert bursts.admit(change(2)), "the window is closed, though its seconds are not over"


def test_the_same_end_twice_tells_the_same(durable: World) -> None:
    bursts = durable.made.bursts
    for number in range(3):
        bursts.admit(change(number))
    (end,) = ends(durable)
    once, again = (follow_ups(bursts.end(end.burst, end.window), end.window) for _ in range(2))
    assert len(once) == 1
    assert once == again


def test_one_folded_change_is_told_as_itself(durable: World) -> None:
    bursts = durable.made.bursts
    bursts.admit(change(0))
    bursts.admit(change(1))
    (end,) = ends(durable)
    assert follow_ups(bursts.end(end.burst, end.window), end.window) == [change(1)]


def test_a_follow_up_has_the_worst_severity_first_and_undoes_the_last_change_first() -> None:
    high = change(2, severity=Severity.HIGH)
    (told,) = follow_ups([change(1), high], "w")
    assert told.severity is Severity.HIGH
    assert told.exposures[0].reason.startswith("name-of-sg-00002")
    assert told.undo.commands is not None
    assert len(told.undo.commands) == 2


def test_a_window_of_no_seconds_folds_nothing(durable: World) -> None:
    bursts = replace(durable.made.bursts, seconds=0)
    assert all(bursts.admit(change(number)) for number in range(3))


def test_a_fold_whose_end_cannot_be_scheduled_is_an_error_until_it_can(durable: World) -> None:
    broken = replace(durable.made.bursts, queue=Queue(lambda: None, "none", sleep=lambda _: None))
    assert broken.admit(change(0))
    with pytest.raises(QueueError):
        broken.admit(change(1))
    assert not durable.made.bursts.admit(change(1))
    assert len(ends(durable)) == 1
