"""Which program made a call, read from a CloudTrail record.

The user agent is whatever the caller chose to send: a hint for people, never a proof. AWS itself sets
``invokedBy``, a service's name as ``sourceIPAddress`` and ``sessionCredentialFromConsole``; they decide
where the user agent names no program.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from chalicelib.cloudtrail.records import CloudTrailRecord, text


class Client(StrEnum):
    """The programs that are recognized; docs/principals.md says what each is recognized by."""

    CONSOLE = "console"
    CLOUDSHELL = "cloudshell"
    AWS_CLI = "aws-cli"
    BOTO3 = "boto3"
    BOTO2 = "boto2"
    SDK_GO = "sdk-go"
    SDK_JAVA = "sdk-java"
    SDK_JS = "sdk-js"
    SDK_DOTNET = "sdk-dotnet"
    SDK_RUST = "sdk-rust"
    SDK_RUBY = "sdk-ruby"
    SDK_PHP = "sdk-php"
    SDK_CPP = "sdk-cpp"
    TERRAFORM = "terraform"
    OPENTOFU = "opentofu"
    PULUMI = "pulumi"
    CDK = "cdk"
    ANSIBLE = "ansible"
    CLOUDFORMATION = "cloudformation"
    AWS_SERVICE = "aws-service"
    BROWSER = "browser"
    OTHER = "other"
    UNKNOWN = "unknown"


# Pulumi wraps the Terraform provider and names it too, and so does OpenTofu: they come before Terraform.
_TOOLS = (
    (re.compile(r"pulumi"), Client.PULUMI),
    (re.compile(r"opentofu"), Client.OPENTOFU),
    (re.compile(r"(?:hashicorp-)?terraform(?![a-z])"), Client.TERRAFORM),
    (re.compile(r"(?:aws-)?cdk(?![a-z])"), Client.CDK),
    (re.compile(r"ansible(?![a-z])"), Client.ANSIBLE),
)

# An SDK's product name may carry a major version or a runtime: aws-sdk-go-v2, aws-sdk-ruby3, aws-sdk-dotnet-coreclr.
# Version 2 of the JavaScript SDK calls itself aws-sdk-nodejs on a server.
_SDKS = (
    (re.compile(r"aws-cli$"), Client.AWS_CLI),
    (re.compile(r"boto3$"), Client.BOTO3),
    (re.compile(r"boto$"), Client.BOTO2),
    (re.compile(r"aws-sdk-go(?![a-z])"), Client.SDK_GO),
    (re.compile(r"aws-sdk-java(?![a-z])"), Client.SDK_JAVA),
    (re.compile(r"aws-sdk-(?:js|nodejs)(?![a-z])"), Client.SDK_JS),
    (re.compile(r"aws-sdk-dotnet(?![a-z])"), Client.SDK_DOTNET),
    (re.compile(r"aws-sdk-rust(?![a-z])"), Client.SDK_RUST),
    (re.compile(r"aws-sdk-ruby(?![a-z])"), Client.SDK_RUBY),
    (re.compile(r"aws-sdk-php(?![a-z])"), Client.SDK_PHP),
    (re.compile(r"aws-sdk-cpp(?![a-z])"), Client.SDK_CPP),
    # Last: the AWS CLI and Boto3 name the library they are built on as well.
    (re.compile(r"botocore$"), Client.BOTO3),
)

# Some of AWS's older services call themselves elasticmapreduce.aws.internal and the like.
_SERVICE_HOST = re.compile(r"(?:[a-z0-9-]+\.)+(?:amazonaws\.com(?:\.cn)?|aws\.internal)")
_AWS_INTERNAL = "aws internal"
# The frameworks AWS's own back ends call with, for a service or for a console page.
_INTERNAL_PRODUCTS = frozenset({"aws-internal", "coral"})


def read_client(record: CloudTrailRecord) -> Client:
    """The program that made the call; ``other`` for one not listed, ``unknown`` where the record names none.

    A tool named inside an SDK's agent wins over the SDK, CloudShell over what runs in it, and a program
    named by the agent over ``sessionCredentialFromConsole``: a console session's credentials are also
    used by other programs.
    """
    agent = (record.user_agent or "").strip(" []").lower()
    named = _named(agent)
    if named is Client.AWS_SERVICE and not is_service(agent):
        # "AWS Internal" and the like: for whom it called, the record says elsewhere.
        return Client.CONSOLE if record.from_console else _without_agent(record) or named
    named = named or _sdk(agent)
    if named:
        return named
    if record.from_console:
        return Client.CONSOLE
    if _products(agent)[:1] == ["mozilla"]:
        return Client.BROWSER
    return _without_agent(record) or (Client.OTHER if agent else Client.UNKNOWN)


@lru_cache(maxsize=256)  # the same few programs make most calls
def _named(agent: str) -> Client | None:
    return _tool(agent) or _console_page(agent) or service_client(agent)


def is_service(name: str | None) -> bool:
    """Whether it is an AWS service's host name, such as ``autoscaling.amazonaws.com``."""
    return _SERVICE_HOST.fullmatch((name or "").lower()) is not None


def service_client(name: str | None) -> Client | None:
    """The client behind a name that AWS's own systems go by; None for any other text."""
    name = (name or "").lower()
    if is_service(name):
        labels = name.split(".")
        if "console" in labels or labels[0] == "signin":
            return Client.CONSOLE
        return Client.CLOUDFORMATION if labels[0] == "cloudformation" else Client.AWS_SERVICE
    if name == _AWS_INTERNAL or _INTERNAL_PRODUCTS.intersection(_products(name)):
        return Client.AWS_SERVICE
    return None


def _without_agent(record: CloudTrailRecord) -> Client | None:
    invoked_by = text(record.user_identity.get("invokedBy"))
    return service_client(invoked_by) or service_client(record.source_ip)


def _products(agent: str) -> list[str]:
    return [token.split("/", 1)[0] for token in re.split(r"[\s,;()\[\]]+", agent) if token]


def _first_match(patterns: tuple[tuple[re.Pattern[str], Client], ...], products: list[str]) -> Client | None:
    return next((client for pattern, client in patterns if any(pattern.match(item) for item in products)), None)


def _tool(agent: str) -> Client | None:
    return _first_match(_TOOLS, _products(agent)) or (Client.CLOUDSHELL if "exec-env/cloudshell" in agent else None)


def _console_page(agent: str) -> Client | None:
    # Console pages name themselves beside the SDK they are made with: S3Console, AWSLambdaConsole, EC2ConsoleFrontend.
    return Client.CONSOLE if any(item.endswith(("console", "consolefrontend")) for item in _products(agent)) else None


def _sdk(agent: str) -> Client | None:
    return _first_match(_SDKS, _products(agent))
