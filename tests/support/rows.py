"""One test for a table of facts. Each row is tried; the failure names every row that is wrong.

pytest takes two to four milliseconds over a test, in which a hundred rows of a table are tried.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import pytest

Check = Callable[..., None]
SHOWN = 10


def every(
    names: str | tuple[str, ...],
    rows: Iterable[Any],
    *,
    ids: Iterable[str] | Callable[[Any], str] | None = None,
) -> Callable[[Check], Check]:
    """Call a test with each row, as ``pytest.mark.parametrize`` does, but within one test.

    What one row leaves in a fixture the next one finds there: for tests that need none anew.
    """
    table = list(rows)
    named = (names,) if isinstance(names, str) else names

    def decorate(check: Check) -> Check:
        @wraps(check)
        def tried(**fixtures: Any) -> None:
            assert table, "a table without rows holds nothing"
            wrong: dict[int, BaseException] = {}
            for number, row in enumerate(table):
                values = (row,) if isinstance(names, str) else row
                try:
                    check(**dict(zip(named, values, strict=True)), **fixtures)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised below, with its row's name
                    wrong[number] = error
            if wrong:
                labels = _labels(table, ids)
                report = _report({labels[number]: error for number, error in wrong.items()})
                first = next(iter(wrong.values()))
                raise AssertionError(f"{len(wrong)} of {len(table)} rows are wrong\n{report}") from first

        signature = inspect.signature(check)
        left = [parameter for name, parameter in signature.parameters.items() if name not in named]
        tried.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return tried

    return decorate


def _labels(table: list[Any], ids: Iterable[str] | Callable[[Any], str] | None) -> list[str]:
    """A name for each row; where two would share one, each has its number."""
    name = repr if ids is None else ids
    given = [name(row) for row in table] if callable(name) else list(name)
    return [label if given.count(label) == 1 else f"{label} (row {number})" for number, label in enumerate(given)]


def _report(wrong: dict[str, BaseException]) -> str:
    shown = [f"{label[:300]}: {type(error).__name__}: {error}" for label, error in list(wrong.items())[:SHOWN]]
    others = [label[:300] for label in list(wrong)[SHOWN:]]
    return "\n".join([*shown, *(["and", *others] if others else [])])
