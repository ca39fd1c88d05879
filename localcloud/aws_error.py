"""The one exception with which the local cloud answers like AWS."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):  # type: ignore[misc]  # moto ships no types for it
    """An AWS error code and message.

    moto looks up an exception's service by the module that defines it, so it cannot be moto's own class.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code: str = code
        self.message: str = message
