"""Writes down an API call as the CloudTrail record that AWS would deliver for it.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp

from localcloud import ec2_wire

if TYPE_CHECKING:
    from localcloud.callers import CallerIdentity
    from localcloud.calls import ApiRequest

RECORDED_SERVICES = frozenset(
    {
        "cloudformation",
        "cloudtrail",
        "cloudwatch",
        "dynamodb",
        "ec2",
        "elbv2",
        "events",
        "iam",
        "kms",
        "lambda",
        "logs",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "sts",
    }
)

# Data events, which a trail leaves out unless asked, and calls that CloudTrail does not know.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
NOT_RECORDED: Mapping[str, frozenset[str]] = {
    "cloudwatch": frozenset({"PutMetricData", "GetMetricData", "GetMetricStatistics"}),
    "dynamodb": frozenset(
        {
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    "events": frozenset({"PutEvents"}),
    "lambda": frozenset({"Invoke", "InvokeAsync"}),
    "logs": frozenset({"PutLogEvents", "GetLogEvents", "FilterLogEvents"}),
    "sns": frozenset({"Publish", "PublishBatch"}),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/logging-using-cloudtrail.html
    "sqs": frozenset(
        {
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ListDeadLetterSourceQueues",
            "ListQueueTags",
            "ListQueues",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        }
    ),
}

# Services with one endpoint for all regions, whose events come in this one.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
GLOBAL_REGIONS = {"iam": "us-east-1"}

# https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
LAMBDA_EVENT_NAMES = {
    "AddPermission": "AddPermission20150331v2",
    "CreateAlias": "CreateAlias20150331",
    "CreateEventSourceMapping": "CreateEventSourceMapping20150331",
    "CreateFunction": "CreateFunction20150331",
    "DeleteAlias": "DeleteAlias20150331",
    "DeleteEventSourceMapping": "DeleteEventSourceMapping20150331",
    "DeleteFunction": "DeleteFunction20150331",
    "DeleteFunctionConcurrency": "DeleteFunctionConcurrency20171031",
    "GetAccountSettings": "GetAccountSettings20160819",
    "GetEventSourceMapping": "GetEventSourceMapping20150331",
    "GetFunction": "GetFunction20150331v2",
    "GetFunctionConfiguration": "GetFunctionConfiguration20150331v2",
    "GetPolicy": "GetPolicy20150331v2",
    "ListEventSourceMappings": "ListEventSourceMappings20150331",
    "ListFunctions": "ListFunctions20150331",
    "ListTags": "ListTags20170331",
    "ListVersionsByFunction": "ListVersionsByFunction20150331",
    "PublishVersion": "PublishVersion20150331",
    "PutFunctionConcurrency": "PutFunctionConcurrency20171031",
    "RemovePermission": "RemovePermission20150331v2",
    "TagResource": "TagResource20170331v2",
    "UntagResource": "UntagResource20170331v2",
    "UpdateAlias": "UpdateAlias20150331",
    "UpdateEventSourceMapping": "UpdateEventSourceMapping20150331",
    "UpdateFunctionCode": "UpdateFunctionCode20150331v2",
    "UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
}

READ_ONLY_PREFIXES = ("Describe", "Get", "List", "Lookup", "Search", "Test", "Filter", "BatchGet")
READ_ONLY_CALLS = frozenset(
    {("kms", "Decrypt"), ("kms", "Encrypt"), ("kms", "GenerateDataKey"), ("ssm", "DescribeParameters")}
)
# Left out by CloudTrail: https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
LEFT_OUT = frozenset({"ZipFile", "Code", "SecretAccessKey", "Environment", "SecretString", "SecretBinary"})
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
HIDDEN_MEMBERS = frozenset({("PutParameter", "Value"), ("GetParameter", "Value")})


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended: its output by botocore's member names, or an error."""

    status: int
    result: Mapping[str, Any]
    error_code: str | None = None
    error_message: str | None = None


def is_recorded(call: ApiRequest) -> bool:
    """Whether CloudTrail would write the call down as a management event."""
    return call.service in RECORDED_SERVICES and call.operation not in NOT_RECORDED.get(call.service, ())


def is_read_only(call: ApiRequest) -> bool:
    """Whether the call is one that CloudTrail marks ``readOnly``."""
    return call.operation.startswith(READ_ONLY_PREFIXES) or (call.service, call.operation) in READ_ONLY_CALLS


def record_of(call: ApiRequest, caller: CallerIdentity, outcome: CallResult) -> dict[str, Any]:
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
        "awsRegion": GLOBAL_REGIONS.get(call.service, call.region),
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
    if call.service == "kms" and (key_arn := _key_arn(outcome)):
        record["resources"] = [{"accountId": caller.account_id, "type": "AWS::KMS::Key", "ARN": key_arn}]
    if caller.from_console:
        record["sessionCredentialFromConsole"] = "true"
    return record


def _key_arn(outcome: CallResult) -> str | None:
    named = outcome.result.get("KeyId") or outcome.result.get("KeyMetadata", {}).get("Arn")
    return named if isinstance(named, str) and named.startswith("arn:") else None


def _error_code(call: ApiRequest, outcome: CallResult) -> str:
    if call.service != "ec2":
        return str(outcome.error_code)
    return f"{'Client' if outcome.status < 500 else 'Server'}.{outcome.error_code}"


def _request_parameters(call: ApiRequest) -> dict[str, Any] | None:
    if call.service == "ec2":
        return ec2_wire.request_parameters(call.model, call.params)
    return _written(call, call.model.input_shape, call.params) or None


def _response_elements(call: ApiRequest, outcome: CallResult) -> dict[str, Any] | None:
    if call.service == "ec2":
        return ec2_wire.response_elements(call.model, outcome.result, call.request_id)
    return _written(call, call.model.output_shape, outcome.result) or None


def _written(call: ApiRequest, shape: Any, value: Any) -> Any:
    """A value as CloudTrail writes it: members begin small (``uUID``, ``kMSKeyArn``), keys of maps stay as they are."""
    kind = shape.type_name if shape is not None else None
    if kind == "structure" and isinstance(value, Mapping):
        return {
            name[:1].lower() + name[1:]: _member(call, name, shape.members.get(name), inner)
            for name, inner in value.items()
            if name not in LEFT_OUT
        }
    if kind == "map" and isinstance(value, Mapping):
        return {name: _written(call, shape.value, inner) for name, inner in value.items()}
    if kind == "list" and isinstance(value, list | tuple):
        return [_written(call, shape.member, item) for item in value]
    if kind == "timestamp" and value is not None:
        return _time(value)
    if isinstance(value, bytes):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _member(call: ApiRequest, name: str, shape: Any, value: Any) -> Any:
    return HIDDEN if (call.operation, name) in HIDDEN_MEMBERS else _written(call, shape, value)


def _time(value: Any) -> str:
    """A time as in ``Apr 12, 2021, 6:58:30 PM``."""
    at = value if isinstance(value, datetime) else parse_timestamp(value)
    return f"{at:%b} {at.day}, {at:%Y}, {at.hour % 12 or 12}:{at:%M:%S %p}"
