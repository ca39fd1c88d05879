"""What every destination promises: ``send`` returns a receipt or raises one error.

Retries, deduplication and logging are around a destination (delivery/), never inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib.alert.model import Alert
from chalicelib.named_tuple import NamedTuple

if TYPE_CHECKING:
    from chalicelib.destinations.http_door import HttpDoor


class Receipt(NamedTuple):
    """A destination has taken the alert; ``reference`` is its own id for it, where it gave one."""

    reference: str | None = None


class DeliveryError(Exception):
    """An alert did not reach a destination.

    ``permanent`` says that sending it again cannot help; ``retry_after`` is how many seconds the
    destination asked to be left alone, where it did. ``reason`` never holds a URL or a secret.
    ``maybe_taken`` says that the request went out whole and no answer came: the destination may have the alert.
    """

    def __init__(
        self, reason: str, *, permanent: bool, retry_after: float | None = None, maybe_taken: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
        self.maybe_taken = maybe_taken


class Destination(Protocol):
    """Where alerts go. ``name`` is unique among the configured destinations: ``slack``, ``slack.secops``."""

    @property
    def name(self) -> str:
        """The destination's name in settings, logs and metrics."""

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered.
        """


def resolve(destination: Destination, alert: Alert) -> Receipt:
    """Close what an alert ends, where the service has incidents (``resolves`` in settings/kinds.py); it opens none.

    Raises:
        DeliveryError: not all of it was closed.
    """
    close: Callable[[Alert], Receipt] | None = getattr(destination, "resolve", None)
    return Receipt() if close is None else close(alert)


class RevisionTable(Protocol):
    """What is needed of the state table (state/state_table.py): items that one writer at a time changes."""

    def get(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        """The item; raises StateError."""

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        """Write it where its ``revision`` is still ``seen``; raises VersionConflict and StateError."""


def no_runbook(alert: Alert) -> str | None:  # noqa: ARG001 - the form of a runbook's lookup
    """The link of an alert where ``RUNBOOK_URL`` is not set."""
    return None


class Tools(NamedTuple):
    """What a destination's ``build(name, values, tools)`` is given besides its settings.

    ``client(service, region)`` makes an AWS client; ``runbook`` gives the link of an alert, where there is one;
    ``secret`` looks up a reference that stands inside of a value (the values themselves are looked up already).
    ``table`` is the state table, None in direct delivery.
    """

    http: HttpDoor
    client: Callable[..., Any]
    runbook: Callable[[Alert], str | None] = no_runbook
    secret: Callable[[str], str] = str
    table: RevisionTable | None = None
