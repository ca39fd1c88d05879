"""SAM's transform, as far as packages of Chalice need it: a function and its events become CloudFormation's resources.

moto leaves out what it does not know. What the transform makes is what aws-sam-translator 1.115 makes of the same
template, names included. https://github.com/aws/serverless-application-model
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRANSFORM, FUNCTION = "AWS::Serverless-2016-10-31", "AWS::Serverless::Function"
# SAM's name of a property that passes through, and CloudFormation's.
PASSED = (
    "FunctionName",
    "Handler",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "Environment",
    "Architectures",
    "ReservedConcurrentExecutions",
)
RULES = ("CloudWatchEvent", "EventBridgeRule", "Schedule")
TemplateResource = dict[str, Any]


def transformed(template: dict[str, Any]) -> dict[str, Any]:
    """The template without SAM's functions; the same where it does not ask for the transform."""
    if template.get("Transform") != TRANSFORM:
        return template
    resources: dict[str, Any] = {}
    for name, item in template["Resources"].items():
        resources |= dict(_function(name, item)) if item["Type"] == FUNCTION else {name: item}
    return {key: value for key, value in template.items() if key != "Transform"} | {"Resources": resources}


def _function(name: str, item: Mapping[str, Any]) -> Iterator[tuple[str, TemplateResource]]:
    properties = item["Properties"]
    function = {key: properties[key] for key in PASSED if key in properties}
    bucket, _, key = properties["CodeUri"].removeprefix("s3://").partition("/")
    tags = {"lambda:createdBy": "SAM", **properties.get("Tags", {})}
    function |= {"Code": {"S3Bucket": bucket, "S3Key": key}, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
    if tracing := properties.get("Tracing"):
        function["TracingConfig"] = {"Mode": tracing}
    yield name, {**item, "Type": "AWS::Lambda::Function", "Properties": function}
    if config := properties.get("EventInvokeConfig"):
        on_failure = {"Destination": config["DestinationConfig"]["OnFailure"]["Destination"]}
        wanted = {**config, "DestinationConfig": {"OnFailure": on_failure}, "FunctionName": {"Ref": name}}
        yield f"{name}EventInvokeConfig", _resource("AWS::Lambda::EventInvokeConfig", Qualifier="$LATEST", **wanted)
    for event, source in properties.get("Events", {}).items():
        yield from _event(name, event, source)


def _event(name: str, event: str, source: Mapping[str, Any]) -> Iterator[tuple[str, TemplateResource]]:
    given, made = dict(source["Properties"]), f"{name}{event}"
    if source["Type"] == "SQS":
        mapping = {"EventSourceArn": given.pop("Queue"), "FunctionName": {"Ref": name}, **given}
        yield made, _resource("AWS::Lambda::EventSourceMapping", **mapping)
        return
    if source["Type"] not in RULES:
        raise AwsError("ValidationError", f"not in the local cloud: SAM's event {source['Type']}")
    wanted = {"EventPattern": given.get("Pattern"), "ScheduleExpression": given.get("Schedule")}
    wanted["Name"] = given.get("Name") if source["Type"] == "Schedule" else given.get("RuleName")
    target = {"Arn": {"Fn::GetAtt": [name, "Arn"]}, "Id": f"{made}LambdaTarget"}
    rule = {key: value for key, value in wanted.items() if value is not None}
    yield made, _resource("AWS::Events::Rule", **rule, Targets=[target])
    yield (
        f"{made}Permission",
        _resource(
            "AWS::Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName={"Ref": name},
            Principal="events.amazonaws.com",
            SourceArn={"Fn::GetAtt": [made, "Arn"]},
        ),
    )


def _resource(kind: str, /, **properties: Any) -> TemplateResource:
    return {"Type": kind, "Properties": properties}
