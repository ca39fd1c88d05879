from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.syntax import (
    And,
    AnyElement,
    AnyValue,
    Compare,
    Expression,
    Index,
    Is,
    JsonPattern,
    Name,
    NotExists,
    Number,
    Or,
    Regex,
    Selector,
    SelectorStep,
    Text,
)
from chalicelib.alarm_path.patterns.syntax import conditions as conditions_of
from chalicelib.alarm_path.patterns.to_text import render
from tests.support.examples import examples
from tests.support.rows import every

REFUSED = {
    "{ $.eventName == a }": ("== is not an operator", 15),
    "{ $.eventName = “a” }": ("typographic quotes", 16),
    "{ $.eventName = 'a' }": ("single quotes", 16),
    "{ $.a = b AND $.c = d }": ("write &&", 10),
    "{ $.a = b OR $.c = d }": ("write ||", 10),
    "{ $.a = b | $.c = d }": ("a single |", 10),
    "{ $.a = b & $.c = d }": ("a single &", 10),
    "{ ($.a = b || $.c = d }": (") is missing", 2),
    "{ $.a = b) }": ("has no (", 9),
    "{ $.a EXISTS }": ("EXISTS alone", 6),
    "{ $.a IS NOT NULL }": ("IS NOT", 9),
    "{ $.a NOT NULL }": ("EXISTS is expected", 10),
    "{ $.a = Failed authentication }": ("quote a value", 15),
    "{ $.a = \\$b }": ("\\", 8),
    "{ $.a > b }": ("is not one", 8),
    '{ $.a >= "1" }': ("without quotes", 9),
    "{ $.a = }": ("a value is expected", 8),
    "{ $.a[*].b[*] = c }": ("only one wildcard", 2),
    "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }": ("at most three", 0),
    "{ $.a = %x% || $.b = %x% || $.c = %x% }": ("at most two", 0),
    "{ $.a = %a(b)% }": ("parentheses", 10),
    "{ $.a = %a!% }": ("'!'", 10),
    "{ $.a\n .b = c }": ("an operator is expected", 7),
    "{ $.a/b = c }": (".['name']", 5),
    "{ a = b }": ("a selector", 2),
    "{ }": ("a selector", 2),
    "{}": ("a selector", 1),
    "{ $.a = b": ("must end with }", 9),
    "{ $.a = b } ": ("no blank outside", 11),
    " { $.a = b }": ("no blank outside", 0),
    "{ $.a = b } }": ("goes on after", 11),
    '{ $.a = "b }': ("never closed", 8),
    "{ ($.a = b) /* c */ }": ("&&, ||", 12),
    "{ ($.a = b)($.c = d) }": ("&&, ||", 11),
    "$.eventName = X": ("between { and }", 0),
    "eventName=X": ("separated by blanks", 9),
    "*SecurityGroup*": ("double quotes", 0),
    "[a, b": ("must end with ]", 5),
    "[ip, status_code = 4* && bytes > 1000]": ("one field, here status_code", 25),
    "x" * 1025: ("at most 1024", 1024),
}


@every(("text", "said"), REFUSED.items())
def test_what_aws_refuses_is_an_error_at_its_place(text: str, said: tuple[str, int]) -> None:
    with pytest.raises(FilterPatternError) as caught:
        parse(text)
    assert said[0] in caught.value.reason
    assert caught.value.position == said[1]
    assert caught.value.aws.startswith("InvalidParameterException")


def test_a_regular_expression_that_aws_refuses_is_named_as_the_term() -> None:
    with pytest.raises(FilterPatternError) as caught:
        parse("{ $.a = %a(b)% }")
    assert caught.value.aws == "InvalidParameterException: Invalid character(s) in term '%a(b)%'"


def test_the_caret_stands_under_the_offending_place_on_its_line() -> None:
    with pytest.raises(FilterPatternError) as caught:
        parse("{\n  ($.eventName = A) ||\n  ($.eventName == B)\n}")
    assert caught.value.caret() == "  ($.eventName == B)\n                ^"
    assert (caught.value.line, caught.value.column) == (3, 17)


def test_the_caret_of_a_long_line_stays_within_80_columns() -> None:
    with pytest.raises(FilterPatternError) as caught:
        parse("{ " + " || ".join(f"($.eventName = Name{number})" for number in range(20)) + " | $.a = b }")
    line, caret = caught.value.caret().split("\n")
    assert len(line) <= 78
    assert line[caret.index("^")] == "|"


def test_the_caret_stands_right_behind_wide_and_combining_characters() -> None:
    with pytest.raises(FilterPatternError) as caught:
        parse('{ $.a = "日本e\u0301" || $.b == 1 }')
    _, caret = caught.value.caret().split("\n")
    assert caret == " " * len('{ $.a = "????e" || $.b =') + "^"


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Compare(Selector((Name(name),)), "=", Number("1")) for name in "abc")
    assert parse("{ $.a = 1 || $.b = 1 && $.c = 1 }") == JsonPattern(Or((a, And((b, c)))))
    assert parse("{ ($.a = 1 || $.b = 1) && $.c = 1 }") == JsonPattern(And((Or((a, b)), c)))


def test_blanks_line_ends_and_redundant_parentheses_do_not_matter() -> None:
    plain = parse("{ $.a = 1 || $.b NOT EXISTS }")
    assert parse("{(($.a=1)||\r\n\t(($.b  NOT\nEXISTS)))}") == plain


def test_five_hundred_nested_parentheses_are_read() -> None:
    assert parse("{" + "(" * 500 + "$.a=1" + ")" * 500 + "}") == parse("{ $.a = 1 }")


@given(st.text(alphabet=st.sampled_from(list("{}[]()$.=!<>&|%*\"'\\ \nabIS NOT0159+-e?,:/@^“…é")), max_size=60))
@settings(max_examples=examples(1500), deadline=None)
def test_no_text_raises_anything_but_a_filter_pattern_error(text: str) -> None:
    carets: list[str] = []
    for candidate in (text, "{" + text + "}", "{ $.a = " + text + " }", "[" + text + "]", "%" + text + "%"):
        try:
            pattern = parse(candidate)
        except FilterPatternError as error:
            carets.append(error.caret())
        else:
            assert parse(render(pattern)) == pattern
    assert all(caret.endswith("^") for caret in carets)


names = st.one_of(st.text(alphabet="abZ_-9", min_size=1, max_size=4), st.sampled_from(["cluster.name", "a b", "é"]))
any_step: st.SearchStrategy[SelectorStep] = st.one_of(
    names.map(Name), st.integers(0, 20).map(Index), st.just(AnyElement()), st.just(AnyValue())
)
selectors = st.lists(any_step, min_size=1, max_size=3).map(lambda found: Selector(tuple(found)))
texts = st.one_of(
    st.text(max_size=8).map(lambda text: Text(text, quoted=True)),
    st.text(alphabet="abc.*-_:/@", min_size=1, max_size=8)
    .filter(lambda text: text != "-")
    .map(lambda text: Text(text, quoted=False)),
)
numbers = st.sampled_from(["1", "+10", "-3.5", "10e-3", "0"]).map(Number)
conditions = st.one_of(
    st.builds(Compare, selectors, st.sampled_from(["=", "!="]), st.one_of(texts, numbers)),
    st.builds(Compare, selectors, st.sampled_from(["<", ">", "<=", ">="]), numbers),
    st.builds(Is, selectors, st.sampled_from([("IS", "NULL"), ("IS", "TRUE"), ("is", "False")])),
    st.builds(NotExists, selectors, st.sampled_from([("NOT", "EXISTS"), ("not", "exists")])),
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: Or(tuple(items))),
    ),
    max_leaves=8,
)


@given(expressions.map(JsonPattern))
@settings(max_examples=examples(500), deadline=None)
def test_a_printed_pattern_parses_to_the_same_tree(pattern: JsonPattern) -> None:
    text = render(pattern)
    found = conditions_of(pattern.expression)
    over = any(sum(isinstance(step, AnyElement | AnyValue) for step in one.selector.steps) > 1 for one in found)
    if len(text) <= 1024 and not over and sum(one.selector.has_wildcard for one in found) <= 3:
        assert parse(text) == pattern


def test_a_pattern_near_the_limit_is_printed_within_it() -> None:
    text = "{" + "||".join(["$.a=b"] * 140) + "}"
    assert len(render(parse(text))) <= 1024
    assert parse(render(parse(text))) == parse(text)


def test_a_thousand_hostile_characters_are_read_or_refused() -> None:
    for text in (
        "{" + "(" * 1023,
        '{ $.a = "' + "\\\\" * 500 + '\\" }',
        "%" + "a{999}" * 170 + "%",
        "{" + "$.a=%" * 200 + "}",
    ):
        with contextlib.suppress(FilterPatternError):
            tree = parse(text)
            assert parse(render(tree)) == tree


@pytest.mark.parametrize("text", ["%% ", "%a% ", "%a% %b%", " %a%"])
def test_terms_that_are_regular_expressions_stay_terms(text: str) -> None:
    assert parse(render(parse(text))) == parse(text)


def test_quotes_are_kept_because_they_change_the_meaning() -> None:
    assert parse('{ $.a = "1" }') != parse("{ $.a = 1 }")
    assert parse("{ $.a = %x{2}% }") == JsonPattern(Compare(Selector((Name("a"),)), "=", Regex("x{2}")))
