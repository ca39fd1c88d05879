"""Items survive DynamoDB's form, whoever wrote them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.state.codec import decode, encode

VALUES = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.binary(min_size=1),
    st.floats(min_value=-4e9, max_value=4e9).map(lambda value: round(value, 6)),
)


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_an_item_survives_the_table(item: dict[str, Any]) -> None:
    assert decode(encode(item)) == pytest.approx(item)


def test_what_is_none_is_left_out() -> None:
    assert encode({"name": None, "vpc_id": "vpc-1"}) == {"vpc_id": {"S": "vpc-1"}}


def test_a_value_of_a_type_that_is_never_written_here_is_read_all_the_same() -> None:
    assert decode({"a": {"NULL": True}, "b": {"L": [{"S": "x"}]}, "c": {"N": "1E+125"}, "d": {"B": b"\x00"}}) == {
        "a": None,
        "b": ["x"],
        "c": 10**125,
        "d": b"\x00",
    }
