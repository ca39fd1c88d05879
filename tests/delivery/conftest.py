"""Durable delivery on a fresh moto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.durable import World, world


@pytest.fixture
def durable() -> Iterator[World]:
    with world() as made:
        yield made
