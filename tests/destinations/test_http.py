from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError

from chalicelib.destinations.contract import DeliveryError
from chalicelib.destinations.http_door import (
    HttpDoor,
    HttpResponse,
    Network,
    _error_without_url,
    error_for,
    is_permanent,
    is_success,
    retry_after_seconds,
    url_fault,
)
from tests.support.receiver import CERTIFICATE, Answer, Receiver, receiver
from tests.support.rows import every

SECRET = "services/T0XYZZY/B0XYZZY/xyzzyXYZZYxyzzy"
NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
DOOR = HttpDoor(0.3, 0.3, deadline=1.0, now=lambda: NOW)


def fails(url: str, door: HttpDoor = DOOR, headers: dict[str, str] | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        door.post_json(url, {"a": 1}, headers)
    return caught.value


def test_json_is_posted_and_the_answer_comes_back(inbox: Receiver) -> None:
    response = DOOR.post_json(f"{inbox.url}/hook", {"a": "é"}, {"x-mine": "1"})
    assert response == HttpResponse(200, b"ok")
    (request,) = inbox.requests
    assert (request.path, request.body) == ("/hook", b'{"a":"\\u00e9"}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-mine"] == "1"


def test_bytes_go_out_as_they_are(inbox: Receiver) -> None:
    DOOR.post_json(inbox.url, b'{"a": 1}')
    assert inbox.requests[0].body == b'{"a": 1}'


@every("status", range(200, 600))
def test_every_status_is_a_success_or_permanent_or_worth_a_retry(status: int) -> None:
    expected = "success" if status < 300 else "retry" if status in {408, 425, 429} or status >= 500 else "permanent"
    found = "success" if is_success(status) else "permanent" if is_permanent(status) else "retry"
    assert found == expected


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(inbox: Receiver, status: int) -> None:
    with receiver() as elsewhere:
        inbox.will(Answer(status, b"", {"Location": f"{elsewhere.url}/stolen"}))
        response = DOOR.post_json(inbox.url, {})
        assert response.status == status
        assert elsewhere.requests == []
    error = error_for(response)
    assert error.permanent
    assert error.reason == f"it answered HTTP {status}: redirects are not followed"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("Mon, 23 Nov 2026 10:01:30 GMT", 90.0),
        ("Monday, 23-Nov-26 10:01:30 GMT", 90.0),
        ("Mon Nov 23 10:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("-5", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("9" * 5_000, None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Nov 2026 10:01:30 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_what_the_receiver_asks_to_wait_reaches_the_error(inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b"", {"Retry-After": "Mon, 23 Nov 2026 10:00:07 GMT"}))
    error = error_for(DOOR.post_json(inbox.url, {}))
    assert (error.permanent, error.retry_after) == (False, 7.0)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "http://127.0.0.1:8080/x",
        "http://127.9.9.9/",
        "http://[::1]:1/",
        "http://localhost/",
    ],
)
def test_https_goes_anywhere_and_http_only_to_loopback(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "http://localhost.example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com:99999/",
        "https://[::1",
        "//example.com",
        "hooks",
        "",
    ],
)
def test_other_urls_are_refused_for_good_without_a_word_of_them(url: str) -> None:
    error = fails(url)
    assert error.permanent
    assert not url or url not in error.reason


def test_an_answer_is_read_only_to_the_limit(inbox: Receiver) -> None:
    inbox.will(Answer(200, b"x" * 1_000_000))
    assert len(HttpDoor(1, 1, 100).post_json(inbox.url, {}).body) == 100


def test_a_compressed_answer_is_not_blown_up(inbox: Receiver) -> None:
    inbox.will(Answer(200, b"not gzip", {"Content-Encoding": "gzip"}))
    assert DOOR.post_json(inbox.url, {}).body == b"not gzip"


def test_an_answer_that_trickles_in_meets_the_deadline(inbox: Receiver) -> None:
    inbox.will(Answer(200, b"x" * 200, drip=0.1))
    started = time.monotonic()
    # The status had arrived, so the receiver has it; what there is of the body has to do.
    response = DOOR.post_json(inbox.url, {})
    assert response.status == 200
    assert 0 < len(response.body) < 10
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("answer", "door"),
    [
        (Answer(200, b"ok", {"Content-Length": "5"}), DOOR),
        (Answer(200, b"ok", drip=5.0), DOOR),
        (Answer(200, b"ok", drip=5.0), HttpDoor(5, 5, deadline=0.3)),
    ],
    ids=["breaks off", "stalls", "stalls until the deadline"],
)
def test_who_answered_has_taken_it_whatever_becomes_of_the_body(
    inbox: Receiver, answer: Answer, door: HttpDoor
) -> None:
    inbox.will(answer)
    started = time.monotonic()
    assert door.post_json(inbox.url, {}).status == 200
    assert time.monotonic() - started < 2


def test_what_the_receiver_asks_to_wait_counts_though_its_body_stalls(inbox: Receiver) -> None:
    inbox.will(Answer(429, b"slow down", {"Retry-After": "7"}, drip=5.0))
    assert HttpDoor(5, 5, deadline=0.3).post_json(inbox.url, {}) == HttpResponse(429, b"", 7.0)


def test_proxies_and_netrc_of_the_environment_are_not_looked_at(
    inbox: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    DOOR.post_json(inbox.url, {})
    assert "authorization" not in inbox.requests[0].headers


@pytest.mark.parametrize("lengths", [("2", "5"), ("5", "2")])
def test_two_lengths_in_an_answer_are_not_our_request_s_fault(lengths: tuple[str, str]) -> None:
    answer = "HTTP/1.1 200 OK\r\n" + "".join(f"Content-Length: {length}\r\n" for length in lengths) + "\r\nok"
    with raw_server(answer.encode()) as url:
        error = fails(url)
    assert error.reason == "its answer has contradictory headers"
    assert (error.permanent, error.maybe_taken) == (False, True)


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """A server that answers one request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(5)


def test_https_goes_through_the_proxy_that_is_set_and_loopback_does_not(inbox: Receiver) -> None:
    with receiver() as proxy:
        door = HttpDoor(1, 1, network=lambda: Network(proxy_url=proxy.url))
        door.post_json(inbox.url, {})
        assert len(inbox.requests) == 1
        error = fails("https://hooks.example.com/services/XYZZY", door)
    assert error.reason == "the proxy refused the connection"
    assert "XYZZY" not in repr(error)


def test_a_certificate_of_one_s_own_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    with receiver(tls=True) as found:
        url = found.url.replace("127.0.0.1", "localhost")
        trusting = HttpDoor(1, 1, network=lambda: Network(ca_file=str(CERTIFICATE)))
        assert fails(url).reason == "its TLS certificate could not be verified"
        assert trusting.post_json(found.url, {}).status == 200


def test_a_receiver_that_asks_for_a_certificate_gets_it() -> None:
    with receiver(tls=True, client_certificate=True) as found:
        door = HttpDoor(1, 1, network=lambda: Network(ca_file=str(CERTIFICATE)))
        assert door.showing(CERTIFICATE.read_text()).post_json(found.url, {}).status == 200
        with pytest.raises(DeliveryError):
            door.post_json(found.url, {})
        assert len(found.requests) == 1


def test_a_client_certificate_without_its_key_fails_for_good_and_is_not_shown() -> None:
    certificate = CERTIFICATE.read_text().partition("-----BEGIN PRIVATE KEY")[0]
    with receiver(tls=True) as found, pytest.raises(DeliveryError, match="its client certificate and key") as caught:
        HttpDoor(1, 1).showing(certificate).post_json(found.url, {})
    assert caught.value.permanent
    assert "BEGIN" not in repr(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("answer", "maybe"), [(Answer(hang=True), True), (Answer(garbage=True), True)], ids=["silent", "garbage"]
)
def test_what_went_out_whole_without_an_answer_may_have_been_taken(answer: Answer, maybe: bool) -> None:
    assert scripted(answer).maybe_taken is maybe
    assert not refused().maybe_taken


def refused() -> DeliveryError:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return fails(f"http://127.0.0.1:{unused.getsockname()[1]}/{SECRET}")


def scripted(answer: Answer) -> DeliveryError:
    with receiver() as found:
        found.will(answer)
        return fails(f"{found.url}/{SECRET}")


def untrusted() -> DeliveryError:
    with receiver(tls=True) as found:
        return fails(f"{found.url}/{SECRET}")


def tls_to_plain_http() -> DeliveryError:
    with receiver() as found:
        return fails(f"{found.url.replace('http:', 'https:')}/{SECRET}")


FAILURES: dict[str, tuple[Callable[[], DeliveryError], bool, str]] = {
    "refused": (refused, False, "the connection was refused"),
    "silent": (lambda: scripted(Answer(hang=True)), False, "no answer in time"),
    "garbage": (lambda: scripted(Answer(garbage=True)), False, "the connection broke"),
    "untrusted certificate": (untrusted, True, "its TLS certificate could not be verified"),
    "no TLS there": (tls_to_plain_http, False, "TLS failed"),
    "header": (
        lambda: fails(f"http://127.0.0.1:9/{SECRET}", headers={"x": f"{SECRET}\r\ny"}),
        True,
        "a header cannot be sent",
    ),
    "host name": (lambda: fails(f"https://{'a' * 70}.example.com/{SECRET}"), True, "the URL is malformed"),
    "plain http": (
        lambda: fails(f"http://example.com/{SECRET}"),
        True,
        "the URL does not begin with https:// (http:// is only for loopback addresses)",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_reported_in_our_words_and_leaks_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fail, permanent, reason = FAILURES[name]
    error = fail()
    assert (error.reason, error.permanent) == (reason, permanent)
    assert error.__cause__ is None
    assert error.__context__ is None
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__) + caplog.text
    assert "XYZZY" not in told


def test_a_host_name_that_does_not_resolve_is_worth_a_retry() -> None:
    # Made by hand: to ask a name server is to leave the loopback.
    unresolved = NameResolutionError(
        "nowhere.invalid", HTTPSConnection("nowhere.invalid"), socket.gaierror(-2, "XYZZY")
    )
    error = _error_without_url(requests.ConnectionError(MaxRetryError(HTTPSConnectionPool("x"), "/XYZZY", unresolved)))
    assert (error.reason, error.permanent) == ("its host name could not be resolved", False)


def test_no_log_shows_the_path_of_a_request_that_went_well(inbox: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    DOOR.post_json(f"{inbox.url}/{SECRET}", {})
    assert "XYZZY" not in caplog.text


def test_the_whole_exchange_meets_the_deadline_whatever_the_timeouts() -> None:
    with receiver() as found:
        found.will(Answer(hang=True))
        started = time.monotonic()
        error = fails(found.url, HttpDoor(5, 5, deadline=0.2))
        assert time.monotonic() - started < 2
    assert (error.reason, error.permanent) == ("no complete answer within 0.2 s", False)
