"""Every setting that is not of one kind of destination: what it is called, what it means, which reader reads it.

A setting's default is written here and nowhere else; the kinds of destination are in settings/kinds.py.
"""

from __future__ import annotations

from typing import Any

from chalicelib.alert.filters import compile_condition
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.settings.fields import (
    LOG_LEVELS,
    Field,
    choice,
    queue_name,
    read_account_ids,
    read_account_names,
    read_certificates,
    read_daily,
    read_external_id,
    read_proxy_url,
    read_quiet_hours,
    read_regions,
    read_role,
    read_runbook,
    read_seconds,
    read_severity,
    read_standard,
    read_switch,
    read_table_name,
    read_tag_names,
    read_url,
    read_watch,
    read_window,
)

MIN_SEVERITY = Field(
    "MIN_SEVERITY",
    "The least severity that this destination wants: `info`, `low`, `medium`, `high` or `critical`.",
    read_severity,
    default="info",
)
WHEN = Field(
    "WHEN",
    "A JMESPath expression on the alert; this destination gets those of which it is true.",
    compile_condition,
)
DIGEST = Field(
    "DIGEST",
    "Durable delivery only: `daily`, or `daily 08:00 Europe/Berlin`, sends what is below this destination's "
    "`MIN_SEVERITY` as one digest a day (at 08:00 UTC) in place of dropping it.",
    read_daily,
)
QUIET_HOURS = Field(
    "QUIET_HOURS",
    "Durable delivery only: such as `22:00-07:00 Europe/Berlin` (without a time zone, UTC). What is below high waits "
    "for their end and comes as one digest; critical and high alerts never wait.",
    read_quiet_hours,
)
EVERY_DESTINATION = (MIN_SEVERITY, WHEN, DIGEST, QUIET_HOURS)

GLOBALS: tuple[Field, ...] = (
    Field(
        "WATCH",
        "Which groups of events are watched: `rules`, `groups`, `attachments`, `prefix_lists`, `tamper`, "
        "with commas between. Read when the app is deployed: the EventBridge rule is made from it.",
        read_watch,
        default=",".join(DEFAULT_WATCH),
    ),
    Field(
        "IGNORE_WHEN",
        "A JMESPath expression on the alert; matching alerts are dropped (logged and counted).",
        compile_condition,
    ),
    Field(
        "LOG_LEVEL",
        "The least important log line that is written: `debug`, `info`, `warning` or `error`.",
        choice(LOG_LEVELS),
        default="info",
    ),
    Field(
        "AUDIT_STANDARD",
        "Whose answer is the status of the alarm path: `cis_1_to_4`, `cis_5` or `security_hub`.",
        read_standard,
        default="cis_5",
    ),
    Field(
        "HEARTBEAT_URL",
        "Is posted to after each completed audit, with `/fail` behind its path when something is broken; "
        "or a reference to it.",
        read_url,
        secret=True,
    ),
    Field(
        "AUTO_REPAIR",
        "`true` lets the functions make missing links of the alarm path, of those named `sgwatch-…` only, and say so.",
        read_switch,
        default="false",
    ),
    Field(
        "DELIVERY_QUEUE",
        "The FIFO queue of durable delivery, by name, ARN or URL. Set by `sgwatch setup`, together with `STATE_TABLE`.",
        queue_name,
        holds_url=True,
    ),
    Field(
        "STATE_TABLE",
        "The DynamoDB table of durable delivery. Set by `sgwatch setup`, together with `DELIVERY_QUEUE`.",
        read_table_name,
    ),
    Field(
        "BURST_WINDOW",
        "Durable delivery only: for how many seconds one principal's further changes are gathered into one alert; "
        "0 turns that off. Critical alerts are never gathered.",
        read_window,
        default="60",
    ),
    Field(
        "RECONCILE_REGIONS",
        "Durable delivery with `ENRICH` only: the regions to check for drift every hour, with commas between, or `all` "
        "that are enabled; without it, the function's own.",
        read_regions,
    ),
    Field(
        "FLEET_ACCOUNTS",
        "Durable delivery with `ENRICH_ROLE` only: other accounts whose events come here, their ids with commas "
        "between. Every hour the regions of `RECONCILE_REGIONS` are checked there too, and their forwarders "
        "(docs/fleet.md).",
        read_account_ids,
    ),
    Field(
        "ENRICH",
        "`true` looks up what is not in the record (docs/enrichment.md), with at most three calls an alert; "
        "`false` asks AWS nothing.",
        read_switch,
        default="false",
    ),
    Field(
        "ENRICH_TIMEOUT",
        "How many seconds the look-ups of one alert may take; an answer that comes later counts as unknown.",
        read_seconds,
        default="3",
    ),
    Field(
        "ENRICH_ROLE",
        "The role that is assumed to look into other accounts: its name, or its ARN with `{account}` for the id.",
        read_role,
    ),
    Field(
        "ENRICH_EXTERNAL_ID",
        "The external id that the trust policy of the role of `ENRICH_ROLE` asks for (docs/fleet.md).",
        read_external_id,
        is_random=True,
    ),
    Field(
        "ENRICH_CONFIG",
        "`true` also asks AWS Config what was before, where neither the record nor the state table has it.",
        read_switch,
        default="false",
    ),
    Field(
        "ACCOUNT_NAMES",
        "What accounts are called in alerts, such as `123456789012=production,444455556666=audit`; of others the "
        "alias is looked up where a call is left.",
        read_account_names,
    ),
    Field(
        "OWNER_TAGS",
        "The tags that name a security group's owner, whatever their case; the first that is there counts.",
        read_tag_names,
        default="owner,team",
    ),
    Field(
        "HTTPS_PROXY_URL",
        "The proxy through which every HTTPS destination is reached, such as `http://proxy.example.com:3128`; or a "
        "reference to it, which one with a password in it has to be.",
        read_proxy_url,
        secret=True,
    ),
    Field(
        "CA_BUNDLE",
        "Certificates (PEM) that are trusted beside the public ones, for a proxy or a receiver of one's own; or a "
        "reference to them.",
        read_certificates,
        by_reference=True,
    ),
    Field(
        "RUNBOOK_URL",
        "What to do about an alert: an https URL, or a JMESPath expression on the alert that gives one; a link in "
        "every alert.",
        read_runbook,
        holds_url=True,
    ),
)

_BY_NAME = {item.name: item for item in GLOBALS}


def default_of(name: str) -> Any:
    """What a setting is where it is not set."""
    item = _BY_NAME[name]
    return None if item.default is None else item.read(item.default)
