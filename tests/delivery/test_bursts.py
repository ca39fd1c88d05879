"""Bursts: folding, its windows and what is told at their end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Account, Alert, AlertKind, Changes, SecurityGroup, Severity, Undo
from chalicelib.delivery.envelope import BurstEnd, read
from chalicelib.delivery.follow_ups import follow_ups
from chalicelib.delivery.queue import Queue, QueueError
from chalicelib.destinations.slack_message import payload as slack_payload
from chalicelib.destinations.sns import MAX_BYTES
from chalicelib.rendering.plain_text import plain_text
from chalicelib.rendering.shrink import shrink
from tests.support import records
from tests.support.alerts import ALICE, critical_open_ssh, revoke, trial
from tests.support.durable import World, numbered


def change(number: int, group: str | None = None, like: Alert | None = None, **fields: Any) -> Alert:
    """A change by Alice, of low severity if not like another."""
    return numbered(number, group or f"sg-{number:05d}", like or revoke())._replace(**fields)


def ends(durable: World) -> list[BurstEnd]:
    """The ends that are scheduled in the queue."""
    messages = [read(message["Body"]) for message in durable.receive(most=10)]
    return [message for message in messages if isinstance(message, BurstEnd)]


def test_the_first_change_goes_out_at_once_and_the_rest_of_the_window_is_folded(durable: World) -> None:
    bursts = durable.made.bursts
    assert [bursts.admit(change(number)) for number in range(4)] == [True, False, False, False]
    (end,) = ends(durable)
    assert (end.due_at - durable.clock.now()).total_seconds() == 60
    assert bursts.end(end.burst, end.window).alerts == [change(1), change(2), change(3)]


@pytest.mark.parametrize("size", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_every_group_of_a_burst_is_named_exactly_once(durable: World, size: int) -> None:
    bursts = durable.made.bursts
    at_once = []
    for number in range(size):
        if bursts.admit(change(number)):
            at_once.append(change(number))
        durable.clock.forward(20 / size)
    (end,) = ends(durable)
    (told,) = follow_ups(bursts.end(end.burst, end.window).alerts, end.window)
    assert at_once == [change(0)]
    assert told.title == f"{size - 1} more changes of {size - 1} security groups by alice@example.com"
    named = [exposure.reason.split()[0] for exposure in told.exposures]
    assert sorted(named) == [f"sg-{number:05d}" for number in range(1, size)]


GROUPS = [f"sg-0{number:016x}" for number in range(199)]


def two_hundred(like: Alert) -> Alert:
    """The alert of a burst of that many, the first left out."""
    named = [(number, SecurityGroup(id=group, name=f"service-{number}")) for number, group in enumerate(GROUPS)]
    (told,) = follow_ups([change(number, like=like, security_group=group) for number, group in named], "w" * 32)
    return told


@pytest.mark.parametrize("like", [revoke(), critical_open_ssh()])
def test_a_message_of_two_hundred_changes_names_every_group_once(like: Alert) -> None:
    told = two_hundred(like)
    blocks = slack_payload(told)["blocks"]
    in_slack = " ".join(block["text"]["text"] for block in blocks if "text" in block)
    lines = plain_text(told, MAX_BYTES).splitlines()
    for group in GROUPS:
        assert in_slack.count(group) == 1
        assert sum(line.startswith(f"  - {group} ") for line in lines) == 1


def test_more_groups_than_one_message_can_name_are_reported_in_several() -> None:
    ids = [f"sg-{number:017x}" for number in range(600)]
    told = follow_ups([change(number, group) for number, group in enumerate(ids)], "w")
    assert [alert.title.split(" of ")[1].split(" by ")[0] for alert in told] == [
        "250 security groups",
        "250 security groups",
        "100 security groups",
    ]
    assert [exposure.reason.split()[0] for alert in told for exposure in alert.exposures] == ids
    assert len({alert.id for alert in told}) == 3
    assert all(
        "more" not in block["text"]["text"][-20:] for block in slack_payload(told[0])["blocks"] if "text" in block
    )


def test_a_group_whose_name_was_not_always_known_is_named_once() -> None:
    nameless = SecurityGroup(id="sg-00001", name=None)
    (told,) = follow_ups([change(1, security_group=nameless), change(1, id="another")], "w")
    assert [exposure.reason.split(":")[0] for exposure in told.exposures] == ["sg-00001 (name-of-sg-00001)"]


def test_a_follow_up_that_has_to_be_cut_loses_the_way_back_before_any_group() -> None:
    told = two_hundred(revoke())
    cut = shrink(told, 60_000, "an SNS message")
    assert len(cut.exposures) == len(GROUPS)
    assert cut.undo.commands is None


def test_critical_alerts_are_never_folded(durable: World) -> None:
    bursts = durable.made.bursts
    assert bursts.admit(change(0))
    assert all(bursts.admit(numbered(number, like=critical_open_ssh())) for number in range(1, 6))
    assert ends(durable) == []


@pytest.mark.parametrize(
    "alert", [trial(), revoke()._replace(kind=AlertKind.ALARM_PATH), revoke()._replace(principal=None)]
)
def test_what_is_no_change_of_a_known_principal_is_never_folded(durable: World, alert: Alert) -> None:
    assert all(durable.made.bursts.admit(alert._replace(id=str(number))) for number in range(3))


def test_each_principal_has_a_burst_of_their_own(durable: World) -> None:
    bob = ALICE._replace(name="bob@example.com", arn="arn:aws:iam::123456789012:user/bob")
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
    assert bursts.end(end.burst, end.window).alerts == [change(1)]


def test_after_the_window_the_next_change_goes_out_at_once(durable: World) -> None:
    bursts = durable.made.bursts
    assert bursts.admit(change(0))
    durable.clock.forward(60)
    assert bursts.admit(change(1))
    assert not bursts.admit(change(2))


def test_nothing_is_folded_into_a_window_that_was_reported(durable: World) -> None:
    bursts = durable.made.bursts
    bursts.admit(change(0))
    bursts.admit(change(1))
    (end,) = ends(durable)
    bursts.end(end.burst, end.window)
    assert bursts.admit(change(2)), "the window is closed, though its seconds are not over"


def test_the_same_end_twice_shows_the_same(durable: World) -> None:
    bursts = durable.made.bursts
    for number in range(3):
        bursts.admit(change(number))
    (end,) = ends(durable)
    once, again = (follow_ups(bursts.end(end.burst, end.window).alerts, end.window) for _ in range(2))
    assert once == again


def test_one_folded_change_is_reported_as_itself(durable: World) -> None:
    bursts = durable.made.bursts
    bursts.admit(change(0))
    bursts.admit(change(1))
    (end,) = ends(durable)
    assert follow_ups(bursts.end(end.burst, end.window).alerts, end.window) == [change(1)]


def test_a_follow_up_has_the_worst_severity_first_and_undoes_the_last_change_first() -> None:
    high = change(2, severity=Severity.HIGH)
    (told,) = follow_ups([change(1), high], "w")
    assert told.severity is Severity.HIGH
    assert told.exposures[0].reason.startswith("sg-00002 (name-of-sg-00002): 1 change; ")
    assert told.undo.commands is not None
    assert len(told.undo.commands) == 2


def test_a_follow_up_names_the_account_whether_or_not_its_name_was_always_known() -> None:
    named = Account("123456789012", "production")
    (told,) = follow_ups([change(1, account=named), change(2, account=Account("123456789012"))], "w")
    assert told.account == named


def test_a_follow_up_undoes_no_rule_of_two_changes_in_one_second() -> None:
    opened = critical_open_ssh()._replace(severity=Severity.HIGH)
    closed = change(1, GROUPS[0], changes=revoke().changes._replace(removed=opened.changes.added))
    first = change(2, GROUPS[0], opened, occurred_at=closed.occurred_at)
    (told,) = follow_ups([first, closed], "w")
    assert told.undo.commands is None
    reason = f"which of the changes of {GROUPS[0]} (name-of-{GROUPS[0]}) in one second came first is not known"
    assert told.undo.reason == reason
    elsewhere = change(2, GROUPS[1], opened, occurred_at=closed.occurred_at)
    (told,) = follow_ups([elsewhere, closed], "w")
    assert told.undo.commands is not None


def test_a_follow_up_of_a_group_that_was_changed_and_deleted_has_no_way_back() -> None:
    closed = change(1, GROUPS[0])
    deleted = change(2, GROUPS[0], event=closed.event._replace(name="DeleteSecurityGroup"), changes=Changes())
    (told,) = follow_ups([closed, deleted], "w")
    assert told.undo.commands is None


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


def listed(list_id: str, name: str) -> Alert:
    request = {"PrefixListId": list_id, "CurrentVersion": 3, "AddEntry": {"Cidr": "198.51.100.0/24", "tag": 1}}
    answer = {"prefixList": {"prefixListId": list_id, "prefixListName": name, "version": 3}}
    raw = records.record(
        "ModifyManagedPrefixList",
        {"ModifyManagedPrefixListRequest": request},
        {"ModifyManagedPrefixListResponse": answer},
        eventID=f"{list_id} {name}",
    )
    return alert_of(raw)


def attached(interface: str, *groups: str) -> Alert:
    request = {
        "networkInterfaceId": interface,
        "groupSet": records.items(*({"groupId": group} for group in groups)),
    }
    return alert_of(records.record("ModifyNetworkInterfaceAttribute", request, eventID=interface))


def test_prefix_lists_and_resources_are_named_in_a_follow_up_as_groups_are() -> None:
    lists = [listed("pl-1", "office"), listed("pl-2", "home")]
    (of_lists,) = follow_ups(lists, "w")
    assert of_lists.title == "2 more changes of 2 prefix lists by alice"
    assert sorted(exposure.reason.partition(": ")[0] for exposure in of_lists.exposures) == [
        "prefix list pl-1 (office)",
        "prefix list pl-2 (home)",
    ]
    (of_all,) = follow_ups([*lists, attached("eni-1", "sg-a", "sg-b"), attached("eni-2", "sg-a")], "w")
    assert of_all.title == "4 more changes of 4 resources by alice"
    named = [exposure.reason.partition(": ")[0] for exposure in of_all.exposures]
    assert {"network interface eni-1", "network interface eni-2"} < set(named)


def test_a_resource_that_was_given_groups_twice_in_a_second_has_no_undo_in_a_row() -> None:
    back = Undo(("aws ec2 modify-network-interface-attribute",))
    first, second = (attached("eni-1", group)._replace(id=group, undo=back) for group in ("sg-a", "sg-b"))
    (at_once,) = follow_ups([first, second], "w")
    assert at_once.undo == (
        None,
        "which of the changes of network interface eni-1 in one second came first is not known",
    )
    assert first.occurred_at is not None
    later = second._replace(occurred_at=first.occurred_at + timedelta(seconds=1))
    (in_turn,) = follow_ups([first, later], "w")
    assert in_turn.undo.commands is not None


def test_a_list_that_was_changed_twice_has_no_undo_in_a_row() -> None:
    changed, again = listed("pl-1", "office"), listed("pl-1", "branch")
    assert changed.undo.commands
    (both,) = follow_ups([changed, again], "w")
    assert both.undo.commands is None
    assert "counts as another version" in str(both.undo.reason)
    (apart,) = follow_ups([changed, listed("pl-2", "home")], "w")
    assert len(apart.undo.commands or ()) == 2
