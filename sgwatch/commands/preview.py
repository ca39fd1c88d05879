"""``sgwatch preview``: one alert as each destination would be sent it, without sending anything."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.json import JSON
from rich.text import Text

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from chalicelib.cloudtrail.records import RecordError, unwrap
from chalicelib.security_groups.changes import NotWatched
from chalicelib.settings.kinds import KINDS
from sgwatch.previews import Preview, previews
from sgwatch.terminal import console, read_in_part, refuse

# SSH opened to the internet by somebody behind Identity Center.
EXAMPLE: dict[str, Any] = {
    "eventVersion": "1.10",
    "eventTime": "2026-11-23T10:00:00Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "AuthorizeSecurityGroupIngress",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "203.0.113.7",
    "userAgent": "aws-cli/2.17.0",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:dora@example.com",
        "arn": "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789/dora@example.com",
        "accountId": "123456789012",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "userName": "AWSReservedSSO_Admin_0123456789",
                "arn": "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789",
            }
        },
    },
    "requestParameters": {
        "groupId": "sg-0a1b2c3d4e5f60718",
        "ipPermissions": {
            "items": [
                {
                    "ipProtocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                    "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0", "description": "debugging"}]},
                }
            ]
        },
    },
    "responseElements": {"_return": True},
    "requestID": "8c1e5f0a-1111-4222-8333-444455556666",
    "eventID": "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "123456789012",
    "eventCategory": "Management",
}


def preview(
    file: Annotated[
        Path | None,
        typer.Argument(help="A CloudTrail record, in any envelope; - is standard input.", show_default=False),
    ] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", help="Only this kind: slack, teams, sns, …", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show one alert as each kind of destination would be sent it; an example's where no file is given.

    Exit status: 0 good, 2 the file or the kind is not known.
    """
    known = [kind.key for kind in KINDS]
    wanted = destination.lower() if destination else None
    if wanted not in (None, *known):
        refuse(f'"{destination}" is not a kind of destination; there are {", ".join(known)}')
    alert = _alert(file)
    with read_in_part():
        if as_json:
            typer.echo(json.dumps({item.label: item.payload for item in previews(alert, wanted)}, default=str))
        else:
            for item in previews(alert, wanted):
                _show(item)


def _alert(file: Path | None) -> Alert:
    """The alert of the first watched record."""
    if file is None:
        return alert_of(EXAMPLE)
    for record in _records(file):
        with contextlib.suppress(NotWatched):
            return alert_of(record)
    return refuse(f"{file} holds no record of a watched event")


def _records(file: Path) -> list[Mapping[str, Any]]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return list(unwrap(json.loads(text)))
    except OSError as error:
        return refuse(f"{file} cannot be read: {error.strerror}")
    except (ValueError, RecordError) as error:
        return refuse(f"{file} holds no CloudTrail record: {error}")


def _show(item: Preview) -> None:
    out = console()
    out.print(Text(item.label, "bold"))
    message = item.payload.get("Message") if isinstance(item.payload, dict) else None
    if isinstance(message, str):
        out.print(Text(message), soft_wrap=True)
    else:
        out.print(JSON(json.dumps(item.payload, default=str)), soft_wrap=True)
    out.print()
