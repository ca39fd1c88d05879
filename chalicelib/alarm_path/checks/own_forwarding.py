"""Whether changes in the account's other regions reach the stage: the forwarders in the snapshot's ``self``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.alarm_path.checks.forwarders import ForwarderState, ForwarderVerdict, has_forwarder, judge_forwarder
from chalicelib.alarm_path.checks.own_fixes import OwnTools
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.text import number_of

# Where IAM's events are delivered. https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
GLOBAL_REGIONS = ("us-east-1", "us-gov-west-1", "cn-north-1")
DEPLOY = ("fleet", "deploy")
STATUS = ("fleet", "status")
_ANY_STAGE = OwnTools()


def judge_forwarding(
    own: Json, account_id: str, partition: str, trails: Iterable[str] = (), tools: OwnTools = _ANY_STAGE
) -> Iterable[Finding]:
    """Without any forwarder one finding says what is not seen; with some, each other region is judged.

    One stage may well be meant for one region, and then no forwarder is missing. ``trails`` are the trails' home
    regions, where EventBridge delivers the calls on them.
    """
    home = str(own.get("region") or "")
    regions: Mapping[str, Json] | None = (own.get("forwarding") or {}).get("regions")
    if not home:
        return
    elsewhere = tuple(dict.fromkeys(region for region in trails if region and region != home))
    if regions is None:
        yield from _unread(home, own, elsewhere, tools)
    elif not any(map(has_forwarder, regions.values())):
        yield from _none(home, regions, elsewhere, tools)
    else:
        bus = f"arn:{partition}:events:{home}:{account_id}:event-bus/default"
        expected = own["forwarding"].get("expected") or {}
        for region, found in regions.items():
            yield _forwarder(region, judge_forwarder(found, expected, bus), tools)


def _apart(home: str, elsewhere: Sequence[str]) -> str:
    """Which events EventBridge delivers in one region alone, other than the stage's: words, empty for none."""
    iam = () if home in GLOBAL_REGIONS else ("IAM's events in us-east-1",)
    trails = (f"the calls on trails in {' and '.join(elsewhere)}",) if elsewhere else ()
    return " and ".join((*iam, *trails))


def _unread(home: str, own: Json, elsewhere: Sequence[str], tools: OwnTools) -> Iterable[Finding]:
    apart = _apart(home, elsewhere)
    if "forwarding" in own:
        reason = "The account's regions could not be listed, so it is not known whether they forward their events."
        yield Finding("own-forwarding", Status.UNKNOWN, home, reason, tools.sgwatch(*STATUS))
    elif apart:
        reason = f"EventBridge delivers {apart}; whether they are forwarded to {home} is not known."
        yield Finding("own-forwarding", Status.UNKNOWN, home, reason, tools.sgwatch(*DEPLOY))


def _none(home: str, regions: Mapping[str, Json], elsewhere: Sequence[str], tools: OwnTools) -> Iterable[Finding]:
    if not regions:
        yield Finding("own-forwarding", Status.PASS, home, f"{home} is the account's only region.")
        return
    unread = [region for region, found in regions.items() if found.get("rules") is None]
    if unread:
        reason = f"Whether {', '.join(unread)} forward events to {home} could not be read."
        yield Finding("own-forwarding", Status.UNKNOWN, home, reason, tools.sgwatch(*STATUS))
        return
    iam = "" if home in GLOBAL_REGIONS else ", nor are IAM's, which EventBridge delivers in us-east-1"
    trails = f", nor the calls on trails of {' and '.join(elsewhere)}" if elsewhere else ""
    reason = f"Events of {number_of(len(regions), 'other region')} are not forwarded to {home}{iam}{trails}."
    yield Finding("own-forwarding", Status.UNKNOWN, home, reason, tools.sgwatch(*DEPLOY))


def _forwarder(region: str, verdict: ForwarderVerdict, tools: OwnTools) -> Finding:
    if verdict.state is ForwarderState.OK:
        return Finding("own-forwarder", Status.PASS, region, f"Region {region} forwards its events.")
    status = Status.FAIL if verdict.is_hole else Status.UNKNOWN
    reason = f"Events of region {region} may not arrive: {'; '.join(fault.reason for fault in verdict.faults)}."
    only_letters = verdict.state is ForwarderState.DEAD_LETTERS
    words = STATUS if only_letters or not verdict.is_hole else DEPLOY
    return Finding("own-forwarder", status, region, reason, tools.sgwatch(*words))
