"""The quick scan of a log file finds what a full parse finds, or gives up."""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sgwatch.logscan import scan
from sgwatch.reading import Wanted, read_bytes

WATCHED = "AuthorizeSecurityGroupIngress"
EC2 = "ec2.amazonaws.com"
WANTED = Wanted(frozenset({(EC2, WATCHED), (EC2, "DeleteSecurityGroup")}), frozenset({WATCHED, "DeleteSecurityGroup"}))

names = st.sampled_from([WATCHED, "DeleteSecurityGroup", "DescribeInstances", "AssumeRole", None, 7])
texts = st.text(st.sampled_from('ab"\\{}[],:é\u2028')) | st.sampled_from(
    ['"eventName":"' + WATCHED + '"', '{"eventVersion":"1.1","eventName":"' + WATCHED + '"}', "eventName", "\\"]
)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def looks_like_a_record(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {"eventVersion": st.just("1.11"), "eventSource": st.just(EC2), "eventName": names}
    return st.fixed_dictionaries(fields, optional={"requestParameters": inside, "eventID": texts})


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | texts,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["eventName", "Records", "eventVersion"]), inside, max_size=3)
        | looks_like_a_record(inside)
    ),
    max_leaves=12,
)
records = looks_like_a_record(values) | st.dictionaries(st.sampled_from(["eventName", "eventTime"]), names)


def full_parse(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in listed if isinstance(item.get("eventName"), str) and item["eventName"] in WANTED.names]


@given(st.lists(records, min_size=1, max_size=6))
def test_a_scan_that_does_not_give_up_finds_what_a_full_parse_finds(listed: list[dict[str, Any]]) -> None:
    found = scan(compact({"Records": listed}), WANTED.names)
    if found is not None:
        assert [json.loads(item) for item in found.records] == full_parse(listed)


@given(st.lists(records, min_size=1, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_a_gzip_file_gives_the_same_records_as_the_same_file_unpacked(
    listed: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps({"Records": listed}, indent=indent, ensure_ascii=ascii_only).encode()
    packed, unpacked = (read_bytes("file", data, WANTED) for data in (gzip.compress(text, 1), text))
    assert [json.loads(item) for item in packed.records] == [json.loads(item) for item in unpacked.records]


def record(name: str, **more: object) -> dict[str, Any]:
    return {"eventVersion": "1.11", "eventSource": EC2, "eventName": name, **more}


def test_a_file_as_cloudtrail_writes_it_is_scanned_and_not_parsed() -> None:
    listed = [record("AssumeRole", requestParameters={"policy": '{"a":["b"]}'}), record(WATCHED), record("AssumeRole")]
    found = scan(compact({"Records": listed}), WANTED.names)
    assert found is not None
    assert found.count == 3
    assert [json.loads(item) for item in found.records] == [listed[1]]


def test_a_file_without_a_watched_name_is_not_looked_at_further() -> None:
    found = scan(compact({"Records": [record("AssumeRole"), record("PutThing")]}), WANTED.names)
    assert found is not None
    assert (found.records, found.count) == ((), 2)


def test_an_object_inside_a_request_that_looks_like_a_record_is_no_record() -> None:
    inner = [{"a": "}]"}, record(WATCHED), record(WATCHED)]
    listed = [record("PutThing", requestParameters={"document": inner}), record("AssumeRole")]
    found = scan(compact({"Records": listed}), WANTED.names)
    assert found is not None
    assert (found.records, found.count) == ((), 2)


def test_a_name_written_with_escapes_is_not_missed() -> None:
    text = compact({"Records": [record(WATCHED)]})
    for hidden in (text.replace(b"Authorize", b"\\u0041uthorize"), text.replace(b'"eventName', b'"event\\u004Eame')):
        found = scan(hidden, WANTED.names)
        assert found is not None
        assert found.records == (hidden.removeprefix(b'{"Records":[').removesuffix(b"]}"),)


def test_of_a_name_given_twice_the_last_counts_as_for_the_parser() -> None:
    for first, last in ((WATCHED, "AssumeRole"), ("AssumeRole", WATCHED)):
        text = f'{{"Records":[{{"eventVersion":"1.11","eventName":"{first}","eventName":"{last}"}}]}}'.encode()
        found = scan(text, WANTED.names)
        assert found is not None
        assert bool(found.records) is (json.loads(text)["Records"][0]["eventName"] == WATCHED)


def test_what_json_does_not_allow_is_left_to_the_parser() -> None:
    for odd in (b"NaN", b"-Infinity", b"'a'", b"9" * 5_000, b'"\xff"', b"[1,]", b"[" * 100_000):
        text = b'{"Records":[{"eventVersion":"1.11","eventName":"DeleteSecurityGroup","odd":' + odd + b"}]}"
        assert scan(text, WANTED.names) is None


def test_a_list_beside_records_holds_no_records() -> None:
    text = compact({"Records": [record("AssumeRole")], "Other": [record(WATCHED)]})
    assert scan(text, WANTED.names) is None


def test_a_file_that_stops_in_the_middle_is_left_to_the_parser() -> None:
    text = compact({"Records": [record(WATCHED), record("AssumeRole")]})
    assert scan(text[:-20], WANTED.names) is None
    assert scan(text[:-20] + b"}]}", WANTED.names) is None
