"""Every address of a running local cloud, and the page on which a shell asks for its environment.

``/_localcloud/environment`` beside AWS's own API: JSON with ``environment`` and ``addresses``, by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from shlex import quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.servers import StartResponse

ENVIRONMENT_PATH = "/_localcloud/environment"
# Version 1 of the AWS CLI knows an address for SQS that goes before AWS_ENDPOINT_URL.
# https://github.com/aws/aws-cli/blob/develop/awscli/customizations/overridesslcommonname.py
CLI_FUNCTION = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'
Application = Callable[[dict[str, Any], "StartResponse"], Iterable[bytes]]


def with_environment(inner: Application, environment: Callable[[], Mapping[str, Mapping[str, str]]]) -> Application:
    """An application that also answers what ``environment`` returns, to any caller."""

    def serve(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != ENVIRONMENT_PATH:
            return inner(environ, start_response)
        body = json.dumps(environment()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return serve


# What the addresses that a setting may want are called in a shell.
VARIABLES = {
    "Inbox page": "LOCAL_INBOX_URL",
    "Slack incoming webhook": "LOCAL_SLACK_URL",
    "Webhook": "LOCAL_WEBHOOK_URL",
}


def shell_lines(environment: Mapping[str, str], before: Iterable[str] = ()) -> list[str]:
    """What a shell evaluates so that its AWS clients talk to the local cloud."""
    return [*before, *(f"export {name}={quote(value)}" for name, value in environment.items()), CLI_FUNCTION]
