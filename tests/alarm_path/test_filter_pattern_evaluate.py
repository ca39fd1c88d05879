from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.regex import compile_regex, example
from tests.support.examples import examples
from tests.support.rows import every

YES, NO, UNKNOWN = Verdict.MATCH, Verdict.NO_MATCH, Verdict.UNKNOWN
RECORD: dict[str, Any] = {
    "eventName": "CreateSecurityGroup",
    "address": "111.111.111.111",
    "empty": "",
    "whole": 123,
    "half": 12.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "digits": "0123",
    "list": ["value", "another value"],
    "matrix": [[0, 1], [2, 3]],
    "object": {"inside": "x"},
    "items": [{"id": 1}, {"id": 2}],
    "a.b": "dotted",
}

ANSWERS = [
    # Strings: wildcards at the ends only.
    ('$.eventName = "Create*"', YES),
    ("$.eventName = *Group", YES),
    ("$.eventName = *Security*", YES),
    ('$.eventName = "Create*Group"', NO),
    ('$.eventName != "Create*Group"', YES),
    ("$.eventName = createsecuritygroup", NO),
    ("$.empty = *", YES),
    ('$.empty = ""', YES),
    ("$.address = *.111.111.111", YES),
    ("$.address = *111.111.111", UNKNOWN),
    # A field that is missing, null, an array or an object meets no comparison.
    ("$.missing = *", NO),
    ("$.missing != x", NO),
    ("$.nothing != x", NO),
    ("$.object != x", NO),
    ("$.list != x", NO),
    ("$.object.inside.deeper != x", NO),
    # Numbers.
    ("$.whole = 123.0", YES),
    ('$.whole = "123.0"', NO),
    ('$.whole = "123"', YES),
    ("$.whole = 1*", YES),
    ("$.whole != 1*3", UNKNOWN),
    ("$.whole != 4*5", YES),
    ("$.whole > +122", YES),
    ("$.whole < 12e1", NO),
    ("$.half >= 12.5", YES),
    ("$.eventName > 1", NO),
    ("$.yes > 0", NO),
    ("$.digits = 0123", YES),
    ("$.digits = 123", UNKNOWN),
    ("$.digits != 124", YES),
    # Booleans and presence.
    ("$.yes IS TRUE", YES),
    ("$.no IS TRUE", NO),
    ("$.no IS FALSE", YES),
    ("$.whole IS TRUE", NO),
    ("$.nothing IS NULL", YES),
    ("$.missing IS NULL", NO),
    ("$.missing NOT EXISTS", YES),
    ("$.missing.deeper NOT EXISTS", YES),
    ("$.nothing NOT EXISTS", NO),
    ("$.yes = true", UNKNOWN),
    ("$.yes = false", NO),
    ("$.yes != false", UNKNOWN),
    ("$.yes = *", YES),
    ("$.yes is TRUE", UNKNOWN),
    ("$.no is TRUE", NO),
    # Selectors.
    ("$.list[0] = value", YES),
    ("$.list[7] = value", NO),
    ("$.eventName[0] = C", NO),
    ("$.matrix[1][0] = 2", YES),
    ("$.list[*] = value", YES),
    ("$.items[*].id = 2", YES),
    ("$.items[*].id != 3", YES),
    ("$.items[*].id != 2", UNKNOWN),
    ("$.* = CreateSecurityGroup", YES),
    ("$.['a.b'] = dotted", YES),
    ("$.a.b = dotted", NO),
    ('$["eventName"] = CreateSecurityGroup', UNKNOWN),
    ('$["missing"] = CreateSecurityGroup', NO),
    # Regular expressions.
    ("$.eventName = %Security%", YES),
    ("$.eventName = %^Security%", NO),
    ("$.eventName = %Group$%", YES),
    ("$.eventName != %Delete%", UNKNOWN),
    ("$.missing = %.*%", NO),
    # Characters that need quotes, without them.
    ("$.address = 10.0.0.0/8", NO),
    ("$.address != 10.0.0.0/8", UNKNOWN),
    ("$.missing = 10.0.0.0/8", NO),
    # One doubtful clause makes every match doubtful, for AWS may refuse the whole filter.
    ("$.eventName = CreateSecurityGroup || $.missing = a:b", UNKNOWN),
    ("$.eventName = Other && $.address = a:b", NO),
]


@every(("condition", "verdict"), ANSWERS)
def test_a_json_condition_is_answered(condition: str, verdict: Verdict) -> None:
    assert matches(parse(f"{{ {condition} }}"), RECORD) is verdict


@every(
    ("pattern", "verdict"),
    [
        ("", YES),
        ('" "', YES),
        (" ", UNKNOWN),
        ("CreateSecurityGroup", YES),
        ("CreateSecurityGroup DeleteSecurityGroup", NO),
        ("createSecurityGroup", NO),
        ('"\\"eventName\\":\\"CreateSecurityGroup\\""', YES),
        ('"\\"eventName\\": \\"CreateSecurityGroup\\""', NO),
        ("?Nowhere ?CreateSecurityGroup", YES),
        ("?Nowhere ?Neither", NO),
        ("?Nowhere CreateSecurityGroup", YES),
        ("?Nowhere -Neither", UNKNOWN),
        ("?CreateSecurityGroup -Neither", YES),
        ("-CreateSecurityGroup", NO),
        ("-Neither", YES),
        ("%Create[A-Z]%", YES),
        ("%Delete[A-Z]%", NO),
        ("[a, b=nothing, c]", NO),
        ("[..., a=*Security*]", UNKNOWN),
    ],
)
def test_a_pattern_on_text_is_answered(pattern: str, verdict: Verdict) -> None:
    assert matches(parse(pattern), RECORD) is verdict


VALUES: list[Any] = ["a", "ab", "ba", "", "1", 1, 1.0, 2, None, {}, [], {"b": "a"}, ["a", 1]]
LITERALS = ["a", "a*", "*a", "*a*", "*", '"1"', "1", "2.0", '"ab"']


def reference(path: str, operator: str, literal: str, record: dict[str, Any]) -> bool:
    """The documented comparison, written the long way round."""
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    if not isinstance(value, str | int | float):
        return False
    bare = literal.strip('"')
    if literal == bare and re.fullmatch(r"[0-9.]+", bare) and not isinstance(value, str):
        same = float(value) == float(bare)
    else:
        expression = ".*".join(re.escape(part) for part in bare.split("*"))
        same = re.fullmatch(expression, str(value)) is not None
    return same is (operator == "=")


leaf = st.tuples(st.sampled_from(["a", "b", "a.b"]), st.sampled_from(["=", "!="]), st.sampled_from(LITERALS))


@given(
    st.lists(st.lists(leaf, min_size=1, max_size=3), min_size=1, max_size=3),
    st.fixed_dictionaries({}, optional={"a": st.sampled_from(VALUES), "b": st.sampled_from(VALUES)}),
)
@settings(max_examples=examples(1500), deadline=None)
def test_the_evaluator_agrees_with_a_brute_force_reference(
    groups: list[list[tuple[str, str, str]]], record: dict[str, Any]
) -> None:
    text = " || ".join(
        " && ".join(f"$.{path} {operator} {value}" for path, operator, value in group) for group in groups
    )
    expected = any(all(reference(*clause, record) for clause in group) for group in groups)
    verdict = matches(parse(f"{{ {text} }}"), record)
    # A number in a text that is equal but written otherwise ("1" against 1.0) is not known; nothing else here is.
    assert verdict is Verdict.of(expected)


atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\x61", "\\."])
quantified = st.tuples(atoms, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}"])).map("".join)
rows = st.lists(quantified, min_size=1, max_size=4).map("".join)
anchored = st.tuples(st.sampled_from(["", "^"]), rows, st.sampled_from(["", "$"])).map("".join)


@given(st.lists(anchored, min_size=1, max_size=2).map("|".join), st.text(alphabet="abc1.", max_size=8))
@settings(max_examples=examples(1500), deadline=None)
def test_a_regular_expression_finds_what_pythons_does(source: str, text: str) -> None:
    compiled = compile_regex(source)
    assert not compiled.doubtful
    assert compiled.found_in(text) == (re.search(source, text, re.ASCII) is not None)
    found = example(source)
    assert found is None or compiled.found_in(found)


@pytest.mark.parametrize("source", ["*a", "a**", "a+?", "", "a||b", "{2}", "]", "a{9999}" * 3])
def test_an_expression_without_documented_meaning_is_unknown(source: str) -> None:
    assert matches(parse(f"{{ $.eventName = %{source}% }}"), RECORD) is UNKNOWN


def test_a_regular_expression_does_not_backtrack_without_bound() -> None:
    assert not compile_regex("a*" * 400 + "b").found_in("a" * 3000)
    assert not compile_regex(".*" * 500 + "!".replace("!", "x")).found_in("a" * 3000)
