"""``typing.NamedTuple``, made at a tenth of what it costs to make there.

A cold alert makes some eighty classes of records before it is sent. ``typing`` compiles every annotation, and
``collections`` the constructor of every class, from text. Here annotations stay as they are, and classes with
equally many fields share their constructor's code. For type checkers it is ``typing.NamedTuple`` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import _tuplegetter  # reads a field of collections.namedtuple, in C
    from functools import cache
    from types import CodeType, FunctionType

    class _Record(tuple):
        """What the records have in common: the methods that ``collections.namedtuple`` makes for each class."""

        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, iterable):
            made = tuple.__new__(cls, iterable)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **changed):
            made = self._make(map(changed.pop, self._fields, self))
            if changed:
                raise ValueError(f"Got unexpected field names: {list(changed)!r}")
            return made

        __replace__ = _replace  # copy.replace of Python 3.13

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self):
            return tuple(self)

    @cache
    def _constructor_code(count: int) -> CodeType:
        names = "".join(f"_{number}, " for number in range(count))
        return eval(f"lambda _cls, {names}: _new(_cls, ({names}))").__code__  # noqa: S307 - text of a number alone

    def _constructor(owner: str, fields: tuple[str, ...], defaults: tuple[object, ...]) -> FunctionType:
        code = _constructor_code(len(fields)).replace(
            co_varnames=("_cls", *fields), co_name="__new__", co_qualname=f"{owner}.__new__"
        )
        return FunctionType(code, {"_new": tuple.__new__, "__builtins__": {}}, "__new__", defaults)

    class _Maker(type):
        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            body.update((field, _tuplegetter(index, "")) for index, field in enumerate(fields))
            body |= {
                "__slots__": (),
                "__new__": _constructor(body["__qualname__"], fields, tuple(defaults.values())),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return type(name, (_Record,), body)

    class NamedTuple(metaclass=_Maker):
        """The base that a record names."""
