"""Writes down an API call as the CloudTrail record that AWS would deliver for it.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud import ec2_wire

if TYPE_CHECKING:
    from localcloud.callers import CallerIdentity
    from localcloud.calls import ApiCall

RECORDED_SERVICES = frozenset(
    {"ec2", "logs", "cloudwatch", "sns", "cloudtrail", "events", "lambda", "elbv2", "iam", "sts"}
)

# Data events, which a trail leaves out unless asked, and calls that CloudTrail does not know.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
NOT_RECORDED = frozenset(
    {
        ("lambda", "Invoke"),
        ("lambda", "InvokeAsync"),
        ("sns", "Publish"),
        ("sns", "PublishBatch"),
        ("events", "PutEvents"),
        ("logs", "PutLogEvents"),
        ("logs", "GetLogEvents"),
        ("logs", "FilterLogEvents"),
        ("cloudwatch", "PutMetricData"),
        ("cloudwatch", "GetMetricData"),
        ("cloudwatch", "GetMetricStatistics"),
    }
)

# https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
LAMBDA_EVENT_NAMES = {
    "AddPermission": "AddPermission20150331v2",
    "CreateEventSourceMapping": "CreateEventSourceMapping20150331",
    "CreateFunction": "CreateFunction20150331",
    "DeleteEventSourceMapping": "DeleteEventSourceMapping20150331",
    "DeleteFunction": "DeleteFunction20150331",
    "GetFunction": "GetFunction20150331v2",
    "GetFunctionConfiguration": "GetFunctionConfiguration20150331v2",
    "GetPolicy": "GetPolicy20150331v2",
    "ListEventSourceMappings": "ListEventSourceMappings20150331",
    "ListFunctions": "ListFunctions20150331",
    "ListTags": "ListTags20170331",
    "PutFunctionConcurrency": "PutFunctionConcurrency20171031",
    "RemovePermission": "RemovePermission20150331v2",
    "TagResource": "TagResource20170331v2",
    "UntagResource": "UntagResource20170331v2",
    "UpdateEventSourceMapping": "UpdateEventSourceMapping20150331",
    "UpdateFunctionCode": "UpdateFunctionCode20150331v2",
    "UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
}

READ_ONLY_PREFIXES = ("Describe", "Get", "List", "Lookup", "Search", "Test", "Filter", "BatchGet")
# Never written down by CloudTrail: https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
LEFT_OUT = frozenset({"zipFile", "code", "secretAccessKey", "environment"})


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended: its output by botocore's member names, or an error."""

    status: int
    result: Mapping[str, Any]
    error_code: str | None = None
    error_message: str | None = None


def is_recorded(call: ApiCall) -> bool:
    """Whether CloudTrail would write the call down as a management event."""
    return call.service in RECORDED_SERVICES and (call.service, call.operation) not in NOT_RECORDED


def is_read_only(call: ApiCall) -> bool:
    """Whether the call is one that CloudTrail marks ``readOnly``."""
    return call.operation.startswith(READ_ONLY_PREFIXES)


def record_of(call: ApiCall, caller: CallerIdentity, outcome: CallResult) -> dict[str, Any]:
    """The CloudTrail record of one call."""
    read_only = is_read_only(call)
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": caller.user_identity(),
        "eventTime": call.received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": call.event_source,
        "eventName": LAMBDA_EVENT_NAMES.get(call.operation, call.operation)
        if call.service == "lambda"
        else call.operation,
        "awsRegion": call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
    }
    if outcome.error_code is not None:
        record["errorCode"] = _error_code(call, outcome)
        record["errorMessage"] = outcome.error_message
    record["requestParameters"] = _request_parameters(call)
    record["responseElements"] = None if read_only or outcome.error_code else _response_elements(call, outcome)
    record |= {
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": caller.account_id,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{call.model.service_model.endpoint_prefix}.{call.region}.amazonaws.com",
        },
    }
    if caller.from_console:
        record["sessionCredentialFromConsole"] = "true"
    return record


def _error_code(call: ApiCall, outcome: CallResult) -> str:
    if call.service != "ec2":
        return str(outcome.error_code)
    return f"{'Client' if outcome.status < 500 else 'Server'}.{outcome.error_code}"


def _request_parameters(call: ApiCall) -> dict[str, Any] | None:
    if call.service == "ec2":
        return ec2_wire.request_parameters(call.model, call.params)
    return _camel_cased(call.params) or None


def _response_elements(call: ApiCall, outcome: CallResult) -> dict[str, Any] | None:
    if call.service == "ec2":
        return ec2_wire.response_elements(call.model, outcome.result, call.request_id)
    return _camel_cased(outcome.result) or None


def _camel_cased(value: Any) -> Any:
    if isinstance(value, Mapping):
        named = {name[:1].lower() + name[1:]: inner for name, inner in value.items()}
        return {name: _camel_cased(inner) for name, inner in named.items() if name not in LEFT_OUT}
    if isinstance(value, list | tuple):
        return [_camel_cased(item) for item in value]
    if isinstance(value, bytes):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
