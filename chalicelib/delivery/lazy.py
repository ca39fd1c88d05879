"""A destination that is put together when it is first used, because its secret has to be looked up."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt, resolve
from chalicelib.settings.secrets import SecretError


class Lazy:
    """Builds the destination on its first ``send``, and again after a permanent failure: its secret may be stale."""

    def __init__(self, name: str, build: Callable[[], Destination], forget: Callable[[], None]) -> None:
        self.name = name
        self._build = build
        self._forget = forget
        self._built: Destination | None = None

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered, or the secret could not be looked up.
        """
        return self._with(lambda destination: destination.send(alert))

    def resolve(self, alert: Alert) -> Receipt:
        """Close what an alert ends; as ``send`` otherwise."""
        return self._with(lambda destination: resolve(destination, alert))

    def _with(self, call: Callable[[Destination], Receipt]) -> Receipt:
        try:
            destination = self._built or self._build()
        except SecretError as error:
            raise DeliveryError(str(error), permanent=error.permanent) from error
        self._built = destination
        try:
            return call(destination)
        except DeliveryError as error:
            if error.permanent:
                self._built = None
                self._forget()
            raise
