from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import AlarmPath, Changes, Undo
from chalicelib.rendering.facts import facts
from chalicelib.rendering.lines import diff_entries, outcome_sentence, reasons, rule_line
from chalicelib.rendering.plain_text import plain_text
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.text import clip, fit, is_plain, number_of, visible, wrap
from tests.support import records as r
from tests.support.alerts import (
    SAMPLES,
    critical_open_ssh,
    denied_attempt,
    description_update,
    hostile,
    modify_before_known,
    modify_before_unknown,
    revoke,
    rule,
    thousand_rules,
)
from tests.support.examples import examples
from tests.support.records import Json, items
from tests.support.unknowns import sentences


def set_groups(**fields: Any) -> Json:
    request = {"instanceId": "i-1", "groupSet": items({"groupId": "sg-1"}, {"groupId": "sg-2"})}
    return r.record("ModifyInstanceAttribute", request, **fields)


def group_peer(account: str | None = None, vpc: str | None = None) -> SecurityGroupRule:
    return rule()._replace(peer=Peer(PeerType.SECURITY_GROUP, "sg-1", account, vpc))


@pytest.mark.parametrize(
    ("given_rule", "line"),
    [
        (rule(description="ssh for all"), 'ingress tcp 22 from 0.0.0.0/0  "ssh for all"'),
        (rule(direction=Direction.EGRESS), "egress tcp 22 to 0.0.0.0/0"),
        (rule(direction=None), "ingress or egress (not known) tcp 22 from/to 0.0.0.0/0"),
        (rule(port=8000, to_port=8100, protocol="udp"), "ingress udp 8000-8100 from 0.0.0.0/0"),
        (rule(port=0, to_port=65535), "ingress tcp all ports from 0.0.0.0/0"),
        (rule(port=None), "ingress tcp all ports from 0.0.0.0/0"),
        (rule("::/0", None, protocol="-1"), "ingress all traffic from ::/0"),
        (rule(port=-1, protocol="icmp"), "ingress icmp all types from 0.0.0.0/0"),
        (rule(port=8, to_port=-1, protocol="icmp"), "ingress icmp type 8 from 0.0.0.0/0"),
        (rule(port=3, to_port=4, protocol="icmpv6"), "ingress icmpv6 type 3 code 4 from 0.0.0.0/0"),
        (rule(port=None, protocol="50"), "ingress protocol 50 from 0.0.0.0/0"),
        (group_peer(), "ingress tcp 22 from group sg-1"),
        (group_peer("444455556666"), "ingress tcp 22 from group sg-1 (account 444455556666)"),
        (group_peer("444455556666", "vpc-1"), "ingress tcp 22 from group sg-1 (account 444455556666, vpc-1)"),
        (rule()._replace(peer=Peer(PeerType.PREFIX_LIST, "pl-1")), "ingress tcp 22 from prefix list pl-1"),
        (rule(description='a" [denied]'), 'ingress tcp 22 from 0.0.0.0/0  "a\\" [denied]"'),
    ],
)
def test_a_rule_is_one_line(given_rule: SecurityGroupRule, line: str) -> None:
    assert rule_line(given_rule) == line


def endpoint_call(**request: str) -> Json:
    return r.wrapped("ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", **request})


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        (set_groups(), ("instance i-1", "before: not known", "now: sg-1, sg-2")),
        (set_groups(errorCode=r.DENIED), ("instance i-1",)),
        (
            endpoint_call(AddSecurityGroupId="sg-1"),
            ("VPC endpoint vpce-1", "before: not known", "now (among others): sg-1"),
        ),
        (
            endpoint_call(RemoveSecurityGroupId="sg-1"),
            ("VPC endpoint vpce-1", "before: not known", "now: not known"),
        ),
        (endpoint_call(PolicyDocument="{}"), ("VPC endpoint vpce-1", "not changed")),
    ],
)
def test_the_groups_of_a_resource_are_reported_as_far_as_they_are_known(record: Json, lines: tuple[str, ...]) -> None:
    assert [fact.lines for fact in facts(alert_of(record)) if fact.label == "Groups of"] == [lines]


def test_no_name_can_begin_a_line_as_a_heading_does() -> None:
    name = "web" + " x" * 100 + " Undo"
    alert = denied_attempt()._replace(
        title=name, summary=name + ".", event=denied_attempt().event._replace(error_message=name)
    )
    lines = plain_text(alert).splitlines()
    opening = lines[: lines.index("What was attempted")]
    assert [line for line in opening if line and not line.startswith((" ", "MEDIUM: web", "AWS answered"))] == []


def test_signs_show_what_became_of_a_rule() -> None:
    added, removed, tried = rule("10.0.0.1/32"), rule("10.0.0.2/32"), rule("10.0.0.3/32")
    alert = critical_open_ssh()._replace(changes=Changes((added,), (removed,), (), (tried,)), exposures=())
    assert list(diff_entries(alert)) == [
        "+ ingress tcp 22 from 10.0.0.1/32",
        "- ingress tcp 22 from 10.0.0.2/32",
        "× ingress tcp 22 from 10.0.0.3/32",
    ]


def test_a_modified_rule_shows_before_and_after() -> None:
    (entry,) = diff_entries(modify_before_known())
    assert entry == ('~ ingress tcp 22 from 10.0.0.0/8  "office"\n  → ingress tcp 22 from 0.0.0.0/0  "everybody"')


def test_a_modified_rule_whose_former_self_is_not_known_says_so() -> None:
    (entry,) = diff_entries(modify_before_unknown())
    assert entry.endswith("(what it was before is not known)")


def test_a_description_is_reported_from_what_to_what() -> None:
    (entry,) = diff_entries(description_update())
    assert entry == '~ ingress tcp 22 from 10.0.0.0/8\n  description: "office" → "office VPN"'
    before = rule(description="x")
    gone = description_update()._replace(changes=Changes(modified=(ModifiedRule(before, rule()),)))
    assert next(diff_entries(gone)).endswith('description: "x" → none')


def test_the_worst_rule_comes_first() -> None:
    assert next(diff_entries(thousand_rules())) == '+ ingress tcp 22 from ::/0  "branch office 999"'


def test_what_aws_answered_a_denied_call_is_said() -> None:
    assert outcome_sentence(denied_attempt().event) == (
        "AWS answered Client.UnauthorizedOperation: You are not authorized to perform this operation."
    )
    assert outcome_sentence(revoke().event) is None


def test_every_reason_names_its_controls() -> None:
    assert list(reasons(critical_open_ssh())) == [
        "ingress from 0.0.0.0/0 to tcp/22 (SSH), an administration port [EC2.13, EC2.19, EC2.53, CIS 5.3]"
    ]


def test_a_reason_that_several_rules_share_is_said_once() -> None:
    alert = critical_open_ssh()
    assert len(list(reasons(alert._replace(exposures=alert.exposures * 3)))) == 1


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_text_shows_what_the_alert_holds(sample: str) -> None:
    alert = SAMPLES[sample]()
    told = " ".join(plain_text(alert).split())
    for text in (alert.title, *(item.reason for item in alert.exposures), *sentences(alert.unknowns)):
        assert text in told
    for fact in facts(alert):
        assert all(line in told for line in fact.lines)
    for entry in diff_entries(alert):
        assert " ".join(entry.split()) in told
    for command in alert.undo.commands or (alert.undo.reason or "",):
        assert " ".join(command.split()) in told


@pytest.mark.parametrize("sample", SAMPLES)
def test_only_commands_links_and_rules_are_wider_than_80_columns(sample: str) -> None:
    for line in plain_text(SAMPLES[sample]()).splitlines():
        assert len(line) <= 80 or line.startswith(("  aws ", "  https://", "  + "))


def test_the_alarm_path_is_reported_where_it_was_looked_at() -> None:
    alert = revoke()._replace(alarm_path=AlarmPath("fail", None))
    assert "\nAlarm path   fail\n" in plain_text(alert)


def test_undo_commands_are_reported_exactly_or_not_at_all() -> None:
    command = "aws ec2 x --y '" + "z" * 500 + '\'  "two  blanks"'
    assert f"\n  {command}\n" in plain_text(revoke()._replace(undo=Undo((command,))))
    told = plain_text(revoke()._replace(undo=Undo(("aws 'a\u200bb'",))))
    assert "Not shown (1 command): it holds characters that would not be seen here" in " ".join(told.split())
    assert "aws 'a" not in told


@given(st.text(), st.integers(16_384, 40_000))
@settings(max_examples=examples(100), deadline=None)
def test_the_text_keeps_to_its_limit_and_hides_nothing(text: str, limit: int) -> None:
    told = plain_text(hostile(text), limit)
    assert len(told.encode()) <= limit
    assert is_plain(told.replace("\n", ""))


def test_a_thousand_rules_keep_to_the_limit() -> None:
    told = plain_text(thousand_rules(), 20_000)
    assert len(told.encode()) <= 20_000
    assert f"… and {1_000 - told.count('  + '):,} more rules" in told


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\x1b[31m\x00\x7f\x9b", "\\u001b[31m\\u0000\\u007f\\u009b"),
        ("\u2028\u2029\u00a0\u3000", "\\u2028\\u2029\\u00a0\\u3000"),
        ("\u3164\u2800\ufe0f\U000e0101\U000e0041", "\\u3164\\u2800\\ufe0f\\U000e0101\\U000e0041"),
        ("\ud800\ue000\uffff", "\\ud800\\ue000\\uffff"),
        ("Z\u0300\u0301\u0302\u0303", "Z\u0300\u0301\\u0302\\u0303"),
        ("café 東京 नमस्ते 🔴", "café 東京 नमस्ते 🔴"),
    ],
)
def test_what_would_be_hidden_is_made_visible(hidden: str, shown: str) -> None:
    assert visible(hidden) == shown


@given(st.text())
def test_visible_text_is_printable_on_one_line_and_stays_as_it_is(text: str) -> None:
    assert visible(text).isprintable()
    assert is_plain(visible(text))


@given(st.text(), st.integers(1, 60))
def test_a_cut_text_fits_and_says_that_it_was_cut(text: str, limit: int) -> None:
    kept, cut = clip(text, limit)
    assert len(kept) <= limit
    assert cut == (len(text) > limit)
    assert kept == text or kept.endswith("…")


def test_no_more_entries_are_made_than_fit() -> None:
    made: list[int] = []

    def entries() -> object:
        for number in range(1_000):
            made.append(number)
            yield "12345"

    assert fit(entries(), 20) == ["12345"] * 3  # type: ignore[arg-type]
    assert len(made) == 4


@given(st.lists(st.text(alphabet="abc", max_size=12), min_size=1))
def test_wrapping_loses_nothing(words: list[str]) -> None:
    text = " ".join(words)
    wrapped = wrap(text, 20)
    assert wrapped.replace("\n", " ") == text
    assert all(len(line) <= 20 for line in wrapped.split("\n"))


def test_numbers_agree_with_their_noun() -> None:
    assert [number_of(n, "rule") for n in (0, 1, 2, 1_000)] == ["0 rules", "1 rule", "2 rules", "1,000 rules"]


def test_a_service_that_calls_for_somebody_is_named_once() -> None:
    principal = critical_open_ssh().principal
    assert principal is not None
    service = "cloudformation.amazonaws.com"
    by_service = principal._replace(client="cloudformation", invoked_by=service, source_ip=service)
    apart = by_service._replace(source_ip="203.0.113.24")
    said = [
        str(next(fact.lines for fact in facts(critical_open_ssh()._replace(principal=each)) if fact.label == "From"))
        for each in (by_service, apart)
    ]
    assert said[0].count(service) == 1
    assert f"through {service}" in said[1]
