"""The ARN of the resource that an API call acts on, for judging the Resource of a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.calls import ApiRequest

# Parameters that are ARNs already.
ARN_PARAMETERS = ("TopicArn", "TargetArn", "SecretId", "EventBusName", "ResourceARN", "ResourceArn", "RoleArn")

# service, parameter → what stands behind arn:aws:<service>:<region>:<account>:
NAMED = {
    ("dynamodb", "TableName"): "table/{}",
    ("lambda", "FunctionName"): "function:{}",
    ("logs", "logGroupName"): "log-group:{}:*",
    ("ssm", "Name"): "parameter/{}",
    ("sqs", "QueueName"): "{}",
    ("events", "Name"): "rule/{}",
    ("events", "Rule"): "rule/{}",
    ("events", "EventBusName"): "event-bus/{}",
    ("secretsmanager", "SecretId"): "secret:{}-a1B2c3",
    ("cloudwatch", "AlarmName"): "alarm:{}",
    ("cloudtrail", "Name"): "trail/{}",
    ("iam", "RoleName"): "role/{}",
}


def resource_of(call: ApiRequest, account_id: str) -> str | None:
    """The resource's ARN; None where the call names none, or one of a kind not known here."""
    for parameter in ARN_PARAMETERS:
        value = call.params.get(parameter)
        if isinstance(value, str) and value.startswith("arn:"):
            return value
    if queue_url := call.params.get("QueueUrl"):
        return f"arn:aws:sqs:{call.region}:{account_id}:{str(queue_url).rsplit('/', maxsplit=1)[-1]}"
    for (service, parameter), form in NAMED.items():
        value = call.params.get(parameter)
        if service == call.service and isinstance(value, str):
            if value.startswith("arn:"):
                return value
            region = "" if service == "iam" else call.region
            return f"arn:aws:{service}:{region}:{account_id}:{form.format(value.lstrip('/'))}"
    return None
