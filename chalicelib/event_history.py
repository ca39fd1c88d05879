"""CloudTrail's event history: what was done to a resource lately, asked of LookupEvents.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.delivery.aws_calls import AwsCalls, CallFailed
from chalicelib.records import mapping

MOST_PAGES = 4


class NoHistory(Exception):  # noqa: N818 - it reads as what happened
    """CloudTrail did not tell; the text says why."""


class EventHistory(AwsCalls):
    """The event history of one region, by its name."""

    # Two calls a second are allowed in an account and region; these wait for 15 seconds at most.
    attempts = 6
    first_wait = 0.5

    def of_resource(self, resource: str, since: datetime) -> list[Mapping[str, Any]]:
        """The records of the calls that changed something and name the resource, the oldest first.

        Raises:
            NoHistory: CloudTrail did not tell.
        """
        arguments: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": resource}],
            "StartTime": since,
        }
        found: list[Mapping[str, Any]] = []
        for _ in range(MOST_PAGES):
            answer = self._page(arguments)
            found += [mapping(_parsed(event.get("CloudTrailEvent"))) for event in answer.get("Events", ())]
            if not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]
        # Whoever looked at it is in there too.
        return [raw for raw in reversed(found) if raw and raw.get("readOnly") is not True]

    def _page(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._again("lookup_events", **arguments)
        except CallFailed as failure:
            error = NoHistory(f"{failure.reason} on cloudtrail:LookupEvents")
        raise error

    def _may_go_better(self, failure: CallFailed) -> bool:
        return not failure.code or "Throttl" in failure.code or failure.code == "RequestLimitExceeded"


def _parsed(document: object) -> object:
    try:
        return json.loads(document) if isinstance(document, str) else None
    except ValueError:
        return None
