"""Which client a record names, on user agents in the shapes that the programs send."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.cloudtrail.records import read_record
from chalicelib.cloudtrail.user_agents import Client, read_client
from tests.support.rows import every

DOCS = Path(__file__).parents[2] / "docs" / "principals.md"

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.13.5 (+https://www.terraform.io) terraform-provider-aws/6.28.0"
GO_V2 = "aws-sdk-go-v2/1.41.0 ua/2.1 os/macos lang/go#1.25.5 md/GOOS#darwin md/GOARCH#arm64 api/ec2#1.279.0"
BOTO3 = "Boto3/1.34.145 md/Botocore#1.34.145 ua/2.0 os/linux#5.10 lang/python#3.10.14 Botocore/1.34.145"
JAVA = "aws-sdk-java/1.12.488 Linux/5.4.247 OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_372"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def client(agent: object, **fields: Any) -> Client:
    return read_client(read_record({"userAgent": agent, **fields}))


@every(
    ("agent", "expected"),
    [
        ("aws-cli/1.16.263 Python/3.4.7 Linux/4.9.184 botocore/1.12.253", Client.AWS_CLI),
        ("aws-cli/2.17.9 md/awscrt#0.20.11 ua/2.0 os/macos#24.5.0 md/prompt#off md/command#ec2.foo", Client.AWS_CLI),
        ("[aws-cli/2.13.5 Python/3.11.4]", Client.AWS_CLI),
        (BOTO3, Client.BOTO3),
        ("[Boto3/1.26.165 Python/3.10.6 Linux/5.19.0-46-generic Botocore/1.29.165]", Client.BOTO3),
        ("Botocore/1.31.1 ua/2.0 os/linux#6.1", Client.BOTO3),
        ("Boto/2.38.0 Python/2.7.12 Linux/4.4.0-75-generic", Client.BOTO2),
        ("aws-sdk-go/1.24.1 (go1.14; darwin; amd64)", Client.SDK_GO),
        (GO_V2, Client.SDK_GO),
        (JAVA, Client.SDK_JAVA),
        ("aws-sdk-java/2.25.11 Linux/5.10.220 OpenJDK_64-Bit_Server_VM/21.0.3", Client.SDK_JAVA),
        ("aws-sdk-js/3.0.0 os/linux/4.14 lang/js md/nodejs/12.14.0 api/iam/3.0.0", Client.SDK_JS),
        ("aws-sdk-nodejs/2.1450.0 linux/v18.16.0 exec-env/AWS_Lambda_nodejs18.x promise", Client.SDK_JS),
        ("aws-sdk-dotnet-coreclr/3.7.100.1 .NET_Core/6.0.9 OS/Linux ClientAsync", Client.SDK_DOTNET),
        ("AWSPowerShell.Common/4.1.2 .NET_Core/6.0 aws-sdk-dotnet-coreclr/3.7.1", Client.SDK_DOTNET),
        ("aws-sdk-rust/1.3.3 os/linux lang/rust/1.82.0", Client.SDK_RUST),
        ("aws-sdk-ruby3/3.185.0 ua/2.0 api/ec2#1.400 os/linux lang/ruby#3.2", Client.SDK_RUBY),
        ("aws-sdk-php/3.273.1 OS/Linux lang/php/8.2 GuzzleHttp/7", Client.SDK_PHP),
        ("aws-sdk-cpp/1.11.300 Linux/6.1 x86_64 GCC/11.4.0", Client.SDK_CPP),
        (FIREFOX, Client.BROWSER),
        ("Mozilla", Client.BROWSER),
        ("console.ec2.amazonaws.com", Client.CONSOLE),
        ("console.amazonaws.com", Client.CONSOLE),
        ("signin.amazonaws.com", Client.CONSOLE),
        ("[S3Console/0.4]", Client.CONSOLE),
        ("cloudformation.amazonaws.com", Client.CLOUDFORMATION),
        ("cloudformation.amazonaws.com.cn", Client.CLOUDFORMATION),
        ("autoscaling.amazonaws.com", Client.AWS_SERVICE),
        ("AWS Internal", Client.AWS_SERVICE),
        ("aws-internal/3", Client.AWS_SERVICE),
        ("Coral/Netty4", Client.AWS_SERVICE),
        ("elasticmapreduce.aws.internal", Client.AWS_SERVICE),
        ("TruffleHog", Client.OTHER),
        ("aws sdk", Client.OTHER),
    ],
)
def test_every_program_is_known_by_its_own_agent(agent: str, expected: Client) -> None:
    assert client(agent) is expected


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (f"{TERRAFORM} {GO_V2}", Client.TERRAFORM),
        ("aws-sdk-go/1.44.157 (go1.19.3; linux; amd64) HashiCorp-terraform-exec/0.17.3", Client.TERRAFORM),
        (f"APN/1.0 OpenTofu-S3-Backend/1.0 OpenTofu/1.9.0 {GO_V2}", Client.OPENTOFU),
        (f"APN/1.0 HashiCorp/1.0 OpenTofu/1.9.0 terraform-provider-aws/6.28.0 {GO_V2}", Client.OPENTOFU),
        (f"APN/1.0 Pulumi/1.0 PulumiAwsNative/1.12 {GO_V2}", Client.PULUMI),
        (f"APN/1.0 Pulumi/1.0 terraform-provider-aws/6.28.0 {GO_V2}", Client.PULUMI),
        ("aws-cdk/2.160.0 aws-sdk-js/3.651.1 ua/2.0 os/linux lang/js", Client.CDK),
        ("aws-sdk-js/3.651.1 ua/2.0 os/linux lang/js cdk-hotswap/success-lambda-function", Client.CDK),
        (f"{BOTO3} Ansible/2.9.27", Client.ANSIBLE),
        ("APN/1.0 Ansible/2.15.0 community.aws/12.0.0-dev0", Client.ANSIBLE),
    ],
)
def test_a_tool_wins_over_the_sdk_that_it_is_made_with(agent: str, expected: Client) -> None:
    assert client(agent) is expected


@pytest.mark.parametrize("agent", ["terraformer/0.8.24", "cdktf/0.20", "ansiblefish/1", f"app/terraform {GO_V2}"])
def test_a_name_that_only_begins_like_a_tool_is_not_the_tool(agent: str) -> None:
    assert client(agent) in {Client.OTHER, Client.SDK_GO}


def test_javascript_is_not_java() -> None:
    assert client("aws-sdk-javascript/1.0") is Client.OTHER


def test_cloudshell_wins_over_the_command_line_and_the_sdk_run_in_it() -> None:
    assert client("aws-cli/2.17.9 Python/3.11.9 Linux/6.8.0 exec-env/CloudShell") is Client.CLOUDSHELL
    assert client(f"{BOTO3} exec-env/CloudShell", sessionCredentialFromConsole="true") is Client.CLOUDSHELL


def test_a_tool_run_in_cloudshell_is_the_tool() -> None:
    assert client(f"{TERRAFORM} {GO_V2} exec-env/CloudShell") is Client.TERRAFORM


def test_a_console_page_wins_over_the_sdk_that_it_is_made_with() -> None:
    assert client(f"[S3Console/0.4, aws-internal/3 {JAVA} cfg/retry-mode/standard]") is Client.CONSOLE
    assert client(f"aws-internal/3 {JAVA} AWSLambdaConsole/1.0") is Client.CONSOLE
    assert client(f"EC2ConsoleFrontend, aws-internal/3 {JAVA} cfg/retry-mode/standard") is Client.CONSOLE
    assert client("[AWS Console S3, S3Console/0.4 cfg/retry-mode/legacy]") is Client.CONSOLE


@pytest.mark.parametrize("agent", [FIREFOX, None, "", "AWS Internal", f"aws-internal/3 {JAVA}", "Some New Page"])
def test_a_console_session_behind_an_agent_that_names_no_program_is_the_console(agent: str | None) -> None:
    assert client(agent, sessionCredentialFromConsole="true") is Client.CONSOLE


@pytest.mark.parametrize(
    ("agent", "expected"), [("aws-cli/2.1", Client.AWS_CLI), ("servicecatalog.amazonaws.com", Client.AWS_SERVICE)]
)
def test_a_program_named_by_the_agent_wins_over_a_console_session(agent: str, expected: Client) -> None:
    assert client(agent, sessionCredentialFromConsole="true") is expected


@pytest.mark.parametrize("agent", [None, "", "something new", "AWS Internal", f"aws-internal/3 {JAVA}"])
def test_the_service_in_invoked_by_or_source_ip_decides_where_the_agent_does_not(agent: str | None) -> None:
    assert client(agent, userIdentity={"invokedBy": "eks.amazonaws.com"}) is Client.AWS_SERVICE
    assert client(agent, userIdentity={"invokedBy": "cloudformation.amazonaws.com"}) is Client.CLOUDFORMATION
    assert client(agent, userIdentity={"invokedBy": "signin.amazonaws.com"}) is Client.CONSOLE
    assert client(agent, sourceIPAddress="cloudformation.amazonaws.com") is Client.CLOUDFORMATION
    assert client(agent, sourceIPAddress="AWS Internal") is Client.AWS_SERVICE


def test_a_record_that_says_nothing_has_an_unknown_client() -> None:
    assert client(None, sourceIPAddress="203.0.113.7") is Client.UNKNOWN


@given(st.text() | st.none() | st.integers() | st.lists(st.text()), st.booleans(), st.text() | st.none())
def test_no_agent_is_an_error(agent: object, from_console: bool, invoked_by: str | None) -> None:
    identity = {"invokedBy": invoked_by}
    assert isinstance(client(agent, sessionCredentialFromConsole=from_console, userIdentity=identity), Client)


def test_the_docs_list_every_client_and_no_other() -> None:
    section = DOCS.read_text(encoding="utf-8").split("## Clients", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) == [str(item) for item in Client]
