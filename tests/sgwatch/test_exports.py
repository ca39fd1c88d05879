"""Records out of every export that people have, and nothing lost where one is cut."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import zipfile
from typing import Any, Literal

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.catalog import EventGroup, events_of
from sgwatch.reading import Wanted, read_bytes
from sgwatch.row_text import object_of_text
from tests.support import records as r

RECORD = r.authorize(r.world())
WANTED = Wanted.of(events_of(EventGroup))
TEXT = json.dumps(RECORD)
OBJECTS = ("userIdentity", "requestParameters", "responseElements")
EVENT = {"version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "detail": RECORD}
STREAM = {"eventSource": "aws:kinesis", "eventName": "aws:kinesis:record", "eventID": "shardId-000000000006:1"}
LOG_DATA = {"messageType": "DATA_MESSAGE", "logGroup": "trail", "logEvents": [{"id": "1", "message": TEXT}]}


def packed(document: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


def as_text(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


ROW = {key: as_text(value) for key, value in RECORD.items()}
FOLDED = {key.lower(): value for key, value in ROW.items()}
CELLS = [[{"VarCharValue": value} for value in row] for row in (list(FOLDED), list(FOLDED.values()))]

EXPORTS: dict[str, Any] = {
    "filter-log-events": {"events": [{"logStreamName": "x", "timestamp": 1, "message": TEXT, "eventId": "1"}]},
    "logs insights": {"results": [[{"field": "@timestamp", "value": "x"}, {"field": "@message", "value": TEXT}]]},
    "subscription data": {"awslogs": {"data": packed(LOG_DATA)}},
    "subscription data, unpacked": LOG_DATA,
    "kinesis": {"Records": [{"kinesis": {"data": packed(LOG_DATA)}, "eventSource": "aws:kinesis"}]},
    "kinesis as Lambda gets it": {"Records": [{**STREAM, "kinesis": {"partitionKey": "1", "data": packed(LOG_DATA)}}]},
    "firehose": {"records": [{"recordId": "1", "data": packed(LOG_DATA)}]},
    "sns notification": {"Type": "Notification", "MessageId": "1", "Message": json.dumps(EVENT)},
    "sns to lambda": {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(EVENT)}}]},
    "sqs receive-message": {"Messages": [{"MessageId": "1", "Body": json.dumps(EVENT)}]},
    "sqs to lambda": {"Records": [{"messageId": "1", "body": json.dumps({"Message": json.dumps(EVENT)})}]},
    "athena": {"ResultSet": {"Rows": [{"Data": row} for row in CELLS]}},
    "a row of a table": FOLDED,
    "lake": {"QueryResultRows": [[{key: value} for key, value in ROW.items()]]},
    "lake, whole record": {"QueryResultRows": [[{"eventJson": TEXT}]]},
    "objects as text": ROW,
    "a line with a record": {"kind": "x", "record": RECORD},
    "a line with a record as text": {"record": TEXT},
    "a string": TEXT,
    "detail as text": {**EVENT, "detail": TEXT},
    "a log shipper": {"log": TEXT},
    "splunk": {"preview": False, "result": {"_raw": TEXT}},
    "elasticsearch": {"hits": {"hits": [{"_index": "x", "_source": RECORD}]}},
    "a message as an object": {"@message": RECORD},
}


def table(
    row: dict[str, Any], between: str = ",", *, quoting: Literal[0, 1] = csv.QUOTE_ALL, newline: str = "\r\n"
) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, row, delimiter=between, quoting=quoting, lineterminator=newline)
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


LOG_FILE = json.dumps({"Records": [RECORD]})
SNAKE = {"event_name": RECORD["eventName"], **{key: value for key, value in ROW.items() if key != "eventName"}}
FILES: dict[str, bytes] = {
    "utf-8 with a mark": LOG_FILE.encode("utf-8-sig"),
    "utf-16": LOG_FILE.encode("utf-16"),
    "utf-16 without a mark": LOG_FILE.encode("utf-16-le"),
    "gzip of utf-16": gzip.compress(LOG_FILE.encode("utf-16")),
    "json lines of windows": f"{TEXT}\r\n".encode(),
    "zip": zipped(a=LOG_FILE.encode()),
    "zip of gzip": zipped(a=gzip.compress(LOG_FILE.encode())),
    "athena csv, utf-16": table(FOLDED).encode("utf-16"),
    "athena csv, utf-8 with a mark": table(FOLDED).encode("utf-8-sig"),
    "athena csv, few quotes": table(FOLDED, quoting=csv.QUOTE_MINIMAL, newline="\n").encode(),
    "tabs": table(FOLDED, "\t", quoting=csv.QUOTE_MINIMAL).encode(),
    "semicolons": table(FOLDED, ";").encode(),
    "names with underscores": table(SNAKE).encode(),
    "lake csv": table({"eventJson": TEXT}).encode(),
    "logs insights csv": table({"@timestamp": "2026-11-23 10:00:00.000", "@message": TEXT}).encode(),
    "aws logs tail": f"2026-11-23T10:00:00.000000+00:00 123456789012_CloudTrail_eu-west-1 {TEXT}\n".encode(),
    "filter-log-events as text": f"EVENTS\t3912\t1795428000000\tstream\t{TEXT}\t1795428000000\n".encode(),
    "get-log-events as text": f"EVENTS\t1795428000000\t{TEXT}\t1795428000000\n".encode(),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_a_record_is_found_however_its_file_was_written(data: bytes) -> None:
    contents = read_bytes("x", data, WANTED)
    assert (contents.count, contents.faults) == (1, ())
    (found,) = (json.loads(record) for record in contents.records)
    assert found["eventName"] == RECORD["eventName"]
    assert found["requestParameters"] == RECORD["requestParameters"]


def test_a_row_of_the_consoles_event_history_is_read_by_its_name() -> None:
    row = {
        "Event ID": "1",
        "Event time": "2026-11-23T10:00:00Z",
        "User name": "mallory",
        "Event source": "ec2.amazonaws.com",
        "Event name": "AuthorizeSecurityGroupIngress",
        "Resources": "[]",
    }
    contents = read_bytes("x", table(row, quoting=csv.QUOTE_MINIMAL).encode(), WANTED)
    (found,) = (json.loads(record) for record in contents.records)
    alert = alert_of(found)
    assert (alert.kind, alert.severity, alert.id) == ("not_understood", "high", "1")
    assert alert.principal is not None
    assert alert.principal.name == "mallory"


S3 = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}},
}
S3_BODY = {"Records": [S3]}


@pytest.mark.parametrize(
    "notification",
    [
        S3_BODY,
        {"Messages": [{"Body": json.dumps(S3_BODY)}]},
        {"Type": "Notification", "Message": json.dumps(S3_BODY)},
        {"Type": "Notification", "Message": json.dumps({"s3Bucket": "b", "s3ObjectKey": ["k"]})},
    ],
)
def test_a_notification_that_only_names_a_log_file_is_a_fault(notification: object) -> None:
    contents = read_bytes("x", json.dumps(notification).encode(), WANTED)
    assert contents.count == 0
    assert "a notification of s3://b/k, which holds no record" in str(contents.faults[0])


def test_a_zip_archive_that_is_damaged_or_a_bomb_is_one_fault() -> None:
    for data, said in ((zipped(a=TEXT.encode())[:-30], "damaged"), (zipped(a=bytes(200 * 2**20)), "far more")):
        (fault,) = read_bytes("x.zip", data, WANTED).faults
        assert said in str(fault)


def read(document: object) -> list[dict[str, Any]]:
    contents = read_bytes("x", json.dumps(document).encode(), WANTED)
    assert contents.faults == ()
    return [json.loads(record) for record in contents.records]


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_a_record_is_found_in_every_export(export: object) -> None:
    (found,) = read(export)
    assert {key: found.get(key) for key in (*OBJECTS, "eventName", "eventID", "awsRegion")} == {
        key: RECORD[key] for key in (*OBJECTS, "eventName", "eventID", "awsRegion")
    }


def test_the_rows_of_an_athena_csv_file_are_read() -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, FOLDED, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows([FOLDED, FOLDED | {"eventname": "DescribeInstances"}])
    contents = read_bytes("x.csv", out.getvalue().encode(), WANTED)
    assert (contents.count, contents.faults) == (2, ())
    assert [json.loads(record)["requestParameters"] for record in contents.records] == [RECORD["requestParameters"]]


def test_an_object_in_a_rows_own_form_is_read() -> None:
    shown = (
        "{type=AssumedRole, arn=arn:aws:sts::123456789012:assumed-role/a/b, invokedby=null, "
        "sessioncontext={attributes={mfaauthenticated=false}, sessionissuer={type=Role, username=a}}}"
    )
    assert object_of_text(shown) == {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/a/b",
        "invokedby": None,
        "sessioncontext": {
            "attributes": {"mfaauthenticated": "false"},
            "sessionissuer": {"type": "Role", "username": "a"},
        },
    }
    assert object_of_text('{groupId=sg-1, ipPermissions={"items":[{"a":"b, c=d"}]}}') == {
        "groupId": "sg-1",
        "ipPermissions": {"items": [{"a": "b, c=d"}]},
    }


@pytest.mark.parametrize("text", ["", "-", "null", " null "])
def test_an_empty_object_in_a_row_is_none(text: str) -> None:
    assert object_of_text(text) is None


@pytest.mark.parametrize("text", ["{", "{a", "{a=", "{a=b", "text", "{a=b}x", "{" * 5000, "{a=" * 3000])
def test_text_that_is_no_object_stays_text(text: str) -> None:
    assert object_of_text(text) == text


@pytest.mark.parametrize("lost", [{}, {"CloudTrailEvent": None}, {"CloudTrailEvent": TEXT[:200]}])
def test_an_item_of_lookup_events_that_lost_its_record_is_read_by_its_name(lost: dict[str, Any]) -> None:
    item = {"EventId": "1", "EventName": "AuthorizeSecurityGroupIngress", "EventSource": "ec2.amazonaws.com", **lost}
    (found,) = read({"Events": [item | {"EventTime": "2026-05-05T12:00:00Z", "Username": "mallory"}]})
    assert (found["eventID"], found["eventName"], found["userIdentity"]["userName"]) == (
        "1",
        "AuthorizeSecurityGroupIngress",
        "mallory",
    )


@pytest.mark.parametrize(
    "broken",
    [{"awslogs": {"data": "%%%"}}, {"Message": "text"}, {"events": [{"message": "{"}]}, {"ResultSet": {"Rows": []}}],
)
def test_an_export_that_holds_no_record_is_a_fault(broken: object) -> None:
    contents = read_bytes("x", json.dumps(broken).encode(), WANTED)
    assert (contents.count, len(contents.faults)) == (0, 1)


def test_one_message_that_cannot_be_read_hides_no_other() -> None:
    messages = [{"message": "{"}, {"message": TEXT}]
    contents = read_bytes("x", json.dumps({"events": messages}).encode(), WANTED)
    assert (contents.count, len(contents.faults)) == (1, 1)


def test_a_gzip_bomb_is_refused_before_it_takes_the_memory() -> None:
    bomb = gzip.compress(bytes(200 * 2**20))
    (fault,) = read_bytes("x.gz", bomb, WANTED).faults
    assert "far more than a log file" in str(fault)


def test_a_binary_file_is_one_fault() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 500
    (fault,) = read_bytes("x", picture, WANTED).faults
    assert "binary" in str(fault)
