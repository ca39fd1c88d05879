"""What is said of conditions that can never be true, and what those that can make of an alert, word for word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.filters import Condition, ConditionFailed, Filter, compile_condition
from chalicelib.security_groups.severity import Severity
from tests.support import records as r
from tests.support.goldens import check_golden

ALERT = alert_of(r.authorize(r.world(), group={"groupId": r.GROUP_ID, "groupName": "web"}))
CONDITIONS = (
    *(
        "severity == 'critical'",
        'severity == "critical"',
        'severity == `"low"`',
        "account.id",
        "account.nam",
        "account",
        "!account.name",
    ),
    *(
        "!(account.name)",
        "security_group.tags.team == 'edge'",
        'security_group.tags."aws:x".y',
        "security_group.tag",
        "nothing",
        "a.b",
    ),
    *(
        "security_group.attached.interfaces[0]",
        "security_group.attached.interface",
        "principal.name.first",
        "changes.added[].direction",
    ),
    *(
        "changes.added[].peer.value",
        "changes.added.peer",
        "changes.added[0].peers",
        "exposures[].controls[]",
        "exposures[0].control",
    ),
    *(
        "contains(exposures[].controls[], 'EC2.19')",
        "contain(title, 'x')",
        "length(title) > `10`",
        "length(account.name)",
        "abs(title)",
    ),
    *(
        "changes.added[?peer.type == 'ipv4'] | [0].from_port",
        "changes.added[?peers]",
        "*.id",
        "account.*",
        "[title, severity]",
        "{a: title, b: a}",
    ),
    *(
        "{a: titles}",
        "event.name || event.source",
        "event.name && event.nam",
        "max_by(changes.added, &from_port).id",
        "sort_by(exposures, &rule.x)",
    ),
    *(
        "to_string(@)",
        "@",
        "`true`",
        "''",
        "title[",
        "",
        "(",
        "changes.added[].tags",
        "prefix_list.added[].cidr",
        "prefix_list.used_by[].group_id",
    ),
    *(
        "alarm_path.findings[].check",
        "undo.commands[0]",
        "undo.commands.first",
        "undo.reason.x",
        "version == '1'",
        "version.x",
        "changes.before_known",
    ),
    *(
        "attachment.groups_after[0]",
        "not_null(account.name, account.id)",
        "join('', [severity, kind])",
        "title | severity",
        "changes | added[0].id",
    ),
    *(
        "security_group.tags",
        "security_group.tags.a.b.c",
        "tags.x",
        "!severity",
        "!(severity == 'low')",
        "changes.added[*].peer.account_id",
    ),
)


def said(text: str) -> str:
    try:
        condition = compile_condition(text)
    except ValueError as error:
        return str(error)
    try:
        holds = condition.holds(ALERT)
    except ConditionFailed as error:
        return f"fails: {error}"
    return f"{holds}: {condition.value(ALERT)!a:.120}"


def test_conditions_word_for_word() -> None:
    lines = [f"== {text}\n  {said(text)}" for text in CONDITIONS]
    check_golden(Path("alerts") / "conditions.txt", "\n".join(lines) + "\n")


def paths(schema: dict[str, Any], root: dict[str, Any], at: str = "") -> Iterator[str]:
    """Every path that the published schema has."""
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "$ref" in part:
            yield from paths(root["$defs"][part["$ref"].rpartition("/")[2]], root, at)
        for name, inner in part.get("properties", {}).items():
            yield f"{at}.{name}".lstrip(".")
            yield from paths(inner, root, f"{at}.{name}")
        if isinstance(part.get("items"), dict):
            yield from paths(part["items"], root, f"{at}[]")


def test_every_path_of_the_published_schema_may_be_read() -> None:
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "alert.v1.json").read_text())
    found = sorted(set(paths(schema, schema)))
    assert {"alarm_path.findings[].check", "changes.modified[].before.peer.value", "exposures[].rule.id"} <= set(found)
    for path in found:
        compile_condition(path)


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_jmespath_takes_for_false_holds_nothing(value: object) -> None:
    assert not Condition("x", lambda _: value).holds(ALERT)


@pytest.mark.parametrize("value", [0, 0.0, True, "x", [0], {"a": 0}])
def test_what_jmespath_takes_for_true_holds(value: object) -> None:
    assert Condition("x", lambda _: value).holds(ALERT)


def test_a_condition_that_fails_refuses_nothing_by_itself() -> None:
    def fail(_: object) -> object:
        raise ArithmeticError

    broken = Condition("broken", fail)
    assert broken.value(ALERT) is None
    with pytest.raises(ConditionFailed, match="broken"):
        broken.holds(ALERT)


def test_a_filter_refuses_by_severity_and_then_by_its_condition() -> None:
    never, always = compile_condition("`false`"), compile_condition("`true`")
    medium = ALERT._replace(severity=Severity.MEDIUM)
    filters = [
        Filter(),
        Filter(Severity.MEDIUM),
        Filter(Severity.HIGH, always),
        Filter(when=never),
        Filter(when=always),
    ]
    assert [each.refusal(medium) for each in filters] == [None, None, "MIN_SEVERITY", "WHEN", None]
