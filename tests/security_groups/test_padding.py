"""Who makes a call chooses how much is in its request: keys that nobody knows lower no severity and hide nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from chalicelib.cloudtrail.catalog import BY_NAME
from chalicelib.rendering.plain_text import plain_text
from chalicelib.security_groups.request_keys import may_open
from chalicelib.security_groups.severity import ExposureKind
from tests.support import records as r
from tests.support.examples import examples
from tests.support.rows import every
from tests.support.unknowns import sentences

SAMPLES = r.samples() | r.other_samples()
PADDED = [
    name
    for name, sample in SAMPLES.items()
    if isinstance(sample["requestParameters"], dict) and "omitted" not in sample["requestParameters"]
]
VALUES: list[Any] = [
    "0.0.0.0/0",
    22,
    True,
    "sg-0aaaaaaaaaaaaaaaa",
    {"zzInner": "::/0"},
    ["10.0.0.0/8"],
    {"items": [{}]},
]


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each object in a request."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


def padding(many: int, shift: int = 0) -> dict[str, Any]:
    return {f"zz{number}": VALUES[(number + shift) % len(VALUES)] for number in range(many)}


def padded(sample: r.Json, path: tuple[Any, ...], keys: dict[str, Any], *, before: bool = False) -> r.Json:
    made = copy.deepcopy(sample)
    target = made["requestParameters"]
    for step in path:
        target = target[step]
    old = dict(target)
    target.clear()
    target.update({**keys, **old} if before else {**old, **keys})
    return made


def rules_of(alert: Alert) -> set[object]:
    changes = alert.changes
    after = (item.after for item in changes.modified)
    return {rule.identity for rule in (*changes.added, *changes.removed, *changes.attempted, *after)}


EVERY_PLACE = [(name, path) for name in PADDED for path in places(SAMPLES[name]["requestParameters"])]


@settings(max_examples=examples(1000), deadline=None)
@given(st.sampled_from(EVERY_PLACE), st.integers(1, 400), st.integers(0, 6), st.booleans())
def test_no_padding_of_a_request_lowers_a_severity_or_hides_a_rule(
    place: tuple[str, tuple[Any, ...]], many: int, shift: int, before: bool
) -> None:
    name, path = place
    plain = alert_of(SAMPLES[name])
    made = alert_of(padded(SAMPLES[name], path, padding(many, shift), before=before))
    assert made.severity.rank >= plain.severity.rank
    assert rules_of(made) >= rules_of(plain)
    assert len(made.exposures) <= len(plain.exposures) + 7
    assert len(plain_text(made)) <= len(plain_text(plain)) + 4_000
    if plain.severity.rank == made.severity.rank:
        assert made.exposures[0].kind is not ExposureKind.UNREAD or plain.exposures[0].kind is ExposureKind.UNREAD


@every(("name", "path"), EVERY_PLACE)
def test_an_unknown_key_is_named_wherever_in_a_request_it_stands(name: str, path: tuple[Any, ...]) -> None:
    sample = SAMPLES[name]
    made = alert_of(padded(sample, path, {"fqdnRanges": "every.example.com"}))
    assert any("fqdnRanges" in sentence for sentence in sentences(made.unknowns))
    if made.event.outcome == "succeeded" and may_open(BY_NAME[sample["eventName"]]):
        assert made.severity.rank >= 3


@every("name", SAMPLES)
def test_unknown_keys_of_a_record_change_nothing(name: str) -> None:
    sample = SAMPLES[name]
    extra = {f"zz{number}": VALUES[number % len(VALUES)] for number in range(400)}
    assert alert_of({**extra, **sample, **extra}) == alert_of(sample)


def test_the_worst_is_reported_first_and_the_rest_counted() -> None:
    alert = alert_of(padded(r.authorize(r.world()), (), padding(400)))
    text = " ".join(plain_text(alert).split())
    assert alert.title == f"tcp/22 opened to the internet on {r.GROUP_ID}, and more not understood"
    assert alert.exposures[0].severity == "critical"
    known = sum(value != {"items": [{}]} for value in padding(400).values())
    assert f"{known - 5} more parts like these" in text


@pytest.mark.parametrize(
    "ranges",
    [
        {"items": [{"cidrIp": "10.0.0.0/8"}], "item": [{"cidrIp": "0.0.0.0/0"}]},
        {"items": [{"cidrIp": "10.0.0.0/8"}], "cidrIp": "0.0.0.0/0"},
        {"cidrIp": "0.0.0.0/0", "items": []},
        {"items": {"items": {"item": {"cidrIp": "0.0.0.0/0"}}}},
    ],
)
def test_what_stands_beside_a_list_is_a_member_of_it(ranges: r.Json) -> None:
    permission = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": ranges}
    assert alert_of(r.authorize(permission)).severity == "critical"


def test_a_request_that_only_claims_to_be_left_out_is_read() -> None:
    made = padded(r.authorize(r.world()), (), {"omitted": True})
    alert = alert_of(made)
    assert (alert.severity, len(alert.changes.added)) == ("critical", 1)
    assert any("omitted" in sentence for sentence in sentences(alert.unknowns))


def test_parameters_beside_the_wrapper_and_in_it_add_up() -> None:
    sample = SAMPLES["connect endpoint"]
    alert = alert_of(padded(sample, (), {"SecurityGroupId": {"tag": 1, "content": "sg-0bbbbbbbbbbbbbbbb"}}))
    assert alert.attachment is not None
    assert set(alert.attachment.groups_after or ()) == {r.GROUP_ID, "sg-0bbbbbbbbbbbbbbbb"}


@pytest.mark.parametrize("key", ["cidrIp", "cidrIpv6", "sourceSecurityGroupId"])
@pytest.mark.parametrize("value", [["10.0.0.0/8", "0.0.0.0/0"], {"zz": "0.0.0.0/0"}, True])
def test_a_peer_that_is_no_text_is_not_passed_over_beside_others(key: str, value: Any) -> None:
    narrow = r.permission(v4=("10.0.0.0/8",))
    alert = alert_of(padded(r.authorize(narrow), (), {key: value}))
    assert (alert.severity, len(alert.changes.added)) == ("high", 1)
    assert any(f"{key} is not a text" in sentence for sentence in sentences(alert.unknowns))


def test_a_peer_of_a_modified_rule_that_is_no_text_is_not_passed_over() -> None:
    alert = alert_of(r.modify(r.new_values(CidrIpv4="10.0.0.0/8", CidrIpv6=["::/0"])))
    assert (alert.severity, len(alert.changes.modified)) == ("high", 1)
