"""The kinds of destination: the one table from which settings, builders, docs and the contract tests follow.

A new kind is one row here, one module with a ``build`` function in destinations/, one receiver in
localcloud/receivers/ and one section in docs/destinations.md; a test names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.named_tuple import NamedTuple
from chalicelib.settings.fields import (
    Field,
    choice,
    read_base_url,
    read_bot_token,
    read_channel,
    read_client_certificate,
    read_event_bus_arn,
    read_headers,
    read_mention,
    read_owner_mentions,
    read_routing_key,
    read_secret,
    read_severity,
    read_signing_secrets,
    read_slack_url,
    read_template,
    read_topic_arn,
    read_true,
    read_url,
)

SNS_FORMATS = ("text", "json", "chatbot")
WEBHOOK_FORMATS = ("alert", "cloudevents", "ocsf")


class DestinationKind(NamedTuple):
    """A kind of destination: ``<KIND>_<FIELD>`` and ``<KIND>__<NAME>__<FIELD>``.

    ``module`` has ``build(name, values, tools)`` (destinations/contract.py) and is imported only where a
    destination of the kind is used. ``needs`` are the sets of fields of which one has to be given whole.
    ``resolves`` says that its service has incidents, which are closed when what they say is over.
    """

    prefix: str
    title: str
    module: str
    fields: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]
    resolves: bool = False

    @property
    def key(self) -> str:
        """The kind in logs, metrics and tests: ``google_chat``."""
        return self.prefix.lower()

    def variable(self, field: str, name: str = "") -> str:
        """The variable of a field, of the destination with this name or of the only one."""
        if name:
            return f"{self.prefix}__{name}__{field}"
        return f"{self.prefix}_{field}" if field else self.prefix

    def owns(self, variable: str) -> bool:
        """Whether a variable belongs to this kind by its name."""
        alone = variable == self.prefix and any(not item.name for item in self.fields)
        return alone or variable.startswith(self.prefix + "_")

    def variables(self) -> Iterator[str]:
        """The variables of the only destination of the kind, without those that every kind has."""
        return (self.variable(item.name) for item in self.fields)


KINDS = (
    DestinationKind(
        "SLACK",
        "Slack",
        "chalicelib.destinations.slack",
        (
            Field(
                "WEBHOOK_URL",
                "The URL of an incoming webhook, or a reference to it.",
                read_slack_url,
                secret=True,
                example="https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxx",
            ),
            Field(
                "BOT_TOKEN",
                "A bot's token (`xoxb-…`), or a reference to it: one message a security group, the rest in its thread.",
                read_bot_token,
                secret=True,
            ),
            Field("CHANNEL", "The id of the channel that the bot posts to.", read_channel),
            Field(
                "API_URL",
                "Where a bot's calls go; `https://slack-gov.com/api` for GovSlack.",
                read_base_url,
                default="https://slack.com/api",
                holds_url=True,
            ),
            Field(
                "MENTION",
                "Whom alerts notify: `<!here>`, `<!channel>`, `<@U…>` or `<!subteam^S…>`, with blanks between.",
                read_mention,
            ),
            Field(
                "OWNER_MENTIONS",
                "Whom alerts on a group notify by its owner's tag: `team-web=<!subteam^S…>`, with commas between.",
                read_owner_mentions,
            ),
            Field("MENTION_SEVERITY", "The least severity that notifies them.", read_severity, default="critical"),
        ),
        needs=(("WEBHOOK_URL",), ("BOT_TOKEN", "CHANNEL")),
    ),
    DestinationKind(
        "SNS",
        "SNS",
        "chalicelib.destinations.sns",
        (
            Field(
                "TOPIC_ARN",
                "The ARN of a topic, standard or FIFO.",
                read_topic_arn,
                example="arn:aws:sns:eu-west-1:123456789012:security",
            ),
            Field(
                "FORMAT",
                "What is published: `text` for people, `json` for programs, `chatbot` for Amazon Q Developer in chat "
                "applications (AWS Chatbot), which drops the others.",
                choice(SNS_FORMATS),
                choices=SNS_FORMATS,
                default="text",
            ),
        ),
        needs=(("TOPIC_ARN",),),
    ),
    DestinationKind(
        "WEBHOOK",
        "Webhook",
        "chalicelib.destinations.webhook",
        (
            Field(
                "URL",
                "Where the alert is sent as JSON, or a reference to it.",
                read_url,
                secret=True,
                example="https://alerts.example.com/hook",
            ),
            Field(
                "SECRET",
                "Signs what is sent, as Standard Webhooks describes: `whsec_` and base64, or a reference to it; two "
                "with a blank between while one replaces the other.",
                read_signing_secrets,
                secret=True,
            ),
            Field(
                "FORMAT",
                "What is sent: `alert`, the alert's own JSON; `cloudevents`, that in a CloudEvent 1.0; `ocsf`, an "
                "event of the Open Cybersecurity Schema Framework.",
                choice(WEBHOOK_FORMATS),
                choices=WEBHOOK_FORMATS,
                default="alert",
            ),
            Field(
                "HEADERS",
                "Headers that are sent along: `Name: value`, with semicolons between; or a reference to that. Each "
                "value may be a reference, or end with one (`Authorization: Bearer ssm:/sgwatch/prod/token`).",
                read_headers,
                secret=True,
            ),
            Field(
                "TEMPLATE",
                "A JMESPath expression on the alert that builds the body in place of `WEBHOOK_FORMAT`; recipes are in "
                "[destinations](destinations.md#recipes).",
                read_template,
                holds_url=True,
            ),
            Field(
                "CLIENT_CERTIFICATE",
                "A certificate and its unencrypted key (PEM, one behind the other) for a receiver that asks for one "
                "(mutual TLS), or a reference to it.",
                read_client_certificate,
                secret=True,
            ),
        ),
        needs=(("URL",),),
    ),
    DestinationKind(
        "TEAMS",
        "Microsoft Teams",
        "chalicelib.destinations.teams",
        (
            Field(
                "WEBHOOK_URL",
                "The URL of a workflow's webhook, or a reference to it.",
                read_url,
                secret=True,
                example="https://prod-00.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke",
            ),
        ),
        needs=(("WEBHOOK_URL",),),
    ),
    DestinationKind(
        "GOOGLE_CHAT",
        "Google Chat",
        "chalicelib.destinations.google_chat",
        (
            Field(
                "WEBHOOK_URL",
                "The URL of a space's webhook, or a reference to it.",
                read_url,
                secret=True,
                example="https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t",
            ),
        ),
        needs=(("WEBHOOK_URL",),),
    ),
    DestinationKind(
        "DISCORD",
        "Discord",
        "chalicelib.destinations.discord",
        (
            Field(
                "WEBHOOK_URL",
                "The URL of a channel's webhook, or a reference to it.",
                read_url,
                secret=True,
                example="https://discord.com/api/webhooks/000000000000000000/xxxxxxxx",
            ),
        ),
        needs=(("WEBHOOK_URL",),),
    ),
    DestinationKind(
        "PAGERDUTY",
        "PagerDuty",
        "chalicelib.destinations.pagerduty",
        (
            Field(
                "ROUTING_KEY",
                "The integration key of a service (Events API v2), or a reference to it.",
                read_routing_key,
                secret=True,
                example="0123456789abcdef0123456789abcdef",
            ),
            Field(
                "API_URL",
                "Where events go; `https://events.eu.pagerduty.com` for the EU service region.",
                read_base_url,
                default="https://events.pagerduty.com",
                holds_url=True,
            ),
        ),
        needs=(("ROUTING_KEY",),),
        resolves=True,
    ),
    DestinationKind(
        "JSM",
        "Jira Service Management",
        "chalicelib.destinations.jsm",
        (
            Field(
                "API_KEY",
                "The key of an API integration, or a reference to it.",
                read_secret,
                secret=True,
                example="00000000-0000-0000-0000-000000000000",
            ),
            Field(
                "API_URL",
                "Where alerts go; another one for the EU or a site of one's own.",
                read_base_url,
                default="https://api.atlassian.com/jsm/ops/integration",
                holds_url=True,
            ),
        ),
        needs=(("API_KEY",),),
        resolves=True,
    ),
    DestinationKind(
        "EVENT_BUS",
        "EventBridge",
        "chalicelib.destinations.event_bus",
        (
            Field(
                "ARN",
                "The ARN of an event bus.",
                read_event_bus_arn,
                example="arn:aws:events:eu-west-1:123456789012:event-bus/security",
            ),
        ),
        needs=(("ARN",),),
    ),
    DestinationKind(
        "SECURITY_HUB",
        "Security Hub",
        "chalicelib.destinations.security_hub",
        (
            Field(
                "",
                "`true` imports alerts as findings, in the function's own account and region.",
                read_true,
                example="true",
            ),
        ),
        needs=(("",),),
        resolves=True,
    ),
)
