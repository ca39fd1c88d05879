"""The templates of a fleet in infra/: their event patterns and actions, made from the catalog and the policies.

``python -m sgwatch.fleet_templates`` writes them into the files; a test holds the files to it. A stage that watches
less than everything gets a template without the rules that it has no use for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.deployment import FORWARDED, rules
from sgwatch.policies import READS_IN_MEMBERS
from sgwatch.project_source import source

FOLDER = source() / "infra"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_TEMPLATE_BYTES = 51_200


class FleetTemplate(StrEnum):
    """A template of infra/, by its file's name."""

    FORWARDER = "forwarder"
    CENTRAL_BUS = "central-bus"
    MEMBER_READ = "member-read"

    @property
    def path(self) -> Path:
        """Its file."""
        return FOLDER / f"{self}.yaml"


def filled(
    template: FleetTemplate,
    watch: Iterable[EventGroup] = DEFAULT_WATCH,
    defaults: Mapping[str, str] | None = None,
) -> str:
    """The template's text for what a stage watches; ``defaults`` are values of its parameters."""
    text = template.path.read_text(encoding="utf-8")
    for handler, pattern in _patterns(watch).items():
        text = _with_pattern(text, _logical(handler), pattern)
    text = _set(text, "  ReadRole:", "Action", sorted(READS_IN_MEMBERS), after="Sid: Read")
    for name, value in (defaults or {}).items():
        text = _with_default(text, name, value)
    return text


def _patterns(watch: Iterable[EventGroup]) -> dict[str, Mapping[str, Any] | None]:
    """Handler → its pattern; None where the stage has no such rule."""
    found = rules(watch)
    return {handler: found.get(handler) for handler in FORWARDED}


def _logical(handler: str) -> str:
    return "".join(part.capitalize() for part in FORWARDED[handler].split("-"))


def _with_pattern(text: str, name: str, pattern: Mapping[str, Any] | None) -> str:
    """The rules of this name with this pattern; without one, the template without all that belongs to them."""
    if pattern is not None:
        for logical in (f"  Forward{name}:", f"  Receive{name}:"):
            text = _set(text, logical, "EventPattern", pattern)
        return text
    for logical in (f"Forward{name}", f"{name}FailedAlarm", f"Receive{name}", f"Invoke{name}"):
        text = re.sub(rf"^  {logical}:\n(?:(?:    .*)?\n)+?(?=\S|  \S|\Z)", "", text, flags=re.MULTILINE)
    return text


def _set(text: str, resource: str, key: str, value: Any, *, after: str | None = None) -> str:
    """Write a property of one resource anew; text without that resource as it is."""
    begin = text.find(f"\n{resource}\n")
    if begin < 0:
        return text
    begin = text.index(after, begin) if after else begin
    found = re.compile(rf"^( +){key}:.*\n(?:\1 .*\n)*", re.MULTILINE).search(text, begin)
    if found is None:
        return text
    indent = found.group(1)
    dumped = yaml.safe_dump({key: _plain(value)}, sort_keys=False, width=10_000)
    lines = "".join(f"{indent}{line}\n" for line in _indented_lists(dumped))
    return text[: found.start()] + lines + text[found.end() :]


def _plain(value: Any) -> Any:
    """Without what YAML would write as references from one place to another."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _indented_lists(dumped: str) -> Iterable[str]:
    """PyYAML puts a list's dashes below its key; all of it one step further in reads as the rest of the file does."""
    first, *rest = dumped.splitlines()
    return [first, *(f"  {line}" if rest[0].startswith("-") else line for line in rest)]


def _with_default(text: str, parameter: str, value: str) -> str:
    """The template with a value for a parameter, which a stack may still be given another for."""
    lines = rf"^  {parameter}:\n(?:    .*\n)+"
    found = re.search(lines, text, re.MULTILINE)
    if found is None:
        return text
    block = re.sub(r"^    Default:.*\n", "", found.group(), flags=re.MULTILINE)
    default = yaml.safe_dump({"Default": value}, default_style='"', width=10_000).replace('"Default"', "Default")
    return text[: found.start()] + f"{block}    {default}" + text[found.end() :]


def main() -> None:
    """Write the templates."""
    for template in FleetTemplate:
        template.path.write_text(filled(template), encoding="utf-8")


if __name__ == "__main__":
    main()
