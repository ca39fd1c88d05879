"""The one test of a table: each row is tried, and each that is wrong is named."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.support.rows import every


def test_every_wrong_row_is_named_with_what_is_wrong() -> None:
    tried = []

    @every("number", [1, 2, 3, 4], ids=["one", "two", "three", "four"])
    def check(number: int) -> None:
        tried.append(number)
        assert number % 2 == 0, f"{number} is odd"

    with pytest.raises(AssertionError, match=r"(?s)2 of 4 rows are wrong\none: .*1 is odd.*\nthree: .*3 is odd"):
        check()
    assert tried == [1, 2, 3, 4]


def test_an_error_that_is_missing_is_a_wrong_row() -> None:
    @every("text", ["1", "x"])
    def check(text: str) -> None:
        with pytest.raises(ValueError, match="invalid"):
            int(text)

    with pytest.raises(AssertionError, match=r"1 of 2 rows are wrong\n'1': Failed"):
        check()


def test_rows_of_two_tables_are_tried_with_each_other_and_named_together() -> None:
    @every("left", [1, 2], ids=str)
    @every("right", [3, 4], ids=str)
    def check(left: int, right: int) -> None:
        assert (left, right) != (2, 3)

    with pytest.raises(AssertionError, match=r"(?s)1 of 2 rows are wrong\n2: AssertionError: 1 of 2 rows.*\n3: "):
        check()


def test_the_names_of_rows_beyond_those_that_are_shown_are_there() -> None:
    @every("number", range(30), ids=lambda number: f"row-{number}")
    def check(number: int) -> None:
        raise AssertionError("wrong")

    with pytest.raises(AssertionError) as caught:
        check()
    assert all(f"row-{number}" in str(caught.value).replace(":", "").split() for number in range(30))


def test_rows_of_one_name_are_distinguished_by_their_number() -> None:
    @every("number", [1, 1], ids=str)
    def check(number: int) -> None:
        raise AssertionError("wrong")

    with pytest.raises(AssertionError, match=r"(?s)1 \(row 0\).*1 \(row 1\)"):
        check()


def test_a_table_without_rows_fails() -> None:
    @every("row", [])
    def check(row: object) -> None:
        raise AssertionError("no row is tried")

    with pytest.raises(AssertionError, match="holds nothing"):
        check()


@every(("first", "second"), [(1, 1), (2, 2)])
def test_fixtures_are_given_beside_the_row(first: int, second: int, tmp_path: Path) -> None:
    assert first == second
    assert tmp_path.is_dir()


def test_pytest_sees_the_fixtures_alone() -> None:
    assert list(inspect.signature(test_fixtures_are_given_beside_the_row).parameters) == ["tmp_path"]
