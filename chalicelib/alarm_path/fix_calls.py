"""A call of AWS's API as a value: what ``repair`` makes with an SDK, and what a fix prints for the AWS CLI.

The command is quoted for a POSIX shell and is printable ASCII whatever its parameters hold. The AWS CLI reads files and
URLs that a value names (``file://…``), so what is not plain goes in as JSON, where it stays text.
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import join, quote
from typing import Any

from chalicelib.aws.arns import resource_name

OWN_PREFIX = "sgwatch-"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9/][\w.:/@+=,*-]*", re.ASCII)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMES = ("filterName", "AlarmName", "AlarmNames", "Name", "TrailName", "TopicArn", "SubscriptionArn", "FunctionName")
# What the AWS CLI calls otherwise than the API does.
_CLI_SERVICES = {"s3": "s3api"}
_CLI_NAMES = {("sns", "Endpoint"): "notification-endpoint"}
# What AWS says of a filter, an alarm, a composite alarm or a mute rule and does not take.
_NOT_PUT = re.compile(
    r"creationTime|AlarmArn|AlarmMuteRuleArn|State.*|AlarmConfigurationUpdatedTimestamp|EvaluationState|"
    r"ActionsSuppressedBy|ActionsSuppressedReason|Status|LastUpdatedTimestamp|MuteType"
)


@dataclass(frozen=True, slots=True)
class FixCall:
    """One call. ``asks`` is a parameter that a person has to give, with the words to ask for it."""

    service: str
    action: str
    region: str
    parameters: Mapping[str, Any]
    why: str = ""
    undo: FixCall | None = None
    asks: tuple[str, str] | None = None

    @property
    def own(self) -> bool:
        """Whether it changes only what bears sgwatch's own name."""
        found = next((self.parameters[key] for key in _NAMES if key in self.parameters), ())
        names = [found] if isinstance(found, str) else list(found)
        return bool(names) and all(_base_name(str(name)).startswith(OWN_PREFIX) for name in names)

    @property
    def printable(self) -> bool:
        """Whether there is a command for it: nothing else is a region's name."""
        return _REGION.fullmatch(self.region) is not None

    def command(self, profile: str | None = None) -> str:
        """The call for a POSIX shell with the AWS CLI."""
        words = ["aws", _CLI_SERVICES.get(self.service, self.service), _kebab(self.action), "--region", self.region]
        words += ["--profile", profile] if profile else []
        options = list(self._options())
        plain = [word for option in options if option is not None for word in option]
        whole = None in options
        words += ["--cli-input-json", json.dumps(dict(self.parameters))] if whole else plain
        if self.asks is None:
            return join(words)
        name, question = self.asks
        option = _CLI_NAMES.get((self.service, name), _kebab(name))
        asked = f"printf '%s' {quote(question)} >&2 && read -r answer"
        return f'{asked} && {join(words)} --{option} "$answer"'

    def _options(self) -> Iterator[list[str] | None]:
        """Each parameter as words of the command line; None for one that has to be JSON."""
        for name, value in self.parameters.items():
            option = _CLI_NAMES.get((self.service, name), _kebab(name))
            items = value if isinstance(value, list) else [value]
            if isinstance(value, bool):
                yield [f"--{option}" if value else f"--no-{option}"]
            elif items and all(_is_plain(item) for item in items):
                yield [f"--{option}", *map(str, items)]
            else:
                yield None


def _is_plain(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return True
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return False
    if value.startswith("{"):
        return True
    return _PLAIN.fullmatch(value) is not None and "://" not in value


def _base_name(name: str) -> str:
    return resource_name(name).partition(":")[0]


def _kebab(name: str) -> str:
    return _HUMP.sub("-", name).lower()


def snake(action: str) -> str:
    """An API action as boto3 names its method."""
    return _kebab(action).replace("-", "_")


def script(calls: tuple[FixCall, ...], profile: str | None = None) -> str | None:
    """The calls as one line for a shell, each made only where the one before succeeded; None where there are none."""
    if not calls or not all(call.printable for call in calls):
        return None
    return " && ".join(call.command(profile) for call in calls)


def accepted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an item that AWS takes when it is put again."""
    return {key: value for key, value in raw.items() if not _NOT_PUT.fullmatch(key) and (key, value) != ("Metrics", [])}
