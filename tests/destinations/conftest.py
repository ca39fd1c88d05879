from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver, receiver


@pytest.fixture
def inbox() -> Iterator[Receiver]:
    with receiver() as found:
        yield found
