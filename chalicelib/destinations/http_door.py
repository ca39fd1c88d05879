"""The one door through which HTTP goes out: https, verified, bounded, and silent about where to.

Webhook URLs are passwords. No error raised here holds a URL, a header or the text of another
library's exception, and none is raised while such an exception is being handled.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from ipaddress import ip_address
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from chalicelib.destinations.contract import DeliveryError
from chalicelib.named_tuple import NamedTuple

if TYPE_CHECKING:
    import requests

USER_AGENT = "sgwatch"

# The one table of status codes: these and every 5xx may go better the next time, everything else
# that is not 2xx will not. 408 Request Timeout, 425 Too Early, 429 Too Many Requests:
# https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9, rfc8470#section-5.2, rfc6585#section-4.
_RETRIED = frozenset({408, 425, 429})
_CHUNK = 8192


class HttpResponse(NamedTuple):
    """An answer; ``body`` is its beginning, up to the door's limit."""

    status: int
    body: bytes
    retry_after: float | None = None


def is_success(status: int) -> bool:
    """Whether the receiver has taken what was sent."""
    return 200 <= status <= 299


def is_permanent(status: int) -> bool:
    """Whether sending the same again cannot help."""
    return not is_success(status) and status not in _RETRIED and not 500 <= status <= 599


def url_fault(url: str) -> str | None:
    """Why nothing may be sent to this URL, without the URL; None where it may be."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "the URL is malformed"
    # A backslash is where URL parsers disagree on what the host is.
    if re.search(r"[^!-\[\]-~]", url) or not host:
        return "the URL is malformed"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return None
    return "the URL does not begin with https:// (http:// is only for loopback addresses)"


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """The seconds a ``Retry-After`` header asks for, in either of its forms; None where it says nothing usable.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    if header is None:
        return None
    header = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError, IndexError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - now).total_seconds())


def error_for(response: HttpResponse, said: str = "") -> DeliveryError:
    """The error for an answer that is not 2xx; ``said`` is what may be repeated of it."""
    permanent = is_permanent(response.status)
    return DeliveryError(
        f"it answered HTTP {response.status}" + (f": {said}" if said else _meaning(response.status)),
        permanent=permanent,
        retry_after=None if permanent else response.retry_after,
    )


class Network(NamedTuple):
    """What lies between the function and its destinations."""

    proxy_url: str | None = None
    ca_file: str | None = None


DIRECTLY = Network()


class HttpDoor:
    """Posts JSON to URLs.

    Proxies, ``.netrc`` and certificate bundles named in the environment are not looked at: the
    function's behavior follows from its settings alone. ``deadline`` bounds the whole exchange
    in seconds, name resolution and an answer that trickles in included. ``network`` gives the proxy that
    HTTPS goes through and a file of certificates to trust, both None where there is none; it is asked at each use.
    """

    def __init__(
        self,
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        max_response_bytes: int = 16_384,
        *,
        deadline: float = 15.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        network: Callable[[], Network] = lambda: DIRECTLY,
    ) -> None:
        self._network = network
        self._timeout = (connect_timeout, read_timeout)
        self._max_response_bytes = max_response_bytes
        self._deadline = deadline
        self._now = now
        self._client_certificate: str | None = None

    def showing(self, client_certificate: str) -> Self:
        """The same door, which shows this certificate to a receiver that asks for one: PEM, its key behind it."""
        door = copy(self)
        door._client_certificate = client_certificate  # noqa: SLF001 - its own class's
        return door

    def post_json(
        self,
        url: str,
        body: bytes | Mapping[str, Any] | Sequence[Any],
        headers: Mapping[str, str] | None = None,
        max_response_bytes: int | None = None,
    ) -> HttpResponse:
        """Post a JSON document, given as such or encoded, and return whatever was answered.

        ``max_response_bytes`` is how much of the answer is read, where the door's own limit is too little.

        Raises:
            DeliveryError: there was no answer.
        """
        fault = url_fault(url)
        if fault:
            raise DeliveryError(fault, permanent=True)
        data = body if isinstance(body, bytes) else encode_json(body)
        # A type of JSON may be said more exactly, as CloudEvents does.
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Content-Type": "application/json"}
        sent |= headers or {}
        most = max_response_bytes or self._max_response_bytes
        with _certificate_file(self._client_certificate) as file:
            outcome = _within(self._deadline, lambda answered: self._attempt(url, data, sent, answered, most, file))
        if outcome is None:
            raise DeliveryError(f"no complete answer within {self._deadline:g} s", permanent=False, maybe_taken=True)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    def _attempt(
        self,
        url: str,
        data: bytes,
        headers: dict[str, str],
        answered: Callable[[HttpResponse], None],
        most: int,
        certificate_file: str | None,
    ) -> HttpResponse | DeliveryError:
        import requests  # noqa: PLC0415 - only the functions that send pay for it
        import urllib3  # noqa: PLC0415

        # urllib3 logs the path of every request at DEBUG, and the path of a webhook URL is its password.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        try:
            with requests.Session() as session:
                session.trust_env = False
                network = self._network()
                if network.proxy_url and not url.startswith("http:"):
                    session.proxies = {"https": network.proxy_url}
                if network.ca_file:
                    session.verify = network.ca_file
                session.cert = certificate_file
                with session.post(
                    url, data=data, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
                ) as response:
                    head = HttpResponse(response.status_code, b"", self._retry_after(response))
                    # Who answers 2xx has taken what was sent, whatever becomes of the body.
                    answered(head)
                    return head._replace(body=self._body(response, most))
        except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            return _error_without_url(error)

    def _retry_after(self, response: requests.Response) -> float | None:
        return retry_after_seconds(response.headers.get("Retry-After"), self._now())

    def _body(self, response: requests.Response, most: int) -> bytes:
        """What comes of the body; one that trickles in or breaks off is cut like one that is too long."""
        import urllib3  # noqa: PLC0415

        stop_at = time.monotonic() + self._timeout[1]
        body = bytearray()
        while len(body) < most and time.monotonic() < stop_at:
            try:
                chunk = response.raw.read1(min(_CHUNK, most - len(body)), decode_content=False)
            except (urllib3.exceptions.HTTPError, HTTPException, OSError):
                break
            if not chunk:
                break
            body += chunk
        return bytes(body)


@contextmanager
def _certificate_file(pem: str | None) -> Iterator[str | None]:
    """The file that TLS takes a certificate and its key from, readable by us alone and gone afterwards.

    Raises:
        DeliveryError: no certificate with its key is in it.
    """
    if pem is None:
        yield None
        return
    from ssl import PROTOCOL_TLS_CLIENT, SSLContext, SSLError  # noqa: PLC0415 - where there is a certificate
    from tempfile import NamedTemporaryFile  # noqa: PLC0415

    with NamedTemporaryFile("w", suffix=".pem", encoding="utf-8") as file:
        file.write(pem)
        file.flush()
        try:
            # Without a password OpenSSL would ask on the terminal for an encrypted key's.
            SSLContext(PROTOCOL_TLS_CLIENT).load_cert_chain(file.name, password="")
            usable = True
        except (SSLError, OSError, ValueError):
            usable = False
        if not usable:
            raise DeliveryError(
                "its client certificate and key cannot be used: unencrypted PEM of both", permanent=True
            )
        yield file.name


_COMPACT = json.JSONEncoder(separators=(",", ":"))


def encode_json(document: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Compact JSON in ASCII: a lone surrogate in it stays an escape that any reader takes."""
    return _COMPACT.encode(document).encode("ascii")


_AnswerT = TypeVar("_AnswerT")


def _within(
    seconds: float, work: Callable[[Callable[[_AnswerT], None]], _AnswerT | DeliveryError]
) -> _AnswerT | DeliveryError | None:
    """What the work returns, or has answered by then; else None, and what it returns later is dropped.

    A thread, because nothing else bounds name resolution or headers that come a byte at a time.
    """
    answers: list[_AnswerT | DeliveryError] = []
    thread = threading.Thread(target=lambda: answers.append(work(answers.append)), name="http", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[-1] if answers else None


def _error_without_url(error: BaseException) -> DeliveryError:
    """The failure in our own words.

    A certificate that does not verify is permanent: it stays so until somebody renews it or mends the
    URL, and a permanent failure is what gets announced through the other destinations at once.
    Any other TLS failure may be the network's.
    """
    chain = list(_causes(error))
    if any(isinstance(item, SSLCertVerificationError) for item in chain):
        return DeliveryError("its TLS certificate could not be verified", permanent=True)
    if any(type(item).__name__ == "InvalidHeader" and type(item).__module__.startswith("urllib3") for item in chain):
        # Raised while the answer's headers are read: two lengths that differ, say.
        return DeliveryError("its answer has contradictory headers", permanent=False, maybe_taken=True)
    names = {type(item).__name__ for item in chain}
    for name, (reason, permanent) in _FAILURES.items():
        if name in names:
            return DeliveryError(reason, permanent=permanent, maybe_taken=reason in _AFTER_SENDING)
    return DeliveryError(f"the request failed: {type(error).__name__}", permanent=isinstance(error, ValueError))


# By then the request may have arrived whole.
_AFTER_SENDING = frozenset({"no answer in time", "the connection broke"})
# By class name, the most specific first, so that requests is not imported to look at an error.
_FAILURES = {
    "NameResolutionError": ("its host name could not be resolved", False),
    "ProxyError": ("the proxy refused the connection", False),
    "ConnectTimeout": ("no connection in time", False),
    "ConnectTimeoutError": ("no connection in time", False),
    "ReadTimeout": ("no answer in time", False),
    "ReadTimeoutError": ("no answer in time", False),
    "SSLError": ("TLS failed", False),
    "ConnectionRefusedError": ("the connection was refused", False),
    "InvalidHeader": ("a header cannot be sent", True),
    "InvalidURL": ("the URL is malformed", True),
    "LocationParseError": ("the URL is malformed", True),
    "ProtocolError": ("the connection broke", False),
    "ConnectionError": ("the connection failed", False),
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what lies under it; urllib3 and requests keep it in ``args`` and ``reason``."""
    waiting, seen = [error], set[int]()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        below = (item.__cause__, item.__context__, getattr(item, "reason", None), *item.args)
        waiting += [found for found in below if isinstance(found, BaseException)]


def _meaning(status: int) -> str:
    return ": redirects are not followed" if 300 <= status <= 399 else ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
