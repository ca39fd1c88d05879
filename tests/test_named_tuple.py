"""Records behave as those of ``typing.NamedTuple`` do, in all that Python documents of them."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from collections.abc import Callable

import pytest

from chalicelib.named_tuple import NamedTuple


class Ours(NamedTuple):
    """A record."""

    name: str
    ports: tuple[int, ...]
    note: str | None = None
    size: int = 2

    @property
    def total(self) -> int:
        return self.size * len(self.ports)


class Typings(typing.NamedTuple):
    """A record."""

    name: str
    ports: tuple[int, ...]
    note: str | None = None
    size: int = 2

    @property
    def total(self) -> int:
        return self.size * len(self.ports)


def test_a_record_reads_compares_and_changes_as_one_of_typing_does() -> None:
    same: tuple[Callable[[typing.Any], object], ...] = (
        lambda kind: tuple(kind("a", (1, 2))),
        lambda kind: repr(kind("a", (1, 2), size=3)).removeprefix(kind.__name__),
        lambda kind: kind(ports=(1,), name="a") == ("a", (1,), None, 2),
        lambda kind: hash(kind("a", ())),
        lambda kind: tuple(kind("a", ())._replace(note="b", size=1)),
        lambda kind: kind("a", ())._asdict(),
        lambda kind: tuple(kind._make(["a", (), None, 1])),
        lambda kind: (kind("a", (1, 2)).total, kind("a", ()).note, kind("a", ()).size),
        lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__, typing.get_type_hints(kind)),
        lambda kind: (kind.__doc__, kind.__module__, issubclass(kind, tuple)),
        lambda kind: [*inspect.signature(kind).parameters],
        lambda kind: kind("a", (1,)) < kind("b", ()),
    )
    assert [question(Ours) for question in same] == [question(Typings) for question in same]


def test_a_record_is_refused_as_one_of_typing_is() -> None:
    refused: tuple[Callable[[typing.Any], object], ...] = (
        lambda kind: kind("a"),
        lambda kind: kind("a", (), None, 1, 2),
        lambda kind: kind("a", (), colour="red"),
        lambda kind: kind("a", ())._replace(colour="red"),
        lambda kind: kind._make(["a"]),
        lambda kind: setattr(kind("a", ()), "name", "b"),
        lambda kind: setattr(kind("a", ()), "colour", "red"),
    )

    def fault(ask: Callable[[typing.Any], object], kind: type) -> tuple[type, str]:
        with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
            ask(kind)
        return caught.type, str(caught.value).replace(kind.__name__, "")

    assert [fault(ask, Ours) for ask in refused] == [fault(ask, Typings) for ask in refused]


def test_a_record_is_copied_pickled_and_matched() -> None:
    record = Ours("a", (1,), "b")
    assert copy.deepcopy(record) == copy.copy(record) == pickle.loads(pickle.dumps(record)) == record
    assert type(pickle.loads(pickle.dumps(record))) is Ours
    match record:
        case Ours(name, ports, note=note):
            assert (name, ports, note) == ("a", (1,), "b")


def test_a_field_without_a_default_after_one_with_it_is_refused() -> None:
    body = {"__annotations__": {"first": "int", "second": "int"}, "first": 1, "__qualname__": "Wrong"}
    maker: typing.Any = type(NamedTuple)
    with pytest.raises(TypeError, match="without a default"):
        maker("Wrong", (NamedTuple,), body)
