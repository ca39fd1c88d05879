"""``make docs``: what is made from code: tables of commands and events, pictures of an alert and of the packages."""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console

from chalicelib.alarm_path.check_registry import CHECKS
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.catalog import EVENTS
from chalicelib.cloudtrail.tamper_calls import TAMPER_CALLS, Scope
from chalicelib.deployment import HANDLERS
from chalicelib.destinations.slack_message import payload
from chalicelib.settings.fields import Field
from chalicelib.settings.kinds import KINDS, DestinationKind
from chalicelib.settings.table import EVERY_DESTINATION, GLOBALS
from sgwatch.__main__ import COMMANDS
from sgwatch.architecture import exceptions, imports, reduced
from sgwatch.audit_text import show
from sgwatch.commands.audit import judge_snapshot
from sgwatch.commands.preview import EXAMPLE
from sgwatch.deployability import DEPLOYER_ACTIONS
from sgwatch.frameworks import FRAMEWORKS
from sgwatch.package_picture import picture
from sgwatch.policies import STATEMENTS
from sgwatch.previews import previews

DOCS = Path(__file__).parents[1] / "docs"
# The local cloud's drawing of messages. Its files are read and not imported: that would bring in moto.
DRAWING = DOCS.parent / "localcloud"
PAGES = (
    DOCS.parent / "README.md",
    DOCS / "cli.md",
    DOCS / "settings.md",
    DOCS / "architecture.md",
    DOCS / "alarm-path.md",
    DOCS / "compliance.md",
    DOCS / "deploy.md",
)
_WIDTH, _LEFT, _LINE = 720, 32, 20
_PLAIN, _CODE = 92, 80  # characters in a line
_DOTS = {"🔴": "#d1242f", "🟠": "#e16f24", "🟡": "#d4a72c", "🔵": "#218bff", "⚪": "#8c959f", "🟢": "#2da44e"}
_DATE = re.compile(r"<!date\^")  # the reader's own time; UTC stands below it


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the picture: ``kind`` is head, bold, plain, code, small, button or gap."""

    text: str
    kind: str = "plain"
    column: int = 0


def main() -> None:
    """Draw the pictures and write the tables again."""
    record = json.loads((DOCS / "example-record.json").read_text(encoding="utf-8"))
    (DOCS / "alert.svg").write_text(draw(payload(alert_of(record))), encoding="utf-8")
    (DOCS / "packages.svg").write_text(picture(reduced(imports())), encoding="utf-8")
    (DOCS / "gallery.md").write_text(gallery(), encoding="utf-8")
    (DOCS / "alert-gallery.html").write_text(gallery_page(), encoding="utf-8")
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


def gallery() -> str:
    """A page with one alert as each destination is sent it."""
    lines = [
        "# Gallery",
        "",
        "One alert as each kind of [destination](destinations.md) shows it; all are on the [page](alert-gallery.html):",
        "",
        "[![The alert in Slack, in an e-mail, in Teams, Google Chat and Discord](gallery.png)](alert-gallery.html)",
        "",
        "And as each is sent it: what `sgwatch preview` prints, made by `make docs`. Addresses and keys are left out.",
    ]
    for item in previews(alert_of(EXAMPLE)):
        message = item.payload.get("Message")
        shown = message if isinstance(message, str) else json.dumps(item.payload, indent=2, ensure_ascii=False)
        lines += [
            "",
            f"## {item.label}",
            "",
            "```text" if isinstance(message, str) else "```json",
            shown.rstrip(),
            "```",
        ]
    return "\n".join(lines) + "\n"


def gallery_page() -> str:
    """One alert drawn as each destination shows it: a page that loads nothing."""
    page = (DRAWING / "gallery_page.html").read_text(encoding="utf-8")
    for name in ("message_drawing.css", "message_drawing.js"):
        page = page.replace(f"/* {name} */", (DRAWING / name).read_text(encoding="utf-8").rstrip())
    messages = [
        {"service": item.kind.key, "title": item.label, "accepted": True, "text": "", "payload": item.payload}
        for item in previews(alert_of(EXAMPLE))
    ]
    # https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
    return page.replace(">[]<", f">{json.dumps(messages, ensure_ascii=False).replace('<', chr(92) + 'u003c')}<")


def with_tables(text: str) -> str:
    """A page with what it has a place for: the commands that exist, the watched events."""
    commands = [f"| `{item.name}` | {item.help} |" for item in COMMANDS]
    text = _with_table(text, "commands", ["| command | what it does |", "|---|---|", *commands])
    text = _with_table(text, "events", ["| group | source | events |", "|---|---|---|", *_rows_of_events()])
    head = ["| call | of | what it touches is named by | severity by itself | undone by |", "|---|---|---|---|---|"]
    text = _with_table(text, "tamper-calls", [*head, *_rows_of_tamper_calls()])
    text = _with_table(
        text, "checks", ["| check | link | fails when | unknown when |", "|---|---|---|---|", *_checks()]
    )
    head = ["| framework | controls | evidence |", "|---|---|---|"]
    text = _with_table(text, "frameworks", [*head, *_frameworks()])
    head = ["| statement | actions | on | functions | for |", "|---|---|---|---|---|"]
    text = _with_table(text, "policies", [*head, *_policies()])
    text = _with_table(text, "deployer", _deployer())
    text = _with_table(text, "audit", _audit())
    text = _with_table(text, "exceptions", exceptions())
    text = _with_table(text, "settings", _settings((item.name, item) for item in GLOBALS))
    text = _with_table(text, "every destination", _settings((f"…_{item.name}", item) for item in EVERY_DESTINATION))
    return _with_table(text, "kinds", [line for kind in KINDS for line in _kind(kind)])


def _audit() -> list[str]:
    """What ``sgwatch audit`` prints of the example, up to its first table."""
    snapshot = read_snapshot(json.loads((DOCS / "example-snapshot.json").read_text(encoding="utf-8")))
    out = Console(file=io.StringIO(), width=100, record=True, highlight=False)
    show(out, judge_snapshot(snapshot))
    shown = out.export_text().partition("\nEvent ")[0]
    return ["```text", "$ sgwatch audit --from docs/example-snapshot.json", *shown.rstrip().splitlines(), "```"]


def _frameworks() -> Iterator[str]:
    for item in FRAMEWORKS:
        answer = f"`standards.{item.standard}` of the audit report: pass" if item.standard else item.evidence
        yield f"| {item.name} | {', '.join(item.controls)} | {answer} |"


def _deployer() -> list[str]:
    statement = {"Effect": "Allow", "Action": list(DEPLOYER_ACTIONS), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
    return ["```json", *document.splitlines(), "```"]


def _policies() -> Iterator[str]:
    for each in STATEMENTS:
        actions, resources = (", ".join(names) for names in (each.actions, each.resources))
        direct = f"where delivery is direct: {', '.join(each.direct)}" if each.direct else ""
        functions = "all" if set(each.handlers) == set(HANDLERS) else ", ".join(each.handlers)
        holders = "; ".join(filter(None, (functions, direct)))
        resources = resources.replace("{stage}", "<stage>").replace("{function}", "<function>") or "the setting's"
        yield f"| `{each.sid}` | {actions} | `{resources}` | {holders} | {each.reason} |"


def _rows_of_tamper_calls() -> Iterator[str]:
    for call in TAMPER_CALLS:
        thing = f"sgwatch's own {call.thing}" if call.scope is Scope.OWN else call.thing
        names = ", ".join(f"`{name}`" for name in call.names)
        severity = "high" if call.weakens else "medium; high where the request shows it" if call.effect else "medium"
        undo = "a command" if call.inverse else ""
        service = call.source.removesuffix(".amazonaws.com")
        yield f"| {service} {call.api_name} | {thing} | {names} | {severity} | {undo} |"


def _checks() -> Iterator[str]:
    yield from (f"| `{check.id}` | {check.link} | {check.fails} | {check.unknown} |" for check in CHECKS)


def _kind(kind: DestinationKind) -> Iterator[str]:
    ways = " or ".join(" and ".join(f"`{kind.variable(field)}`" for field in needed) for needed in kind.needs)
    yield from (f"### {kind.title}", "", f"Needs {ways}; what arrives is in [destinations](destinations.md).", "")
    yield from _settings((kind.variable(item.name), item) for item in kind.fields)
    yield ""


def _settings(items: Iterable[tuple[str, Field]]) -> list[str]:
    rows = [f"| `{name}` | {item.meaning} | {f'`{item.default}` ' if item.default else ''}|" for name, item in items]
    return ["| variable | meaning | default |", "|---|---|---|", *rows]


def _with_table(text: str, name: str, lines: list[str]) -> str:
    table = "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->"])
    return re.sub(rf"<!-- {name} -->.*<!-- /{name} -->", lambda _: table, text, flags=re.DOTALL)


def _rows_of_events() -> Iterator[str]:
    for (group, source), events in groupby(EVENTS, lambda event: (event.group, event.source)):
        names = ", ".join(
            f"{event.name} (where it sets groups)" if event.needs_groups else event.name for event in events
        )
        yield f"| `{group}` | {source} | {names} |"


def draw(message: Mapping[str, Any]) -> str:
    """The blocks of a Slack message as an SVG, about as Slack shows them."""
    y, parts = 12, []
    for line in _lines(message):
        if line.kind == "gap":
            y += 10
            continue
        y += 0 if line.column else _LINE
        parts.append(_drawn(line, y))
    height = y + 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
        "<style>text{font:14px system-ui,sans-serif;fill:#1d1c1d;white-space:pre}.head{font-size:17px;font-weight:700}"
        ".bold{font-weight:700}.code{font:12px ui-monospace,monospace}.small{font-size:12px;fill:#616061}"
        ".button{font-size:13px;font-weight:700}</style>"
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#fff" stroke="#d0d7de"/>'
        f'<rect x="14" y="14" width="4" height="{height - 28}" rx="2" fill="#d0d7de"/>{"".join(parts)}</svg>\n'
    )


def _drawn(line: Line, y: int) -> str:
    x = _LEFT + line.column * (_WIDTH - 2 * _LEFT) // 2
    text, before = line.text, ""
    if line.kind == "head" and text[:1] in _DOTS:
        before, text, x = f'<circle cx="{x + 7}" cy="{y - 6}" r="7" fill="{_DOTS[text[0]]}"/>', text[1:].strip(), x + 22
    if line.kind == "code":
        before = f'<rect x="{x - 4}" y="{y - 15}" width="{_WIDTH - 2 * _LEFT + 8}" height="{_LINE}" fill="#f3f3f3"/>'
    if line.kind == "button":
        before = (
            f'<rect x="{x}" y="{y - 17}" width="{len(text) * 8 + 16}" height="25" rx="4" fill="none" stroke="#bbb"/>'
        )
        x += 10
    return f'{before}<text x="{x}" y="{y}" class="{line.kind}">{escape(text)}</text>'


def _lines(message: Mapping[str, Any]) -> Iterator[Line]:
    for block in message["blocks"]:
        kind = block["type"]
        if kind == "header":
            yield from _wrapped(block["text"]["text"], "head", 66)
        elif kind == "actions":
            yield Line("", "gap")
            yield from (
                Line(item["text"]["text"], "button", column) for column, item in enumerate(block["elements"][:2])
            )
        elif kind == "context":
            yield from (line for item in block["elements"] for line in _wrapped(item["text"], "small", 104))
        elif "fields" in block:
            yield from _fields([item["text"] for item in block["fields"]])
        else:
            yield from _section(block["text"]["text"])
        yield Line("", "gap")


def _fields(fields: list[str]) -> Iterator[Line]:
    """Two beside each other, as Slack does."""
    for left, right in zip(fields[::2], [*fields[1::2], ""], strict=False):
        pair = [[_plain(line) for line in text.split("\n") if not _DATE.match(line)] for text in (left, right)]
        for row in range(max(map(len, pair))):
            for column, lines in enumerate(pair):
                text = lines[row] if row < len(lines) else ""
                if text or not column:
                    yield Line(text, "bold" if row == 0 else "plain", column)


def _section(text: str) -> Iterator[Line]:
    title, fence, code = text.partition("```\n")
    for line in title.strip("\n").split("\n"):
        bold = line.startswith("*") and line.endswith("*")
        yield from _wrapped(_plain(line), "bold" if bold else "plain", _PLAIN)
    if fence:
        for line in code.removesuffix("```").rstrip("\n").split("\n"):
            yield from _wrapped(line, "code", _CODE)


def _plain(text: str) -> str:
    """Slack's markup taken away."""
    return text.strip("*").strip("`").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _wrapped(text: str, kind: str, width: int) -> Iterator[Line]:
    yield from (
        Line(part, kind)
        for part in textwrap.wrap(text, width, subsequent_indent="  " if text.startswith("•") else "") or [""]
    )


if __name__ == "__main__":
    main()
