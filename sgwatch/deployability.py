"""What has to be so before a stage is deployed: its settings, its region and the deployer's permissions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.aws.clients import ClientFactory
from chalicelib.deployment import AUDIT_ON_SCHEDULE
from chalicelib.settings.deploying import config_faults
from sgwatch.durable_template import StagePlace
from sgwatch.project_files import CONFIG, read_json, stage_of_config
from sgwatch.stages import deployed_region

# What `sgwatch deploy`, setup and uninstall call, Chalice's calls among them; docs/deploy.md has it as a policy.
DEPLOYER_ACTIONS = (
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackSet",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DeleteDashboards",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "cloudwatch:PutDashboard",
    "cloudwatch:PutMetricAlarm",
    "dynamodb:CreateTable",
    "dynamodb:DeleteTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
    "ec2:DescribeRegions",
    "events:DeleteEventBus",
    "events:DeleteRule",
    "events:DescribeRule",
    "events:ListTargetsByRule",
    "events:PutRule",
    "events:PutTargets",
    "events:RemovePermission",
    "events:RemoveTargets",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "lambda:AddPermission",
    "lambda:CreateEventSourceMapping",
    "lambda:CreateFunction",
    "lambda:DeleteEventSourceMapping",
    "lambda:DeleteFunction",
    "lambda:DeleteFunctionEventInvokeConfig",
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:GetPolicy",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
    "lambda:PutFunctionEventInvokeConfig",
    "lambda:RemovePermission",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateEventSourceMapping",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:DeleteMetricFilter",
    "logs:DeleteRetentionPolicy",
    "logs:DescribeLogGroups",
    "logs:DescribeMetricFilters",
    "logs:PutRetentionPolicy",
    "sns:DeleteTopic",
    "sns:ListTopics",
    "sqs:CreateQueue",
    "sqs:DeleteQueue",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:SetQueueAttributes",
    "ssm:AddTagsToResource",
    "ssm:DeleteParameter",
    "ssm:GetParameter",
    "ssm:GetParametersByPath",
    "ssm:ListTagsForResource",
    "ssm:PutParameter",
)


def settings_faults(project: Path, stage: str) -> tuple[str, ...]:
    """The faults of the stage's settings.

    Raises:
        StageError: there is no such stage, or config.json cannot be read.
    """
    config = read_json(project / CONFIG)
    stage_of_config(config, project / CONFIG, stage)
    return config_faults(config, stage)


def region_fault(place: StagePlace, project: Path, client: ClientFactory) -> str | None:
    """Why this region is the wrong one for the stage; None where it is not."""
    known = deployed_region(place.stage, project) or _region_in_use(place, client("iam"))
    if known is None or known == place.region:
        return None
    return (
        f"stage {place.stage} is deployed in {known}, and this is {place.region}: a stage is in one region, since "
        f"its roles are named alike in all. Set AWS_REGION={known}, or make another stage: sgwatch init --stage …"
    )


def _region_in_use(place: StagePlace, iam: Any) -> str | None:
    """Where AWS last saw the stage's role in use; nobody's notes are needed for that."""
    try:
        role = iam.get_role(RoleName=place.function(AUDIT_ON_SCHEDULE))["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return (role.get("RoleLastUsed") or {}).get("Region")


def denied_actions(caller_arn: str, iam: Any) -> Iterator[str] | None:
    """What the deployer may not do, by IAM's simulation; None where it may not be asked."""
    try:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=_role_of_session(caller_arn), ActionNames=list(DEPLOYER_ACTIONS)
        )
    except iam.exceptions.ClientError:
        return None
    results = answer["EvaluationResults"]
    return (str(item["EvalActionName"]) for item in results if item["EvalDecision"] != "allowed")


def _role_of_session(arn: str) -> str:
    """An assumed role's own ARN, which the simulation wants; a path in it cannot be known."""
    head, _, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}" if rest else arn
