"""Collect the forwarders of the other regions: one ListRules a region, and the targets and queue where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.aws.clients import ClientFactory

Part = dict[str, Any]
T = TypeVar("T")
NOTHING: frozenset[str] = frozenset()
# EventBridge's endpoints are one a region, so that each is asked by one thread alone.
AT_ONCE = 8
NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_KEPT = ("Name", "Arn", "State", "EventPattern")


def collect_forwarding(clients: ClientFactory, home: str, prefix: str, queue: str) -> tuple[Part, list[Part]]:
    """``{"regions": {region: …} | null}`` of every opted-in region but ``home``, and the errors met.

    ``prefix`` is how the names of a forwarder's rules begin, ``queue`` is the name of its dead-letter queue.
    """
    errors: list[Part] = []
    regions = opted_in(clients, home, errors)
    if regions is None:
        return {"regions": None}, errors
    others = [region for region in regions if region != home]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda region: collect_region(clients, region, prefix, queue), others))
    errors += [error for _, met in found for error in met]
    return {"regions": {region: part for region, (part, _) in zip(others, found, strict=True)}}, errors


def opted_in(clients: ClientFactory, home: str, errors: list[Part]) -> list[str] | None:
    """The regions that are enabled for the account; None, and an error noted, where that cannot be read."""
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    answer = _asked(errors, home, "ec2:DescribeRegions", lambda: clients("ec2", home).describe_regions())
    return None if answer is None else sorted(str(item["RegionName"]) for item in answer.get("Regions", ()))


def collect_region(clients: ClientFactory, region: str, prefix: str, queue: str) -> tuple[Part, list[Part]]:
    """One region's forwarder, as checks/forwarders.py reads it, and the errors met."""
    errors: list[Part] = []
    listed = _asked(errors, region, "events:ListRules", lambda: _rules(clients("events", region), prefix))
    if listed is None:
        return {}, errors
    part: Part = {"rules": [_with_targets(clients, region, rule, errors) for rule in listed]}
    if listed:
        part |= _letters(clients, region, queue, errors)
    return part, errors


def _rules(events: Any, prefix: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = events.list_rules(NamePrefix=prefix, **more)
        found += answer.get("Rules", [])
        if not answer.get("NextToken"):
            return found
        more = {"NextToken": answer["NextToken"]}


def _with_targets(clients: ClientFactory, region: str, rule: Mapping[str, Any], errors: list[Part]) -> Part:
    kept = {key: rule[key] for key in _KEPT if key in rule}
    asked = _asked(
        errors,
        region,
        "events:ListTargetsByRule",
        lambda: clients("events", region).list_targets_by_rule(Rule=rule["Name"]),
    )
    return kept if asked is None else kept | {"Targets": asked.get("Targets", [])}


def _letters(clients: ClientFactory, region: str, queue: str, errors: list[Part]) -> Part:
    def count() -> int:
        sqs = clients("sqs", region)
        names = ["ApproximateNumberOfMessages"]
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])

    counted = _asked(errors, region, "sqs:GetQueueAttributes", count, absent=NO_QUEUE)
    if counted is None and (not errors or errors[-1]["call"] != "sqs:GetQueueAttributes"):
        return {"dead_letters": None}
    return {} if counted is None else {"dead_letters": counted}


def _asked(
    errors: list[Part], region: str, call: str, ask: Callable[[], T], absent: frozenset[str] = NOTHING
) -> T | None:
    """The answer; None where AWS refused, and an error noted unless its code is one of ``absent``."""
    try:
        return ask()
    except ClientError as error:
        said = error.response.get("Error", {})
        code, message = str(said.get("Code", "")), str(said.get("Message", ""))
        if code in absent:
            return None
    except (BotoCoreError, ResponseParserError) as error:
        code, message = type(error).__name__, str(error)
    errors.append({"call": call, "region": region, "resource": None, "code": code, "message": message})
    return None
