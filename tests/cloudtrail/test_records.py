"""Records out of their envelopes, and fields that are not what they should be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.cloudtrail.records import CloudTrailRecord, RecordError, parse_time, read_record, text, unwrap
from tests.support.rows import every

RECORD: dict[str, Any] = {"eventName": "CreateSecurityGroup", "eventID": "11111111-2222-3333-4444-555555555555"}
OTHER: dict[str, Any] = {"eventName": "DeleteSecurityGroup", "eventID": "66666666-7777-8888-9999-000000000000"}


@pytest.mark.parametrize(
    ("document", "records"),
    [
        (RECORD, [RECORD]),
        ({"detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "detail": RECORD}, [RECORD]),
        ({"Records": [RECORD, OTHER]}, [RECORD, OTHER]),
        ({"Records": []}, []),
        ({"Events": [{"EventId": "1", "CloudTrailEvent": json.dumps(RECORD)}], "NextToken": "x"}, [RECORD]),
        ({"EventName": "CreateSecurityGroup", "CloudTrailEvent": json.dumps(RECORD)}, [RECORD]),
        ({"Events": [{"EventId": "1", "CloudTrailEvent": RECORD}]}, [RECORD]),
        ({"source": "owner/repository:path", "record": RECORD}, [RECORD]),
        ({"source": "owner/repository:path", "record": {"detail": RECORD}}, [RECORD]),
        ([RECORD, {"detail": OTHER}], [RECORD, OTHER]),
    ],
)
def test_every_envelope_is_opened_in_its_order(document: object, records: list[Any]) -> None:
    assert list(unwrap(document)) == records


@pytest.mark.parametrize("key", ["detail", "record", "Records", "Events", "CloudTrailEvent"])
def test_what_a_record_holds_is_not_taken_for_an_envelope(key: str) -> None:
    record = {**RECORD, key: {"eventName": "DescribeInstances"}}
    assert list(unwrap(record)) == [record]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "this is null"),
        ("text", "this is a string"),
        (7, "this is a number"),
        (True, "this is a boolean"),
        ({}, "found the keys none"),
        ({"Message": "CloudTrail validation message."}, "found the keys Message"),
        ({"detail": "text"}, "found the keys detail"),
        ({"Records": {"eventName": "x"}}, "found the keys Records"),
        ({"CloudTrailEvent": "{"}, "CloudTrailEvent is not JSON"),
        ({"CloudTrailEvent": "[" * 100_000}, "CloudTrailEvent is not JSON"),
        ({"CloudTrailEvent": "null"}, "this is null"),
    ],
)
def test_a_document_without_a_record_is_an_error_that_says_what_was_there(document: object, reason: str) -> None:
    with pytest.raises(RecordError, match=reason):
        list(unwrap(document))


def test_envelopes_without_an_end_are_an_error() -> None:
    document: object = RECORD
    for _ in range(50_000):
        document = [document]
    with pytest.raises(RecordError, match="nested"):
        list(unwrap(document))


def test_a_broken_record_hides_none_of_its_neighbors() -> None:
    records = unwrap({"Records": [RECORD, 7, OTHER]})
    assert [next(records), next(records)] == [RECORD, OTHER]
    with pytest.raises(RecordError, match="this is a number"):
        next(records)


def test_how_many_records_were_broken_is_said() -> None:
    with pytest.raises(RecordError, match=r"this is a number \(and 2 more like it\)"):
        list(unwrap([7, None, RECORD, {}]))


def test_half_a_surrogate_pair_becomes_text_that_can_be_sent() -> None:
    assert text("a\ud800b") == "a\ufffdb"
    assert text("\U0001f600") == "\U0001f600"


def test_the_fields_of_a_record_are_read() -> None:
    raw = {
        **RECORD,
        "eventSource": "ec2.amazonaws.com",
        "eventTime": "2026-11-23T10:00:00Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "123456789012",
        "requestID": "r-1",
        "errorCode": "Client.UnauthorizedOperation",
        "errorMessage": "You are not authorized",
        "userAgent": "aws-cli/2.17.9",
        "sourceIPAddress": "203.0.113.7",
        "sessionCredentialFromConsole": "true",
        "userIdentity": {"type": "Root"},
        "requestParameters": {"groupId": "sg-1"},
        "responseElements": {"_return": True},
    }
    assert read_record(raw) == CloudTrailRecord(
        event_id=RECORD["eventID"],
        event_name="CreateSecurityGroup",
        event_source="ec2.amazonaws.com",
        event_time=datetime(2026, 11, 23, 10, tzinfo=UTC),
        region="eu-west-1",
        account_id="123456789012",
        request_id="r-1",
        error_code="Client.UnauthorizedOperation",
        error_message="You are not authorized",
        user_agent="aws-cli/2.17.9",
        source_ip="203.0.113.7",
        from_console=True,
        user_identity={"type": "Root"},
        request_parameters={"groupId": "sg-1"},
        response_elements={"_return": True},
        raw=raw,
    )


def test_a_record_without_a_recipient_belongs_to_its_callers_account() -> None:
    assert read_record({"userIdentity": {"accountId": "444455556666"}}).account_id == "444455556666"
    both = {"recipientAccountId": "123456789012", "userIdentity": {"accountId": "444455556666"}}
    assert read_record(both).account_id == "123456789012"


def test_a_record_with_an_id_keeps_it() -> None:
    found = read_record(RECORD)
    assert (found.event_id, found.has_event_id) == (RECORD["eventID"], True)


def test_a_record_without_an_id_always_has_the_same_one_and_no_other_record_has_it() -> None:
    first, again, other = (read_record({"eventName": name}) for name in ("A", "A", "B"))
    assert first.event_id == again.event_id != other.event_id
    assert not first.has_event_id


@pytest.mark.parametrize(
    ("said", "from_console"), [("true", True), (True, True), ("false", False), (None, False), ([], False)]
)
def test_a_console_session_is_what_the_record_says(said: object, from_console: bool) -> None:
    assert read_record({"sessionCredentialFromConsole": said}).from_console is from_console


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), ("", None), (123456789012, "123456789012"), (True, None), (1.5, None), (None, None), (["a"], None)],
)
def test_text_is_a_string_or_the_digits_of_a_number(value: object, expected: str | None) -> None:
    assert text(value) == expected


def test_a_number_too_long_to_print_is_no_text() -> None:
    assert text(10**5000) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23T10:00:00", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23T12:00:00+02:00", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (1763892000, None),
        (None, None),
    ],
)
def test_a_time_is_in_utc_or_not_a_time(value: object, expected: datetime | None) -> None:
    assert parse_time(value) == expected


@pytest.mark.parametrize(
    ("printed", "moment"),
    [
        (1795428000, "2026-11-23T10:00:00+00:00"),
        (1795428000.0, "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T11:00:00+01:00", "2026-11-23T10:00:00+00:00"),
        (1e300, None),
        (float("nan"), None),
        (True, None),
        (None, None),
    ],
)
def test_the_time_of_an_item_that_lost_its_record_is_read_in_either_form(printed: object, moment: str | None) -> None:
    (raw,) = unwrap({"Events": [{"EventId": "1", "EventName": "DeleteTrail", "EventTime": printed}]})
    read = read_record(raw).event_time
    assert (read.isoformat() if read else None) == moment


KEYS = ["Records", "Events", "detail", "record", "CloudTrailEvent", "eventName", "eventID", "eventTime", "userIdentity"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES | st.just(json.dumps(RECORD)),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
    max_leaves=30,
)


@given(JSON)
def test_any_document_gives_records_or_the_one_error(document: object) -> None:
    try:
        records = [read_record(raw) for raw in unwrap(document)]
    except RecordError:
        return
    assert all(record.event_id for record in records)


PLACEHOLDERS = [
    "-",
    "\N{EM DASH}",
    "",
    " ",
    "None",
    "null",
    "NULL",
    "n/a",
    "NaN",
    None,
    False,
    0,
    "0",
    "OK",
    "Success",
    "NoError",
]
ODD_PLACEHOLDERS = [
    "no error",
    "200",
    200,
    "undefined",
    "\\N",
    "(null)",
    "<null>",
    "[]",
    "{}",
    '""',
    "None.",
    "--",
    "N.A.",
]


@every("code", [*PLACEHOLDERS, *ODD_PLACEHOLDERS])
def test_a_placeholder_is_no_error_code(code: object) -> None:
    assert read_record({"errorCode": code}).error_code is None


@pytest.mark.parametrize(
    "code", ["AccessDenied", "Client.DryRunOperation", "NotFound", "503", "Null.Pointer", "\u0430"]
)
def test_an_error_code_is_no_placeholder(code: str) -> None:
    assert read_record({"errorCode": code}).error_code == code


def test_a_record_of_network_activity_is_known_by_its_category() -> None:
    assert read_record({"eventCategory": "NetworkActivity"}).is_network_activity
    assert read_record({"eventType": "AwsVpceEvent"}).is_network_activity
    assert not read_record({"eventCategory": "Management", "eventType": "AwsApiCall"}).is_network_activity


def test_a_call_that_an_endpoints_policy_denied_has_no_other_record() -> None:
    codes = {None: True, "AccessDenied": True, "-": True, "VpceAccessDenied": False, "Other": True}
    for code, repeats in codes.items():
        assert read_record({"eventCategory": "NetworkActivity", "errorCode": code}).repeats_another is repeats
        assert not read_record({"eventCategory": "Management", "errorCode": code}).repeats_another


def test_an_addendum_names_the_record_that_it_supplements() -> None:
    raw = {"eventID": "2", "addendum": {"reason": "UPDATED_DATA", "originalEventID": "1"}}
    assert read_record(raw).supplements == "1"
    assert read_record({"eventID": "2", "addendum": {"reason": "DELIVERY_DELAY"}}).supplements is None


def test_of_an_item_that_lost_its_record_all_that_it_shows_is_kept() -> None:
    item = {"EventId": "1", "EventName": "DeleteTrail", "EventSource": "cloudtrail.amazonaws.com"}
    item |= {"EventTime": "2026-11-23T10:00:00Z", "Username": "alice", "AccessKeyId": "AKIAEXAMPLE"}
    (record,) = unwrap({"Events": [item]})
    assert record == {
        "eventID": "1",
        "eventName": "DeleteTrail",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventTime": "2026-11-23T10:00:00Z",
        "userIdentity": {"userName": "alice", "accessKeyId": "AKIAEXAMPLE"},
        "sgwatchIncomplete": "the record in this item of LookupEvents is missing",
    }
