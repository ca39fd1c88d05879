"""What every way to meet an expression asks for, read from the tree without running it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from chalicelib.alarm_path.patterns.syntax import And, Compare, Expression, FieldCondition, Name, Or, Selector, Text

EVENT_NAME = Selector((Name("eventName"),))


def every_alternative(expression: Expression, asks: Callable[[FieldCondition], bool]) -> bool:
    """Whether each alternative of an expression has a condition of which ``asks`` is true."""
    match expression:
        case Or(items=items):
            return all(every_alternative(item, asks) for item in items)
        case And(items=items):
            return any(every_alternative(item, asks) for item in items)
        case _:
            return asks(expression)


def names_another_event(condition: FieldCondition, than: Collection[str]) -> bool:
    """Whether a condition asks for one event by its name, and for none of these."""
    match condition:
        case Compare(selector=selector, operator="=", value=Text(text=text)) if selector == EVENT_NAME:
            return "*" not in text and text not in than
        case _:
            return False
