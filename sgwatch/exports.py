"""CloudTrail records out of what people export: CloudWatch Logs, Athena, CloudTrail Lake, SNS, SQS and Kinesis.

Such tools put a record into text, into base64 and gzip, or into a table's row, whose objects may be text again. What
is none of these stays as it is, for ``chalicelib.cloudtrail.records.unwrap`` to read.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chalicelib.cloudtrail.records import RecordError, mapping
from sgwatch.row_text import object_of_text
from sgwatch.unpacking import DamagedError, unpack

_MAX_DEPTH = 8
# From what is under a key to the documents in it; None where it is not of that export.
_RowReader = Callable[[Any, Mapping[str, Any]], list[Any] | None]

# Tables fold the names of their columns to lower case.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_FIELDS = {
    name.lower(): name
    for name in (
        *("eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress"),
        *("userAgent", "errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData"),
        *("requestID", "eventID", "eventType", "apiVersion", "managementEvent", "readOnly", "resources"),
        *("recipientAccountId", "serviceEventDetails", "sharedEventID", "vpcEndpointId", "vpcEndpointAccountId"),
        *("eventCategory", "addendum", "sessionCredentialFromConsole", "eventContext", "edgeDeviceDetails"),
        *("tlsDetails", "insightDetails"),
    )
}
_OBJECTS = frozenset({"userIdentity", "requestParameters", "responseElements", "additionalEventData", "addendum"})


def opened(document: object, depth: int = 0) -> Iterator[object]:
    """The documents inside an export, or the document itself where it is none.

    Raises:
        RecordError: it is an export, and what it holds cannot be read.
    """
    inside = None if depth > _MAX_DEPTH else _inside(document)
    if inside is None:
        yield document
        return
    errors: list[RecordError] = []
    for item in inside:
        try:
            yield from opened(item, depth + 1)
        except RecordError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _inside(document: object) -> list[Any] | None:
    if isinstance(document, str):
        return [_from_text(document)]
    if not isinstance(document, Mapping):
        return document if isinstance(document, list) else None
    if (objects := _named_objects(document)) is not None:
        raise RecordError(f"a notification of {objects}, which holds no record: fetch what it names and read that")
    if "eventName" in document and not _is_of_stream(document):
        record = as_record(document)
        return None if record is document else [record]
    for key, read in _READERS.items():
        if key in document:
            found = read(document[key], document)
            if found is not None:
                return found
    row = as_record(document)
    return None if row is document else [row]


def _is_of_stream(document: Mapping[str, Any]) -> bool:
    """Whether it is an item of the event that Lambda gets from Kinesis, which has an event name of its own.

    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
    """
    return document.get("eventSource") == "aws:kinesis" and isinstance(document.get("kinesis"), Mapping)


def _named_objects(document: Mapping[str, Any]) -> str | None:
    """The object that a notification of S3 or of CloudTrail names; None where the document is neither.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html
    """
    if document.get("eventSource") == "aws:s3":
        s3 = mapping(document.get("s3"))
        return f"s3://{mapping(s3.get('bucket')).get('name')}/{mapping(s3.get('object')).get('key')}"
    if "s3Bucket" in document and isinstance(document.get("s3ObjectKey"), list):
        return f"s3://{document['s3Bucket']}/{', '.join(map(str, document['s3ObjectKey'][:3]))}"
    return None


def _messages(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    """The log events of filter-log-events, get-log-events and subscriptions: a record in the text of each."""
    if not isinstance(value, list) or not all(isinstance(item, Mapping) and "message" in item for item in value):
        return None
    return [item["message"] for item in value]


def _query_results(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    """CloudWatch Logs Insights: rows of fields and values."""
    if not isinstance(value, list):
        return None
    rows = [{item.get("field"): item.get("value") for item in row if isinstance(item, Mapping)} for row in value]
    return [row.get("@message", row) for row in rows]


def _lake_rows(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    """CloudTrail Lake's GetQueryResults: each row a list of objects of one column."""
    if not isinstance(value, list):
        return None
    return [
        {key: item for column in row if isinstance(column, Mapping) for key, item in column.items()}
        for row in value
        if isinstance(row, list)
    ]


def _athena_rows(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    """Athena's GetQueryResults: the first row has the names of the columns."""
    rows = value.get("Rows") if isinstance(value, Mapping) else None
    if not isinstance(rows, list) or not rows:
        return None
    cells = [[cell.get("VarCharValue") for cell in row.get("Data", ())] for row in rows]
    return [dict(zip(map(str, cells[0]), row, strict=False)) for row in cells[1:]]


def _texts_of(*keys: str) -> _RowReader:
    """Reads the text under one of these keys, of each item where there is a list of them."""

    def read(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
        listed = value if isinstance(value, list) else [value]
        found = [item[key] for item in listed if isinstance(item, Mapping) for key in keys if key in item]
        return found or None

    return read


def _text(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    return [value] if isinstance(value, str) else None


def _whole(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    return [value] if isinstance(value, str | Mapping) else value if isinstance(value, list) else None


def _packed(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    """Subscription data and Kinesis records: base64, and mostly gzip in it."""
    data = value.get("data") if isinstance(value, Mapping) else value
    if not isinstance(data, str):
        return None
    try:
        return [unpack(base64.b64decode(data, validate=True)).decode("utf-8", "replace")]
    except (binascii.Error, DamagedError) as error:
        raise RecordError(f"data that is no base64 of gzip or text: {error}") from error


def _notifications(value: object, _document: Mapping[str, Any]) -> list[Any] | None:
    is_one = isinstance(value, list) and any(_named_objects(mapping(item)) for item in value)
    return value if is_one and isinstance(value, list) else None


_READERS: dict[str, _RowReader] = {
    "Records": _notifications,
    "eventJson": _text,  # a column of CloudTrail Lake with the whole record
    "eventjson": _text,
    "events": _messages,
    "logEvents": _messages,
    "awslogs": _packed,
    "kinesis": _packed,
    "data": _packed,
    "results": _query_results,
    "QueryResultRows": _lake_rows,
    "ResultSet": _athena_rows,
    "records": lambda value, _document: value if isinstance(value, list) else None,  # Firehose's
    "Messages": _texts_of("Body"),
    "Sns": _texts_of("Message"),
    "Message": _text,
    "Body": _text,
    "body": _text,
    "@message": _whole,
    "message": _whole,
    # Of log shippers and search engines.
    "log": _text,
    "_raw": _text,
    "_source": _whole,
    "result": _whole,
    "hits": _whole,
    "detail": _text,
    "record": _text,
}


def _from_text(text: str) -> object:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"text that is not JSON: {text[:40]!r}") from error
    if isinstance(document, str):
        raise RecordError(f"text that is no record: {text[:40]!r}")
    return document


def as_record(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of a table as a record: columns under CloudTrail's names, objects out of their text.

    What is a record already is returned as it is.
    """
    named = row if "eventName" in row else _renamed(row)
    texts = [key for key in _OBJECTS if isinstance(named.get(key), str)]
    if not texts:
        return named
    return {**named, **{key: object_of_text(named[key]) for key in texts}}


def _renamed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    # An item of LookupEvents has an EventName of its own, and the record in a text beside it.
    if "EventName" in row or not any(_folded(key) == "eventname" for key in row):
        return row
    if "Event name" in row:
        return _of_event_history(row)
    return {_FIELDS.get(_folded(key), str(key)): value for key, value in row.items()}


def _folded(key: object) -> str:
    return str(key).lower().replace("_", "").replace(" ", "")


def _of_event_history(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of the CSV file that CloudTrail's console gives, as an item of LookupEvents: it has no record."""
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-console.html
    columns = {
        "EventId": "Event ID",
        "EventName": "Event name",
        "EventTime": "Event time",
        "EventSource": "Event source",
        "Username": "User name",
        "AccessKeyId": "AWS access key",
    }
    return {name: row.get(column) for name, column in columns.items()}
