"""A small Chalice app that shows how the local cloud runs functions."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

from chalice import Chalice

app = Chalice(app_name="small")
PATTERN = {
    "source": ["aws.ec2"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {"eventName": ["AuthorizeSecurityGroupIngress", "CreateSecurityGroup"]},
}
CALLS = {"count": 0}


def post(document: dict[str, Any]) -> None:
    request = urllib.request.Request(
        os.environ["WEBHOOK_URL"], json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=5).close()


@app.on_cw_event(PATTERN)  # type: ignore[untyped-decorator]
def alert(event: Any) -> None:
    CALLS["count"] += 1
    print("alerting", event.detail["eventName"])
    post({"title": event.detail["eventName"], "severity": "high", "id": event.detail["eventID"]})


@app.schedule("rate(1 hour)")  # type: ignore[untyped-decorator]
def hourly(event: Any) -> None:
    post({"title": "hourly"})


@app.lambda_function()  # type: ignore[untyped-decorator]
def doing(event: Any, context: Any) -> Any:
    import boto3  # noqa: PLC0415  # the other functions are to start without it

    what = event["do"]
    if what == "raise":
        raise ValueError("asked to")
    if what == "sleep":
        time.sleep(event["seconds"])
    if what == "write":
        (Path(__file__).parent / "written").write_text("no")
    if what == "memory":
        block = bytearray(event["bytes"])
        time.sleep(0.5)
        return len(block)
    if what == "exit":
        os._exit(3)
    if what == "describe":
        return len(boto3.client("ec2").describe_security_groups()["SecurityGroups"])
    if what == "delete":
        boto3.client("ec2").delete_security_group(GroupId=event["group_id"])
    if what == "environment":
        return dict(os.environ)
    if what == "import":
        return str(__import__(event["name"]))
    CALLS["count"] += 1
    return {"count": CALLS["count"]}


@app.on_sqs_message(queue="work", batch_size=1)  # type: ignore[untyped-decorator]
def worker(event: Any) -> None:
    for record in event:
        if record.body == "bad":
            raise ValueError("bad message")
        post({"title": "worked", "body": record.body})
