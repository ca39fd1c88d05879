"""Log files in S3 are chosen by their keys, read as files are, and not read twice where a run was interrupted."""

from __future__ import annotations

import gzip
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError

from chalicelib.alert.model import to_json
from chalicelib.cloudtrail.catalog import EventGroup
from sgwatch.bucket_logs import LogBucket, LogSelection
from sgwatch.bucket_reading import in_buckets
from sgwatch.replaying import Tally, itself, replay
from tests.support.command_line import BASE, sgwatch
from tests.support.records import authorize, world

ORGANIZATION = "AWSLogs/o-abcdefghij"
WATCHED = ("rules",)


class S3:
    """A client of S3 with these objects, a page of ``page`` keys at a time."""

    def __init__(self, objects: dict[str, bytes], page: int = 2) -> None:
        self.objects = objects
        self.asked: list[dict[str, Any]] = []
        self.got: list[str] = []
        self.refused: set[str] = set()
        self.unlisted = ""
        self._page = page

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
        if self.unlisted:
            raise ClientError({"Error": {"Code": self.unlisted, "Message": ""}}, "ListObjectsV2")
        self.asked.append(asked)
        prefix, after = asked["Prefix"], asked.get("ContinuationToken") or asked.get("StartAfter", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        if "Delimiter" in asked:
            folders = dict.fromkeys(
                f"{prefix}{head}/"
                for key in keys
                if "/" in key[len(prefix) :]
                for head in [key[len(prefix) :].partition("/")[0]]
            )
            return {"CommonPrefixes": [{"Prefix": folder} for folder in folders]}
        keys = [key for key in keys if key > after]
        page, rest = keys[: self._page], keys[self._page :]
        answer = {"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in page]}
        return {**answer, "IsTruncated": True, "NextContinuationToken": page[-1]} if rest else answer

    def get_object(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        self.got.append(asked["Key"])
        if asked["Key"] in self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[asked["Key"]])}


def key(account: str, region: str, day: str, number: int = 0, under: str = "AWSLogs") -> str:
    name = f"{account}_CloudTrail_{region}_{day.replace('/', '')}T1000Z_{number:016}.json.gz"
    return f"{under}/{account}/CloudTrail/{region}/{day}/{name}"


A, B = "123456789012", "210987654321"
KEYS = [
    *(key(A, "eu-west-1", f"2026/11/{day}", number) for day in ("22", "23", "24") for number in range(3)),
    key(A, "us-east-1", "2026/11/23"),
    key(B, "eu-west-1", "2026/11/23", under=ORGANIZATION),
]
BESIDE = [
    f"AWSLogs/{A}/CloudTrail-Digest/eu-west-1/2026/11/23/{A}_CloudTrail-Digest_eu-west-1.json.gz",
    f"AWSLogs/{A}/vpcflowlogs/eu-west-1/2026/11/23/{A}_vpcflowlogs_eu-west-1.log.gz",
    "notes/readme.json",
]


def log_file(number: int) -> bytes:
    record = authorize(world(number + 1), eventID=f"event-{number}")
    return gzip.compress(json.dumps({"Records": [record]}, separators=(",", ":")).encode())


@pytest.fixture
def s3() -> S3:
    return S3({name: log_file(number) for number, name in enumerate([*KEYS, *BESIDE])})


def keys(s3: S3, prefix: str = "", **wanted: Any) -> list[str]:
    return [item.path.removeprefix("s3://logs/") for item in LogBucket(s3, "logs").logs(prefix, LogSelection(**wanted))]


def test_a_whole_bucket_gives_cloudtrails_log_files_and_nothing_beside_them(s3: S3) -> None:
    assert sorted(keys(s3)) == sorted(KEYS)
    assert not any("vpcflowlogs" in asked["Prefix"] for asked in s3.asked)


def test_days_accounts_and_regions_are_taken_from_the_keys(s3: S3) -> None:
    assert keys(s3, since=date(2026, 11, 24)) == [name for name in KEYS if "/2026/11/24/" in name]
    assert keys(s3, until=date(2026, 11, 22)) == [name for name in KEYS if "/2026/11/22/" in name]
    assert keys(s3, accounts=frozenset({B})) == [name for name in KEYS if f"/{B}/" in name]
    assert keys(s3, regions=frozenset({"us-east-1"})) == [name for name in KEYS if "/us-east-1/" in name]


def test_keys_of_days_that_are_not_wanted_are_not_listed(s3: S3) -> None:
    bucket = LogBucket(s3, "logs")
    day = LogSelection(date(2026, 11, 23), date(2026, 11, 23), frozenset({A}), frozenset({"eu-west-1"}))
    assert len(list(bucket.logs("AWSLogs/", day))) == 3
    of_keys = [asked for asked in s3.asked if "Delimiter" not in asked]
    assert of_keys[0]["StartAfter"].endswith("/eu-west-1/2026/11/23")
    assert len(of_keys) == 2


@pytest.mark.parametrize("prefix", ["AWSLogs", f"AWSLogs/{A}", f"AWSLogs/{A}/CloudTrail/eu-west-1", KEYS[0]])
def test_a_prefix_may_be_a_folder_without_its_slash_or_one_key(s3: S3, prefix: str) -> None:
    assert sorted(keys(s3, prefix)) == sorted(name for name in KEYS if name.startswith(prefix))


def test_a_prefix_that_begins_several_regions_is_read_to_its_end(s3: S3) -> None:
    s3.objects[key(A, "eu-west-2", "2026/11/22")] = log_file(90)
    found = keys(s3, f"AWSLogs/{A}/CloudTrail/eu-", until=date(2026, 11, 22))
    assert found == [*KEYS[:3], key(A, "eu-west-2", "2026/11/22")]


def test_objects_that_somebody_has_put_elsewhere_are_read_where_nothing_is_selected(s3: S3) -> None:
    assert keys(s3, "notes/") == ["notes/readme.json"]
    assert keys(s3, "notes/", since=date(2026, 1, 1)) == []


def alerts(s3: S3, resume: Path | None = None, watched: tuple[str, ...] = WATCHED) -> tuple[list[Any], Tally]:
    tally = Tally()
    path = str(resume) if resume else None
    with in_buckets(["s3://logs"], LogSelection(), watched, requester_pays=True, resume=path, client=s3) as found:
        made = list(replay([], EventGroup, tally, itself, more=found.contents))
    return [to_json(alert) for alert in made], tally


def test_objects_make_the_alerts_that_the_same_files_make(s3: S3, tmp_path: Path) -> None:
    for name in KEYS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(s3.objects[name])
    of_objects, tally = alerts(s3)
    files = [str(tmp_path / name) for name in KEYS]
    assert of_objects == [to_json(alert) for alert in replay(files, EventGroup, Tally(), itself)]
    assert (tally.files, tally.records, tally.faults) == (len(KEYS), len(KEYS), [])
    assert all(asked["RequestPayer"] == "requester" for asked in s3.asked)


def test_what_is_read_and_its_price_are_said_first(s3: S3, capsys: pytest.CaptureFixture[str]) -> None:
    alerts(s3)
    said = capsys.readouterr().err
    assert said.startswith("11 objects of 0.0 MB in S3: 11 GET and ")
    assert "under $0.01" in said


def test_a_run_that_was_interrupted_reads_the_rest_and_makes_all_alerts(s3: S3, tmp_path: Path) -> None:
    whole, _ = alerts(s3)
    kept = tmp_path / "kept"
    s3.refused = set(KEYS[4:])
    first, tally = alerts(s3, kept)
    assert len(first) == len(tally.faults) - 3 == 4
    assert "AccessDenied" in tally.faults[0].reason
    kept.write_bytes(kept.read_bytes()[:-20])  # ended while it wrote
    s3.refused, s3.got = set(), []
    again, tally = alerts(s3, kept)
    assert again == whole
    assert sorted(s3.got) == sorted(KEYS[3:])
    s3.got = []
    assert alerts(s3, kept)[0] == whole
    assert s3.got == []


def refusal(capsys: pytest.CaptureFixture[str], s3: S3, *asked: Any) -> str:
    with pytest.raises(typer.Exit):
        alerts(s3, *asked)
    return capsys.readouterr().err


def test_a_file_of_another_kind_is_not_resumed_from(s3: S3, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept").write_text("mine\n")
    assert "is no file that --resume has written" in refusal(capsys, s3, tmp_path / "kept")


def test_a_file_of_other_events_is_not_resumed_from(s3: S3, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alerts(s3, tmp_path / "kept")
    said = refusal(capsys, s3, tmp_path / "kept", ("groups",))
    assert "was written with another --watch: rules" in said


@pytest.mark.parametrize(("code", "said"), [("NoSuchBucket", "no such bucket"), ("AccessDenied", "s3:ListBucket")])
def test_a_bucket_that_cannot_be_listed_is_refused_in_a_sentence(
    s3: S3, capsys: pytest.CaptureFixture[str], code: str, said: str
) -> None:
    s3.unlisted = code
    refused = refusal(capsys, s3)
    assert refused.startswith("sgwatch: s3://logs: ")
    assert said in refused


def told(*words: str) -> tuple[int, str]:
    done = sgwatch("replay", *words, environ=BASE | {"AWS_EC2_METADATA_DISABLED": "true"})
    return done.returncode, done.stderr.decode()


def test_options_of_s3_paths_are_refused_where_they_make_no_sense(tmp_path: Path) -> None:
    for words, said in (
        (("--since", "2026-11-23", str(tmp_path)), "are for s3:// paths"),
        (("--since", "2026-11-23", "--until", "2026-11-22", "s3://logs"), "is after --until"),
        (("--account", "1234", "s3://logs"), "no account id"),
    ):
        status, err = told(*words)
        assert status == 2
        assert said in err


def test_without_credentials_the_way_out_is_said() -> None:
    status, err = told("s3://logs/AWSLogs/")
    assert status == 2
    assert "there are no AWS credentials" in err
