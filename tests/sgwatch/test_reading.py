"""Records out of files: every envelope, and what cannot be read is named while the rest goes on."""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, events_of
from sgwatch.reading import Wanted, read_bytes
from sgwatch.sources import Spool, _begin, batches, find_files, read_files
from sgwatch.unpacking import DamagedError, unpack
from sgwatch.workers import SharedCount, pool

WANTED = Wanted.of(events_of(DEFAULT_WATCH))


def record(event_id: str, name: str = "DeleteSecurityGroup", **more: object) -> dict[str, Any]:
    return {"eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": name, "eventID": event_id, **more}


def ids(data: bytes) -> list[str]:
    return [json.loads(item)["eventID"] for item in read_bytes("file", data, WANTED).records]


def lines(*documents: object) -> bytes:
    return b"".join((item if isinstance(item, str) else json.dumps(item)).encode() + b"\n" for item in documents)


ENVELOPES: dict[str, Any] = {
    "bare": record("1"),
    "log file": {"Records": [record("1")]},
    "EventBridge event": {"detail-type": "AWS API Call via CloudTrail", "detail": record("1")},
    "LookupEvents answer": {"Events": [{"CloudTrailEvent": json.dumps(record("1"))}]},
    "record key": {"source": "x", "record": {"detail": record("1")}},
    "list": [record("1")],
}


@pytest.mark.parametrize("name", ENVELOPES)
@pytest.mark.parametrize("indent", [None, 2])
def test_every_envelope_is_read(name: str, indent: int | None) -> None:
    text = json.dumps(ENVELOPES[name], indent=indent).encode()
    assert ids(text) == ids(gzip.compress(text)) == ["1"]
    assert ids(text + b"\n" + text) == ["1", "1"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_files_written_on_windows_are_read(encoding: str) -> None:
    assert ids(json.dumps(record("1")).encode(encoding)) == ["1"]


def test_windows_line_ends_and_empty_lines_are_no_faults() -> None:
    contents = read_bytes("file", lines(record("1"), "", record("2")).replace(b"\n", b"\r\n"), WANTED)
    assert (len(contents.records), contents.faults) == (2, ())


def test_a_bad_line_is_named_with_its_number_and_the_rest_is_read() -> None:
    data = lines(record("1"), '{"eventName": nonsense}', record("2"), "no json at all", "nor this", record("3"))
    contents = read_bytes("file", data, WANTED)
    assert [json.loads(item)["eventID"] for item in contents.records] == ["1", "2", "3"]
    assert [fault.lines for fault in contents.faults] == [(2, 2), (4, 5)]
    assert str(contents.faults[0]) == "file, line 2: not JSON: Expecting value at column 15"


def test_a_text_without_an_end_is_reported_by_where_it_begins() -> None:
    (fault,) = read_bytes("file", b'{"eventName": "Authorize', WANTED).faults
    assert str(fault) == "file, line 1: not JSON: Unterminated string starting at column 15"


def test_lines_cut_out_of_a_list_are_read() -> None:
    cut = ",\n".join(json.dumps(record(number)) for number in "123") + ",\n"
    assert ids(cut.encode()) == ids(cut.replace("\n", "\r\n").encode()) == ["1", "2", "3"]
    assert read_bytes("file", cut.encode(), WANTED).faults == ()
    contents = read_bytes("file", b"[\n" + cut.encode(), WANTED)
    assert (len(contents.records), len(contents.faults)) == (3, 1)


def test_a_line_cut_short_does_not_take_the_next_one_with_it() -> None:
    contents = read_bytes("file", lines('{"eventName": ', record("1"), record("2")), WANTED)
    assert len(contents.records) == 2
    assert [fault.lines for fault in contents.faults] == [(1, 1)]


def test_json_that_holds_no_record_is_named() -> None:
    (fault,) = read_bytes("file", lines(record("1"), {"hello": "world"}), WANTED).faults
    assert str(fault).startswith("file, line 2: no CloudTrail record here")


def test_a_record_that_names_no_source_is_read_and_one_of_another_service_is_not() -> None:
    nameless, other = record("1", eventSource=None), record("2", eventSource="rds.amazonaws.com")
    assert (
        ids(lines(nameless, other)) == ids(gzip.compress(json.dumps({"Records": [nameless, other]}).encode())) == ["1"]
    )


def test_one_bad_item_of_a_list_does_not_hide_those_behind_it() -> None:
    contents = read_bytes("file", json.dumps({"Records": [record("1"), "bad", record("2")]}).encode(), WANTED)
    assert len(contents.records) == 2
    assert len(contents.faults) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_gzip_file_is_named(damage: str) -> None:
    data = bytearray(gzip.compress(lines(*(record(str(number)) for number in range(50)))))
    if damage == "cut":
        del data[-20:]
    else:
        data[-6] ^= 0xFF
    (fault,) = read_bytes("logs.gz", bytes(data), WANTED).faults
    assert str(fault).startswith("logs.gz: damaged gzip data")


def test_several_gzip_members_in_one_file_are_all_read() -> None:
    one, two = (gzip.compress(json.dumps({"Records": [record(number)]}).encode()) for number in "12")
    assert ids(one + two) == ["1", "2"]


CUT = gzip.compress(json.dumps({"Records": [record("2")]}).encode())[:-9]


@pytest.mark.parametrize("damage", [CUT, b"more", b"\x1f\x8b"])
def test_a_damaged_gzip_member_is_named_and_hides_none_before_it(damage: bytes) -> None:
    contents = read_bytes("logs.gz", gzip.compress(json.dumps({"Records": [record("1")]}).encode()) + damage, WANTED)
    assert [json.loads(item)["eventID"] for item in contents.records] == ["1"]
    assert [str(fault).startswith("logs.gz: damaged gzip data") for fault in contents.faults] == [True]


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"[]", b'{"Records": []}', b"{}[" + b"[" * 100_000, b"\xff\xfe\x00", b"\x00" * 9]
)
def test_no_bytes_raise(data: bytes) -> None:
    assert read_bytes("file", data, WANTED).records == ()


@pytest.mark.parametrize("digits", [4_300, 4_301, 5_000])
def test_a_number_of_any_length_hides_nothing(digits: int) -> None:
    text = json.dumps({"Records": [record("1"), record("2", big="big"), record("3")]}, separators=(",", ":"))
    data = text.replace('"big":"big"', '"big":-' + "9" * digits).encode()
    assert ids(data) == ids(gzip.compress(data)) == ["1", "2", "3"]


def test_a_byte_that_is_no_utf_8_hides_nothing() -> None:
    assert ids(json.dumps(record("1", userAgent="?")).encode().replace(b"?", b"\xff")) == ["1"]


def test_digests_and_insights_are_passed_over_quietly(tmp_path: Path) -> None:
    for name in ("AWSLogs/CloudTrail-Digest/x.json.gz", "AWSLogs/CloudTrail/y.json.gz", "AWSLogs/notes.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(json.dumps({"Records": [record("1")]}).encode()))
    (tmp_path / "digest.json").write_text(json.dumps({"digestStartTime": "2026-11-23T10:00:00Z", "logFiles": []}))
    found = find_files([str(tmp_path)])
    assert [Path(path).name for path in found.files] == ["y.json.gz", "digest.json"]
    assert found.passed_over == 1
    assert [item.faults for item in read_files(found.files, WANTED)] == [(), ()]


def test_files_are_named_from_the_path_that_was_given_and_in_order_folder_by_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a-b/1.json", "a/2.json", "a/b/3.JSON", "a.", ".hidden.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert find_files(["."]).files == ("a/2.json", "a/b/3.JSON", "a-b/1.json", "a.")
    assert find_files(["./a/", "a/../a-b"]).files == ("a/2.json", "a/b/3.JSON", "a/../a-b/1.json")


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(record("1")))
    # Nobody, not even root, can open a path of over 4,096 bytes.
    inside = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=inside)
        outside, inside = inside, os.open("d" * 200, os.O_RDONLY, dir_fd=inside)
        os.close(outside)
    os.close(inside)
    found = find_files([str(tmp_path)])
    assert [Path(path).name for path in found.files] == ["a.json"]
    assert [str(fault).endswith("cannot be read: File name too long") for fault in found.unreadable] == [True]


def test_a_link_to_nothing_is_named_and_a_pipe_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "gone.json").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.json")
    found = find_files([str(tmp_path)])
    (contents,) = read_files(found.files, WANTED)
    assert [str(fault).endswith("cannot be read: No such file or directory") for fault in contents.faults] == [True]


def test_processes_give_the_contents_in_the_order_of_the_files(tmp_path: Path) -> None:
    paths = []
    for number in range(40):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"Records": [record(str(number), padding="x" * 150_000)]}))
        paths.append(str(path))
    alone = list(read_files(paths, WANTED, processes=1))
    assert list(read_files(paths, WANTED, processes=2)) == alone
    assert [json.loads(item.records[0])["eventID"] for item in alone] == [str(number) for number in range(40)]


def test_the_spool_gives_records_oldest_first_and_those_without_a_time_last() -> None:
    times = ["2026-11-23T10:00:02Z", None, "2026-11-23T10:00:01Z", "not a time", "2026-11-23T10:00:01+00:00"]
    with Spool() as spool:
        for number, event_time in enumerate(times):
            spool.add(json.dumps(record(str(number), eventTime=event_time)).encode())
        assert [json.loads(item)["eventID"] for item in spool] == ["2", "4", "0", "1", "3"]


def test_a_process_that_dies_loses_no_file(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text(json.dumps({"Records": [record("1")]}))
    with pool(2) as readers:
        with pytest.raises(BrokenProcessPool):
            readers.submit(os._exit, 1).result()
        assert [len(contents.records) for contents in _begin(readers, (str(path),), WANTED, None)()] == [1]


def test_files_are_read_in_batches_of_bounded_size_and_number() -> None:
    small = [(f"{number}", 1000) for number in range(600)]
    assert [len(batch) for batch in batches(small)] == [256, 256, 88]
    assert list(batches([("a", 600_000), ("b", 600_000), ("c", 1)])) == [("a",), ("b", "c")]
    assert list(batches([("a", 9_000_000), ("b", 1)])) == [("a",), ("b",)]
    assert list(batches([("a", 1), ("-", 0), ("b", 1)])) == [("a",), ("-",), ("b",)]


@pytest.mark.parametrize("size", [0, 1, 32_768, 3_000_000])
def test_gzip_files_of_any_size_and_number_of_members_areunpacked(size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    packed, small = gzip.compress(data), gzip.compress(b"x")
    assert unpack(packed) == gzip.decompress(packed) == data
    assert unpack(packed + small + packed) == data + b"x" + data
    assert unpack(packed + b"\0" * 9) == data
    for cut in (1, 4, 8, 12):
        with pytest.raises(DamagedError):
            unpack(packed[:-cut])


LINES = b"".join(json.dumps(record(str(number), note="x" * 600)).encode() + b"\n" for number in range(4_000))
LARGE: dict[str, bytes] = {
    "lines": LINES,
    "document": b'{"Records": [' + LINES.strip().replace(b"\n", b",") + b"]}",
    "table": b"eventname,eventsource\n" + (b"DescribeInstances,ec2.amazonaws.com" + b" " * 2_000 + b"\n") * 2_000,
    "packed": gzip.compress(LINES),
    "damaged": gzip.compress(LINES)[:-20],
    "empty": b"",
    "binary": b"\x00\x01" * 10_000,
}


@pytest.mark.parametrize("kind", LARGE)
def test_the_parts_of_a_file_add_up_to_its_bytes(kind: str) -> None:
    said: list[int] = []
    assert read_bytes(kind, LARGE[kind], WANTED, said.append) == read_bytes(kind, LARGE[kind], WANTED)
    assert sum(said) == len(LARGE[kind])
    assert all(part >= 0 for part in said)
    if kind in {"lines", "document", "table"}:
        assert len(said) >= 3


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_read_is_counted_wherever_it_is_read(processes: int, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.json" for number in range(4)]
    for path in paths:
        path.write_bytes(LINES)
    count = SharedCount()
    read = list(read_files(map(str, paths), WANTED, processes, count))
    assert [each.count for each in read] == [4_000] * 4
    assert count.value == 4 * len(LINES)
