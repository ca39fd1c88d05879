"""Links into the AWS Management Console, for every partition."""

from __future__ import annotations

import re
from urllib.parse import quote

# https://docs.aws.amazon.com/general/latest/gr/rande.html
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_SECURITY_GROUP = re.compile(r"sg-[0-9A-Za-z]{1,64}")


def _host(region: str) -> str:
    if region.startswith("cn-"):
        return "console.amazonaws.cn"
    if region.startswith("us-gov-"):
        return "console.amazonaws-us-gov.com"
    return "console.aws.amazon.com"


def _page(region: str | None, path: str, fragment: str) -> str | None:
    # The isolated partitions (us-iso-…, us-isob-…, eu-isoe-…) publish no address of their console.
    if region is None or not _REGION.fullmatch(region) or "-iso" in region:
        return None
    return f"https://{region}.{_host(region)}/{path}/home?region={region}#{fragment}"


def cloudtrail_event_url(event_id: str, region: str | None) -> str | None:
    """The record in CloudTrail's event history, which keeps it for 90 days."""
    return _page(region, "cloudtrailv2", f"/events/{quote(event_id, safe='')}")


def security_group_url(group_id: str | None, region: str | None) -> str | None:
    """The group's page; None where its id or the region is not known."""
    if group_id is None or not _SECURITY_GROUP.fullmatch(group_id):
        return None
    return _page(region, "ec2", f"SecurityGroup:groupId={group_id}")
