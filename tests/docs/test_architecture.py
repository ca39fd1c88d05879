"""docs/architecture.md describes every package, and its diagram has no circle."""

from __future__ import annotations

import re

from sgwatch.architecture import exceptions, imports, reduced
from sgwatch.docs import DOCS
from tests.support.rows import every

PAGE = (DOCS / "architecture.md").read_text()


@every("package", imports())
def test_every_package_has_a_row(package: str) -> None:
    assert f"\n| `{package}` |" in PAGE


def test_every_row_is_of_a_package() -> None:
    assert set(re.findall(r"\n\| `(\w+)` \|", PAGE)) == set(imports())


def test_an_arrow_that_a_longer_way_implies_is_left_out() -> None:
    assert reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_the_top_of_the_deployed_code_has_at_most_19_rooms() -> None:
    assert len(imports()) <= 19


def test_errors_are_drawn_under_their_bases() -> None:
    drawn = exceptions()
    place = [line.strip().partition(":")[0] for line in drawn]
    assert place.index("Exception") < place.index("DeliveryError") < place.index("ValueError")
    assert place.index("ValueError") < place.index("SettingsError")
