"""``replay --verify-digests``: verified is only what a digest file with CloudTrail's signature has the hash of."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rsa
from awscli.customizations.cloudtrail.validation import DigestSignatureError, Sha256RSADigestValidator
from botocore.exceptions import ClientError, NoCredentialsError

from chalicelib.alarm_path.verdicts import Status
from chalicelib.cloudtrail.catalog import EventGroup
from sgwatch.bucket_logs import LogBucket, LogSelection
from sgwatch.bucket_reading import in_buckets
from sgwatch.log_integrity.digest_file import read_digest
from sgwatch.log_integrity.integrity_report import FileState, IntegrityReport, KeySource
from sgwatch.log_integrity.public_keys import KeyFileError, keys_of_cloudtrail, keys_of_file
from sgwatch.log_integrity.replay_check import ReplayCheck
from sgwatch.log_integrity.signature import PublicKey, PublicKeyError
from sgwatch.replaying import Tally, itself, replay
from sgwatch.sources import find_files
from tests.support.command_line import sgwatch
from tests.support.digest_chain import (
    BUCKET,
    FINGERPRINT,
    FIRST,
    REGION,
    Trail,
    hours,
    key_answer,
    private_key,
    public_der,
    sha256_of,
    sign,
)

KEYS = ({FINGERPRINT: PublicKey.of_der(public_der())}, KeySource("keys.json", (FINGERPRINT,)))


def no_client(*_: object) -> Any:
    raise AssertionError("AWS is not to be asked")


def check(paths: list[Path], keys: Any = KEYS, client: Any = no_client) -> IntegrityReport:
    """What a replay of these paths would say."""
    named = [str(path) for path in paths]
    made = ReplayCheck(named, {}, LogSelection(), keys, client)
    files = find_files(named).files
    list(replay(files, [EventGroup.RULES], Tally(), itself, on_read=made.take, hashes=True))
    return made.report


def states(report: IntegrityReport) -> dict[str, FileState]:
    return {path.rpartition("/")[2]: state for path, state in report.states.items()}


def name(key: str) -> str:
    return key.rpartition("/")[2]


def edited(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data).replace(b"203.0.113.9", b"203.0.113.8"))


def faults(report: IntegrityReport) -> set[tuple[str, Status]]:
    return {(name(fault.path), fault.status) for fault in report.digest_faults}


def test_files_as_cloudtrail_wrote_them_pass(tmp_path: Path) -> None:
    trail = hours()
    report = check([trail.write(tmp_path)])
    assert report.status is Status.PASS
    assert states(report) == dict.fromkeys(map(name, trail.logs), FileState.VERIFIED)
    (chain,) = report.chains
    assert (chain.digest_files, chain.since, chain.until) == (3, "2026-11-23T09:00:00Z", "2026-11-23T12:00:00Z")
    assert (chain.chain.trail, chain.chain.region, chain.gaps) == ("main_trail", REGION, ())
    assert chain.sentence().startswith("123456789012 eu-west-1, trail main_trail to bucket trail-logs: 3 digest files")


def test_the_aws_cli_takes_the_digest_files_of_these_tests_and_refuses_changed_ones() -> None:
    trail = hours(2)
    for key in trail.digests:
        content = gzip.decompress(trail.objects[key])
        document = json.loads(content) | {"_signature": trail.signatures[key]}
        value = key_answer()["PublicKeyList"][0]["Value"]
        Sha256RSADigestValidator().validate(BUCKET, key, value, document, content)
        with pytest.raises(DigestSignatureError):
            Sha256RSADigestValidator().validate(BUCKET, key, value, document, content + b" ")


def changed_log(trail: Trail) -> None:
    trail.objects[trail.logs[2]] = edited(trail.objects[trail.logs[2]])


def damaged_log(trail: Trail) -> None:
    trail.objects[trail.logs[2]] = trail.objects[trail.logs[2]][:-9]


def longer_log(trail: Trail) -> None:
    trail.objects[trail.logs[2]] += gzip.compress(b"\n")


def emptied_log(trail: Trail) -> None:
    trail.objects[trail.logs[2]] = b""


@pytest.mark.parametrize("tamper", [changed_log, damaged_log, longer_log, emptied_log])
def test_a_changed_log_file_is_named_and_the_others_stay_verified(
    tmp_path: Path, tamper: Callable[[Trail], None]
) -> None:
    trail = hours()
    tamper(trail)
    report = check([trail.write(tmp_path)])
    assert report.status is Status.FAIL
    assert {path for path, state in states(report).items() if state is not FileState.VERIFIED} == {name(trail.logs[2])}
    assert states(report)[name(trail.logs[2])] is FileState.CHANGED


def test_a_removed_log_file_is_missing(tmp_path: Path) -> None:
    trail = hours()
    report = check([trail.write(tmp_path, but=(trail.logs[1],))])
    assert report.status is Status.FAIL
    assert [(name(item.path), item.state) for item in report.problems] == [(name(trail.logs[1]), FileState.MISSING)]


def test_a_folder_in_which_all_log_files_were_removed_misses_them(tmp_path: Path) -> None:
    trail = hours()
    report = check([trail.write(tmp_path, but=tuple(trail.logs))])
    assert report.counts == {FileState.MISSING: len(trail.logs)}


def test_a_log_file_that_was_put_there_is_not_covered(tmp_path: Path) -> None:
    trail = hours()
    forged = trail.deliver_log(FIRST + timedelta(minutes=20))
    report = check([trail.write(tmp_path)])
    assert report.status is Status.UNKNOWN
    assert [(name(item.path), item.state) for item in report.problems] == [(name(forged), FileState.NOT_COVERED)]


def test_the_last_hour_of_a_copy_is_not_covered_and_its_files_say_why(tmp_path: Path) -> None:
    trail = hours(last_is_empty=False)
    report = check([trail.write(tmp_path)])
    assert report.status is Status.UNKNOWN
    assert {name(item.path) for item in report.problems} == set(map(name, trail.logs[-2:]))
    assert all("not verified" in item.reason for item in report.problems)
    (fault,) = report.digest_faults
    assert (name(fault.path), fault.status) == (name(trail.digests[-1]), Status.UNKNOWN)
    assert "its signature is not at hand" in fault.reason


def test_a_log_file_that_only_an_unverified_digest_file_names_and_that_is_gone_is_missing(tmp_path: Path) -> None:
    trail = hours(last_is_empty=False)
    report = check([trail.write(tmp_path, but=(trail.logs[-1],))])
    assert report.status is Status.FAIL
    assert states(report)[name(trail.logs[-1])] is FileState.MISSING


def rewritten(trail: Trail, number: int, key: int | None = None, **fields: Any) -> None:
    """Write a digest file anew as an attacker would: with his own key where he has one, else with its old signature."""
    place = trail.digests[number]
    document = json.loads(gzip.decompress(trail.objects[place])) | fields
    content = json.dumps(document).encode()
    trail.objects[place] = gzip.compress(content)
    if key is not None:
        trail.signatures[place] = sign(document, content, key)


def test_a_digest_file_that_was_rewritten_to_fit_a_changed_log_file_verifies_nothing(tmp_path: Path) -> None:
    trail = hours()
    changed_log(trail)
    logs = json.loads(gzip.decompress(trail.objects[trail.digests[1]]))["logFiles"]
    logs[0]["hashValue"] = sha256_of(trail.objects[trail.logs[2]])
    rewritten(trail, 1, logFiles=logs)
    report = check([trail.write(tmp_path)])
    assert report.status is Status.FAIL
    assert (name(trail.digests[1]), Status.FAIL) in faults(report)
    assert states(report)[name(trail.logs[2])] is FileState.NOT_COVERED
    assert states(report)[name(trail.logs[0])] is FileState.VERIFIED


def test_a_chain_that_is_signed_with_another_key_verifies_nothing(tmp_path: Path) -> None:
    trail = hours(trail=Trail(key=1))
    report = check([trail.write(tmp_path)])
    assert report.status is Status.FAIL
    assert set(states(report).values()) == {FileState.NOT_COVERED}
    assert {status for _, status in faults(report)} == {Status.FAIL}


def test_a_removed_digest_file_is_missing_and_what_it_named_is_not_covered(tmp_path: Path) -> None:
    trail = hours()
    report = check([trail.write(tmp_path, but=(trail.digests[1],))])
    assert report.status is Status.FAIL
    assert (name(trail.digests[1]), Status.FAIL) in faults(report)
    assert any("it is missing" in fault.reason for fault in report.digest_faults)
    # Its signature alone is left, in the file after it, and verifies nothing.
    assert states(report)[name(trail.logs[2])] is FileState.NOT_COVERED
    assert report.chains[0].since == "2026-11-23T11:00:00Z"


def test_digest_files_removed_with_their_log_files_break_the_chain(tmp_path: Path) -> None:
    trail = hours()
    report = check([trail.write(tmp_path, but=(trail.digests[1], *trail.logs[2:4]))])
    assert report.status is Status.FAIL


def test_a_digest_file_that_the_next_one_has_another_hash_of_was_changed_whatever_its_key(tmp_path: Path) -> None:
    trail = Trail(fields={"digestPublicKeyFingerprint": "0" * 32})
    first = trail.deliver_digest(FIRST, [])
    trail.fields = {}
    trail.deliver_digest(FIRST + timedelta(hours=1), [trail.deliver_log(FIRST)])
    trail.deliver_digest(FIRST + timedelta(hours=2), [])
    assert check([trail.write(tmp_path)]).status is Status.PASS
    trail.objects[first] = gzip.compress(gzip.decompress(trail.objects[first]) + b" ")
    report = check([trail.write(tmp_path)])
    assert (report.status, faults(report)) == (Status.FAIL, {(name(first), Status.FAIL)})


def test_where_there_is_nothing_nothing_is_proven(tmp_path: Path) -> None:
    assert check([tmp_path]).status is Status.UNKNOWN


def test_a_time_without_digest_files_is_a_gap_and_no_pass(tmp_path: Path) -> None:
    trail = hours(2, last_is_empty=False)
    later = FIRST + timedelta(hours=8)
    log = trail.deliver_log(later + timedelta(minutes=10))
    trail.deliver_digest(later + timedelta(hours=1), [log], anew=True)
    trail.deliver_digest(later + timedelta(hours=2), [])
    report = check([trail.write(tmp_path)])
    assert report.status is Status.UNKNOWN
    (chain,) = report.chains
    # The last digest file before has none after it that would hold its signature.
    assert chain.gaps == (("2026-11-23T10:00:00Z", "2026-11-23T17:00:00Z"),)
    assert states(report)[name(trail.logs[2])] is FileState.NOT_COVERED


def test_the_time_of_digest_files_that_are_not_verified_is_not_in_the_verified_period(tmp_path: Path) -> None:
    trail = hours(6)
    rewritten(trail, 2, logFiles=[])
    report = check([trail.write(tmp_path)])
    assert report.status is Status.FAIL
    (chain,) = report.chains
    assert chain.gaps == (("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"),)
    assert "4 digest files verified" in chain.sentence()


def test_a_digest_file_in_another_place_is_refused(tmp_path: Path) -> None:
    trail = hours()
    trail.write(tmp_path)
    day = (tmp_path / trail.digests[0]).parent
    moved = day.with_name("24")
    moved.mkdir()
    (day / name(trail.digests[0])).rename(moved / name(trail.digests[0]))
    report = check([tmp_path])
    assert report.status is Status.FAIL
    assert any("it was moved" in fault.reason for fault in report.digest_faults)


def test_a_log_file_of_another_place_is_not_verified_by_its_content(tmp_path: Path) -> None:
    trail = hours()
    trail.objects[trail.logs[2]] = trail.objects[trail.logs[0]]
    assert states(check([trail.write(tmp_path)]))[name(trail.logs[2])] is FileState.CHANGED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no gzip",
        gzip.compress(b"[]"),
        gzip.compress(b"{}"),
        gzip.compress(b'{"digestEndTime": 1}'),
        gzip.compress(b"[" * 100_000),
        gzip.compress(b"\xff"),
    ],
    ids=["nothing", "no gzip", "a list", "empty", "a number", "too deep", "no text"],
)
def test_a_digest_file_that_cannot_be_read_is_no_pass(tmp_path: Path, data: bytes) -> None:
    trail = hours()
    trail.objects[trail.digests[1]] = data
    report = check([trail.write(tmp_path)])
    assert report.status is Status.FAIL
    assert states(report)[name(trail.logs[2])] is FileState.NOT_COVERED


@pytest.mark.parametrize("fields", [{"logFiles": None}, {"logFiles": [1]}, {"logFiles": [{}]}, {"digestS3Bucket": 1}])
def test_a_signed_digest_file_of_another_form_verifies_nothing(tmp_path: Path, fields: dict[str, Any]) -> None:
    trail = hours(1)
    trail.fields = fields
    place = trail.deliver_digest(FIRST + timedelta(hours=2), [])
    trail.fields = {}
    trail.deliver_digest(FIRST + timedelta(hours=3), [])
    report = check([trail.write(tmp_path)])
    assert report.status is Status.FAIL
    assert (name(place), Status.FAIL) in faults(report)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"digestSignatureAlgorithm": "SHA512withRSA"}, FileState.NOT_COVERED),
        ({"digestPublicKeyFingerprint": "0" * 32}, FileState.NOT_COVERED),
    ],
)
def test_what_cannot_be_checked_is_unknown_and_no_pass(
    tmp_path: Path, fields: dict[str, Any], state: FileState
) -> None:
    trail = Trail()
    log = trail.deliver_log(FIRST)
    trail.fields = fields
    trail.deliver_digest(FIRST + timedelta(hours=1), [log])
    trail.fields = {}
    trail.deliver_digest(FIRST + timedelta(hours=2), [])
    report = check([trail.write(tmp_path)])
    assert (report.status, states(report)) == (Status.UNKNOWN, {name(log): state})


def test_a_hash_of_an_unknown_kind_covers_nothing(tmp_path: Path) -> None:
    trail = Trail()
    log = trail.deliver_log(FIRST)
    item = {"s3Bucket": BUCKET, "s3Object": log, "hashValue": "0" * 128, "hashAlgorithm": "SHA-512"}
    trail.fields = {"logFiles": [item]}
    trail.deliver_digest(FIRST + timedelta(hours=1), [])
    trail.fields = {}
    trail.deliver_digest(FIRST + timedelta(hours=2), [])
    report = check([trail.write(tmp_path)])
    assert (report.status, states(report)) == (Status.UNKNOWN, {name(log): FileState.NOT_COVERED})


def test_a_part_of_a_tree_is_checked_with_the_digest_files_beside_it(tmp_path: Path) -> None:
    trail = hours()
    trail.write(tmp_path)
    folder = (tmp_path / trail.logs[0]).parent
    assert check([folder]).status is Status.PASS
    one = check([folder / name(trail.logs[2])])
    assert (one.status, states(one)) == (Status.PASS, {name(trail.logs[2]): FileState.VERIFIED})
    (folder / name(trail.logs[2])).unlink()
    assert check([folder / name(trail.logs[0])]).status is Status.PASS
    assert check([folder]).status is Status.FAIL


def test_a_copy_with_or_without_the_prefix_and_with_two_trails_and_regions_is_followed_by_chain(tmp_path: Path) -> None:
    one = hours(trail=Trail(prefix="audit/"))
    two = hours(trail=Trail(prefix="audit/", name="second-trail.x"))
    other = hours(trail=Trail(prefix="audit/", region="us-gov-west-1"))
    for number, trail in enumerate((one, two, other)):
        # Two trails' log files in one folder differ in their random ends.
        trail.write(tmp_path / "with" / str(number))
    for number in range(3):
        report = check([tmp_path / "with" / str(number)])
        assert report.status is Status.PASS
    (tmp_path / "without").mkdir()
    (tmp_path / "with" / "0" / "audit" / "AWSLogs").rename(tmp_path / "without" / "AWSLogs")
    assert check([tmp_path / "without"]).status is Status.PASS
    both = check([tmp_path / "without", tmp_path / "with" / "2"])
    assert (both.status, len(both.chains)) == (Status.PASS, 2)


def test_log_files_of_another_account_s_trail_vouch_for_none_of_this_one(tmp_path: Path) -> None:
    """CloudTrail has one key for all accounts of a region, and a trail's prefix is its owner's choice."""
    mine = hours()
    prefix = f"x/AWSLogs/{mine.account}/CloudTrail/{REGION}/2026/11/23/"
    theirs = hours(trail=Trail(account="210987654321", prefix=prefix))
    mine.write(tmp_path, but=tuple(mine.digests))
    theirs.write(tmp_path)
    report = check([tmp_path])
    assert report.status is not Status.PASS
    assert {states(report)[name(log)] for log in mine.logs} == {FileState.NOT_COVERED}


def test_a_trail_that_was_moved_to_another_bucket_is_two_chains(tmp_path: Path) -> None:
    trail = hours(2, last_is_empty=False)
    trail.fields = {"digestS3Bucket": "other-logs"}
    for number in range(3):
        trail.deliver_digest(FIRST + timedelta(hours=3 + number), [])
    report = check([trail.write(tmp_path)])
    assert [chain.chain.bucket for chain in report.chains] == ["other-logs", BUCKET]
    assert report.status is Status.PASS
    (tmp_path / trail.digests[1]).unlink()
    assert (name(trail.digests[1]), Status.FAIL) in faults(check([tmp_path]))


def test_a_late_log_file_is_covered_by_a_backfill_digest_file(tmp_path: Path) -> None:
    trail = hours()
    log = trail.deliver_log(FIRST + timedelta(minutes=30))
    late = trail.deliver_digest(FIRST + timedelta(hours=1), [log], backfill=True)
    digest = read_digest(f"s3://{BUCKET}/{late}", trail.objects[late], trail.signatures[late])
    assert digest.chain.backfill
    # In a copy its signature is nowhere, so what it names is not covered; in S3 it is (below).
    assert states(check([trail.write(tmp_path)]))[name(log)] is FileState.NOT_COVERED
    assert check_bucket(trail).status is Status.PASS


class S3:
    """A client of S3 with what a trail has delivered."""

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.got: list[str] = []
        self.refused: set[str] = set()

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
        prefix, after = asked["Prefix"], asked.get("StartAfter", "")
        keys = sorted(key for key in self.trail.objects if key.startswith(prefix))
        if "Delimiter" in asked:
            heads = dict.fromkeys(key[len(prefix) :].partition("/")[0] for key in keys if "/" in key[len(prefix) :])
            return {"CommonPrefixes": [{"Prefix": f"{prefix}{head}/"} for head in heads]}
        return {"Contents": [{"Key": key, "Size": len(self.trail.objects[key])} for key in keys if key > after]}

    def get_object(self, **asked: Any) -> dict[str, Any]:
        key = asked["Key"]
        self.got.append(key)
        if key in self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject")
        metadata = {"signature": self.trail.signatures[key]} if key in self.trail.signatures else {}
        return {"Body": io.BytesIO(self.trail.objects[key]), "Metadata": metadata}


def check_bucket(
    trail: Trail,
    path: str = f"s3://{BUCKET}",
    selection: LogSelection = LogSelection(),  # noqa: B008 - a NamedTuple
    s3: S3 | None = None,
    resume: str | None = None,
) -> IntegrityReport:
    client = s3 or S3(trail)
    with in_buckets([path], selection, ["rules"], resume=resume, hashes=True, client=client) as found:
        made = ReplayCheck([path], found.buckets or {}, selection, KEYS, no_client)
        list(replay([], [EventGroup.RULES], Tally(), itself, on_read=made.take, more=found.contents, hashes=True))
    return made.report


def test_in_s3_the_last_hour_is_covered_too_and_a_gap_is_no_pass() -> None:
    trail = hours(last_is_empty=False)
    trail.deliver_digest(FIRST + timedelta(hours=6), [], anew=True)
    assert check_bucket(trail).status is Status.UNKNOWN
    del trail.objects[trail.digests.pop()]
    report = check_bucket(trail)
    assert (report.status, report.counts) == (Status.PASS, {FileState.VERIFIED: len(trail.logs)})
    assert report.chains[0].until == "2026-11-23T13:00:00Z"


def test_in_s3_a_changed_and_a_removed_file_are_found_and_a_refused_one_is_no_proof() -> None:
    trail = hours(last_is_empty=False)
    changed_log(trail)
    del trail.objects[trail.logs[5]]
    s3 = S3(trail)
    s3.refused = {trail.logs[0]}
    found = states(check_bucket(trail, s3=s3))
    assert found[name(trail.logs[2])] is FileState.CHANGED
    assert found[name(trail.logs[5])] is FileState.MISSING
    assert found[name(trail.logs[0])] is FileState.UNREADABLE


def test_in_s3_a_digest_file_that_may_not_be_read_leaves_its_files_not_covered() -> None:
    trail = hours(last_is_empty=False)
    s3 = S3(trail)
    s3.refused = {trail.digests[-1]}
    report = check_bucket(trail, s3=s3)
    assert report.status is Status.UNKNOWN
    assert {name(item.path) for item in report.problems} == set(map(name, trail.logs[-2:]))


@pytest.mark.parametrize(
    "under",
    [
        "",
        "/AWSLogs",
        "/AWSLogs/123456789012/",
        "/AWSLogs/123456789012/CloudTrail",
        "/AWSLogs/123456789012/CloudTrail/eu-west-1/",
        "/AWSLogs/123456789012/CloudTrail/eu-west-1/2026/11/23/",
        "/AWSLogs/123456789012/CloudTrail/eu-west-1/2026/1",
    ],
)
def test_in_s3_the_digest_files_of_a_part_of_the_bucket_are_found(under: str) -> None:
    trail = hours(last_is_empty=False)
    other_day = trail.deliver_log(FIRST + timedelta(days=3))
    trail.deliver_digest(FIRST + timedelta(days=3, hours=1), [other_day])
    assert check_bucket(trail, f"s3://{BUCKET}{under}").status is Status.PASS


def test_in_s3_the_digest_files_of_the_selected_days_and_the_day_after_are_read() -> None:
    trail = Trail()
    late = FIRST.replace(hour=23, minute=50)
    # The second is in a digest file of the day after the selected one, and of no selected day itself.
    for hours_later in (0, 2, 24, 48):
        log = trail.deliver_log(late + timedelta(hours=hours_later))
        trail.deliver_digest(late + timedelta(hours=hours_later + 1), [log])
    s3 = S3(trail)
    selection = LogSelection(since=late.date(), until=late.date())
    report = check_bucket(trail, selection=selection, s3=s3)
    assert (report.status, states(report)) == (Status.PASS, {name(trail.logs[0]): FileState.VERIFIED})
    assert s3.got == [trail.logs[0], *trail.digests[:2]]


def test_what_a_resume_file_has_is_checked_by_the_hash_of_what_was_read_then(tmp_path: Path) -> None:
    trail = hours(last_is_empty=False)
    kept = str(tmp_path / "kept")
    assert check_bucket(trail, resume=kept).status is Status.PASS
    s3 = S3(trail)
    assert check_bucket(trail, resume=kept, s3=s3).status is Status.PASS
    assert not set(s3.got) & set(trail.logs)
    # One that was written without hashes is read anew.
    lines = [json.loads(line) for line in Path(kept).read_text().splitlines()]
    for line in lines:
        line.pop("sha256", None)
    Path(kept).write_text("".join(json.dumps(line) + "\n" for line in lines))
    s3 = S3(trail)
    assert check_bucket(trail, resume=kept, s3=s3).status is Status.PASS
    assert set(trail.logs) <= set(s3.got)


def test_signatures_are_those_of_an_implementation_of_somebody_else() -> None:
    key = PublicKey.of_der(public_der())
    other = rsa.PublicKey.load_pkcs1(public_der(), format="DER")
    trail, chance = hours(1), random.Random(1)
    (place,) = trail.digests
    message = read_digest(f"s3://{BUCKET}/{place}", trail.objects[place]).signed
    good = bytes.fromhex(trail.signatures[place])
    assert key.signed(message, good)
    assert rsa.verify(message, good, other) == "SHA-256"
    for _ in range(300):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        assert not key.signed(message, bytes(bad))
    assert not key.signed(message + b" ", good)
    for wrong in (b"", good[:-1], b"\x00" + good, bytes(len(good)), key.modulus.to_bytes(256, "big")):
        assert not key.signed(message, wrong)


def opened(key: PublicKey, block: bytes) -> bytes:
    """The signature that opens to this block, which the owner of the key can make of any block."""
    numbers = private_key(0).private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, key.modulus).to_bytes(256, "big")


def test_a_block_that_only_looks_like_the_standard_s_is_no_signature() -> None:
    key, message = PublicKey.of_der(public_der()), b"message"
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
    right = b"\x00\x01" + b"\xff" * (256 - 3 - len(info)) + b"\x00" + info
    assert key.signed(message, opened(key, right))
    short = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info
    others = [
        short + bytes(256 - len(short)),  # what follows the hash is not looked at
        b"\x00\x02" + right[2:],
        right.replace(b"\xff\x00\x30", b"\xfe\x00\x30"),
        right.replace(bytes.fromhex("0500"), bytes.fromhex("0501")),
    ]
    for block in others:
        assert len(block) == 256
        assert block != right
        assert not key.signed(message, opened(key, block))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x00", b"not a key", public_der()[:-1], public_der() + b"\x00", b"\x30\x82\xff\xff\x02"],
)
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(PublicKeyError):
        PublicKey.of_der(data)


def test_a_short_key_is_refused() -> None:
    short = rsa.newkeys(512)[0].save_pkcs1("DER")
    with pytest.raises(PublicKeyError, match="at least 2,048 are needed"):
        PublicKey.of_der(short)


class Paginated:
    """A client of CloudTrail with these keys, or with a refusal."""

    def __init__(self, pages: list[list[Mapping[str, Any]]], error: Exception | None = None) -> None:
        self.pages, self.error = pages, error
        self.asked: dict[str, Any] = {}

    def get_paginator(self, name: str) -> Paginated:
        assert name == "list_public_keys"
        return self

    def paginate(self, **asked: Any) -> Any:
        self.asked = asked
        if self.error:
            raise self.error
        return [{"PublicKeyList": page} for page in self.pages]


def test_keys_are_asked_of_cloudtrail_in_the_digest_files_region(tmp_path: Path) -> None:
    client = Paginated([[], [{"Fingerprint": FINGERPRINT, "Value": public_der()}]])
    asked: list[tuple[str, ...]] = []

    def factory(*words: str) -> Any:
        asked.append(words)
        return client

    report = check([hours().write(tmp_path)], None, factory)
    assert (report.status, asked) == (Status.PASS, [("cloudtrail", REGION)])
    assert client.asked["StartTime"] == FIRST
    assert report.keys == KeySource("CloudTrail (ListPublicKeys)", (FINGERPRINT,))


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListPublicKeys")]
)
def test_without_keys_nothing_is_verified_and_the_reason_is_said(tmp_path: Path, error: Exception) -> None:
    report = check([hours().write(tmp_path)], None, lambda *_: Paginated([], error))
    assert report.status is Status.UNKNOWN
    assert set(states(report).values()) == {FileState.NOT_COVERED}
    assert any(line.startswith("public keys: of eu-west-1 could not be had: ") for line in report.sentences())


def test_without_digest_files_no_key_is_asked_for_and_nothing_is_verified(tmp_path: Path) -> None:
    trail = hours()
    report = check([trail.write(tmp_path, but=tuple(trail.digests))], None)
    assert (report.status, set(states(report).values())) == (Status.UNKNOWN, {FileState.NOT_COVERED})


def test_a_key_file_holds_the_answers_for_several_regions(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(f"{json.dumps(key_answer(), indent=4)}\n{json.dumps([key_answer(1, 'f' * 32)])}\n")
    keys, source = keys_of_file(str(path))
    assert (set(keys), source.fingerprints) == ({FINGERPRINT, "f" * 32}, (FINGERPRINT, "f" * 32))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ('{"PublicKeyList": []}', "holds no key"),
        ("{}", "is no answer of aws cloudtrail list-public-keys"),
        ("-----BEGIN PUBLIC KEY-----", "is no answer of aws cloudtrail list-public-keys"),
        ('{"PublicKeyList": [{"Fingerprint": "a", "Value": "?"}]}', "a key in it cannot be used"),
        ('{"PublicKeyList": [{"Fingerprint": "a", "Value": "AAAA"}]}', "a key in it cannot be used"),
    ],
)
def test_a_key_file_without_keys_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(KeyFileError, match=said):
        keys_of_file(str(path))


def run(folder: Path, *words: str) -> Any:
    (folder / "keys.json").write_text(json.dumps(key_answer()))
    return sgwatch("replay", "logs", "--verify-digests", "--digest-keys", "keys.json", *words, folder=folder)


@pytest.mark.parametrize(
    ("tamper", "status", "said"),
    [
        (lambda trail: None, 0, "6 verified: all are as CloudTrail wrote them."),
        (changed_log, 1, "5 verified, 1 changed: NOT as CloudTrail wrote them."),
        (lambda trail: trail.deliver_log(FIRST), 2, "6 verified, 1 not covered: not proven."),
        (lambda trail: [trail.objects.pop(key) for key in trail.logs], 1, "6 missing: NOT as CloudTrail wrote them."),
    ],
    ids=["sound", "changed", "forged", "removed"],
)
def test_the_command_says_what_is_proven_and_its_status_means_it(
    tmp_path: Path, tamper: Callable[[Trail], object], status: int, said: str
) -> None:
    trail = hours()
    tamper(trail)
    (tmp_path / "logs").mkdir()
    trail.write(tmp_path / "logs")
    done = run(tmp_path, "--format", "json", "--digest-report", "report.json")
    assert done.returncode == status, done.stderr
    assert said in done.stderr.decode()
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["status"] == {0: "pass", 1: "fail", 2: "unknown"}[status]
    assert sum(written["counts"].values()) == len(written["files"])
    assert written["keys"] == {"from": "keys.json", "fingerprints": [FINGERPRINT], "faults": []}


def test_the_html_report_says_what_is_proven_and_of_each_input_file(tmp_path: Path) -> None:
    trail = hours()
    changed_log(trail)
    (tmp_path / "logs").mkdir()
    trail.write(tmp_path / "logs")
    page = run(tmp_path, "--format", "html").stdout.decode()
    assert "NOT as CloudTrail wrote them" in page
    assert page.count("<td>verified</td>") == 5
    assert page.count('<td class="gap">changed</td>') == 1
    assert FINGERPRINT in page
    unchecked = sgwatch("replay", "logs", "--format", "html", folder=tmp_path).stdout.decode()
    assert "this report says nothing about whether log files were changed" in unchecked
    assert "<td>verified</td>" not in unchecked


def test_standard_input_is_not_covered(tmp_path: Path) -> None:
    trail = hours(2)
    (tmp_path / "keys.json").write_text(json.dumps(key_answer()))
    words = ("replay", "-", "--verify-digests", "--digest-keys", "keys.json")
    done = sgwatch(*words, stdin=trail.objects[trail.logs[0]], folder=tmp_path)
    assert done.returncode == 2
    assert "not covered: standard input: no digest file at hand names it" in done.stderr.decode()


def test_keys_are_asked_for_the_time_of_the_digest_files() -> None:
    client = Paginated([[{"Fingerprint": FINGERPRINT, "Value": b"no key"}]])
    keys, source = keys_of_cloudtrail(lambda *_: client, [REGION], FIRST, datetime.now(UTC))
    assert (keys, source.faults) == ({}, ("of eu-west-1 cannot be used: it is no RSA public key in PKCS#1's DER form",))


def test_a_bucket_of_another_name_is_not_the_place_that_was_signed() -> None:
    trail = hours()
    bucket = LogBucket(S3(trail), "other-bucket")
    made = ReplayCheck(["s3://other-bucket"], {"other-bucket": bucket}, LogSelection(), KEYS, no_client)
    assert made.report.status is Status.FAIL
    assert all("it was moved" in fault.reason for fault in made.report.digest_faults)
