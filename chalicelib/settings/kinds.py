"""The kinds of destination: the one table from which settings, builders, docs and the contract tests follow.

A new kind is one row here, one module with a ``build`` function in destinations/, one receiver in
localcloud/receivers/ and one section in docs/destinations.md; a test names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chalicelib.settings.fields import (
    Field,
    choice,
    read_signing_secrets,
    read_slack_url,
    read_topic_arn,
    read_url,
)


class DestinationKind(NamedTuple):
    """A kind of destination: ``<KIND>_<FIELD>`` and ``<KIND>__<NAME>__<FIELD>``.

    ``module`` has ``build(name, values, tools)`` (destinations/contract.py) and is imported only where a
    destination of the kind is used. ``needs`` are the sets of fields of which one has to be given whole.
    """

    prefix: str
    title: str
    module: str
    fields: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]

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
        (Field("WEBHOOK_URL", "The URL of an incoming webhook, or a reference to it.", read_slack_url, secret=True),),
        needs=(("WEBHOOK_URL",),),
    ),
    DestinationKind(
        "SNS",
        "SNS",
        "chalicelib.destinations.sns",
        (
            Field("TOPIC_ARN", "The ARN of a topic, standard or FIFO.", read_topic_arn),
            Field(
                "FORMAT",
                "What is published: `text` for people, `json` for programs.",
                choice(("text", "json")),
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
            Field("URL", "Where the alert is sent as JSON, or a reference to it.", read_url, secret=True),
            Field(
                "SECRET",
                "Signs what is sent, as Standard Webhooks describes: `whsec_` and base64, or a reference to it; two "
                "with a blank between while one replaces the other.",
                read_signing_secrets,
                secret=True,
            ),
            Field("FORMAT", "What is sent: `alert`, the alert's own JSON.", choice(("alert",)), default="alert"),
        ),
        needs=(("URL",),),
    ),
)
