"""Every check of the audit: its id, the link of the path that it is about, and when it fails or is unknown.

A finding can be made of a registered check only. The drawn chain and the table in docs/alarm-path.md are made from
these rows, so a check that fails is always drawn at its link.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.alarm_path.standards import Standard


class PathLink(StrEnum):
    """A link of the alarm path, in the path's order; OWN is sgwatch itself and belongs to no path."""

    TRAIL = "trail"
    LOG_GROUP = "log group"
    METRIC_FILTER = "metric filter"
    ALARM = "alarm"
    ACTION = "action"
    TOPIC = "topic"
    SUBSCRIBER = "subscriber"
    OWN = "sgwatch"


# The links that a path is drawn with.
PATH_LINKS = tuple(link for link in PathLink if link is not PathLink.OWN)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``fails`` and ``unknown`` say when, in Markdown; empty where it never is.

    ``by_event``: the answer differs from event to event. ``standards``: whose answer it decides.
    """

    id: str
    link: PathLink
    fails: str
    unknown: str = ""
    by_event: bool = False
    standards: tuple[Standard, ...] = tuple(Standard)


def _own(name: str, fails: str, unknown: str = "it was not collected") -> Check:
    return Check(name, PathLink.OWN, fails, unknown, standards=())


CHECKS = (
    Check("trail-exists", PathLink.TRAIL, "there is no trail", "the trails could not all be listed"),
    Check("trail-logging", PathLink.TRAIL, "logging is stopped", "the status was not read"),
    Check("trail-multi-region", PathLink.TRAIL, "the trail logs one region"),
    Check(
        "trail-events",
        PathLink.TRAIL,
        "the selectors leave out management writes, EC2, an event or a caller",
        "a selector is not understood, or there are too many to try together",
        by_event=True,
    ),
    Check(
        "trail-log-group",
        PathLink.TRAIL,
        "there is none, or it is of another region than the trail",
        "it belongs to another account: audit that one",
    ),
    Check(
        "trail-delivery",
        PathLink.TRAIL,
        "CloudTrail reports an error, never delivered, delivered nothing for 24 hours, or is an hour behind the bucket",
        "logging began within the hour",
    ),
    Check(
        "log-group",
        PathLink.LOG_GROUP,
        "it does not exist, or is of a class without metric filters",
        "the groups were not read, or its class is not known",
    ),
    Check(
        "filter-exists",
        PathLink.METRIC_FILTER,
        "no filter on this log group matches",
        "the filters were not all read",
    ),
    Check(
        "filter-coverage",
        PathLink.METRIC_FILTER,
        "an event is never matched, or only sometimes",
        "what AWS does with the pattern is not known",
        by_event=True,
    ),
    Check(
        "filter-value",
        PathLink.METRIC_FILTER,
        "not every match publishes a number",
        "the value is a field that holds a number as text",
    ),
    Check(
        "filter-scope",
        PathLink.METRIC_FILTER,
        "field selection criteria leave this account or region out",
        "it reads transformed logs, or whether it does could not be read; criteria on the region",
    ),
    Check("alarm-exists", PathLink.ALARM, "no alarm in the region reads the metric", "the alarms were not all read"),
    Check(
        "alarm-metric",
        PathLink.ALARM,
        "dimensions or unit differ from what the filter publishes",
        "the dimension is a truth value of the record",
        by_event=True,
    ),
    Check(
        "alarm-fires",
        PathLink.ALARM,
        "one matching record does not lead to ALARM in every traffic (see below)",
        "anomaly bands, Metrics Insights, functions that are not known here, metrics that were not collected, or "
        "where AWS's pages leave open what happens",
    ),
    Check(
        "alarm-leaves",
        PathLink.ALARM,
        "it never leaves ALARM by itself (actions run on a change of state only)",
        "that depends on metrics that were not collected",
    ),
    Check(
        "alarm-evaluated",
        PathLink.ALARM,
        "",
        "CloudWatch reports that it cannot evaluate the alarm, or the alarm is in its warm-up period",
    ),
    Check(
        "composite-alarm",
        PathLink.ACTION,
        "the parent needs other alarms too, is suppressed now, is true at rest or while another alarm has no data, or "
        "stays so once the alarm below is back from ALARM",
        "its rule is not understood",
    ),
    Check(
        "alarm-actions",
        PathLink.ACTION,
        "disabled, muted, none for ALARM, no topic, or a topic of another region",
        "AWS refused the mute rules, or one came without a status",
    ),
    Check("topic-exists", PathLink.TOPIC, "the topic is gone", "it was not read, or is of another account"),
    Check(
        "topic-policy",
        PathLink.TOPIC,
        "the policy does not let CloudWatch publish for this alarm, or denies it",
        "a condition cannot be judged",
    ),
    Check(
        "topic-key",
        PathLink.TOPIC,
        "the AWS-managed key, a key that is disabled or pending deletion, or a key policy without kms:Decrypt and "
        "kms:GenerateDataKey for CloudWatch",
        "the key policy was not read",
    ),
    Check(
        "subscriber",
        PathLink.SUBSCRIBER,
        "nobody, pending, deleted, the filter policy drops the notification, or the policy of a queue or function "
        "does not let SNS in",
        "AWS refused its attributes (a snapshot that simply lacks them is a note)",
    ),
    _own("own-rule", "the EventBridge rule is missing or disabled"),
    _own("own-pattern", "the rule's pattern is not the one of the catalog"),
    _own("own-target", "the rule does not invoke the function, or something else stands between them"),
    _own("own-permission", "EventBridge may not invoke the function"),
    _own("own-function", "the function is missing or not active", "it was not collected, or is being made"),
    _own("own-on-failure", "what Lambda gives up goes nowhere"),
    _own("own-dead-letters", "undelivered events wait in the queue, or it is gone"),
    _own(
        "own-errors",
        "all of a function's latest runs failed, and none has succeeded for 15 minutes",
        "CloudWatch refused its metrics or gave them in part",
    ),
    _own("own-settings", "the deployed settings are faulty, or name no destination"),
    _own("own-delivery", "the latest deliveries to a destination failed"),
    _own(
        "own-queue",
        "the queue of alerts is gone, or its oldest message has waited for ten minutes",
        "it was not collected, or how long its messages wait was not read",
    ),
    _own(
        "own-event-source",
        "nothing feeds the deliver function: the queue's mapping is missing, disabled or filters messages",
        "it is still being made",
    ),
    _own("own-table", "the state table is gone or not active"),
    _own(
        "own-alarms",
        "an alarm of sgwatch's own is missing, muted or notifies nobody",
        "the topic's subscribers or the mute rules were not read, or one came without a status",
    ),
    _own("own-forwarding", "", "no other region forwards its events, or the regions could not be asked"),
    _own(
        "own-forwarder",
        "where some regions forward their events: another has no forwarder, or one that is disabled, matches other "
        "events, sends elsewhere or holds dead letters",
        "its rules or its queue were not read",
    ),
    _own("audit", "", "the audit could not be made"),
)
BY_ID = {check.id: check for check in CHECKS}


def registered(check_id: str) -> Check:
    """The row of a check.

    Raises:
        KeyError: there is none; the text says where it belongs.
    """
    if check_id not in BY_ID:
        raise KeyError(f"{check_id} is no check of the audit: it needs a row in CHECKS of check_registry.py")
    return BY_ID[check_id]
