"""One session of the local cloud as a person runs it: started, the app deployed into it, ended whole.

A signal at any moment ends it the same way: the work is inside ``with``, and signals become exceptions.
"""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from localcloud.baseline import READER, confirmed_topic
from localcloud.cloud import LocalCloud
from localcloud.deploy import LocalDeployment, deploy
from localcloud.receivers.webhook import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping
    from types import FrameType


DESTINATIONS = ("SLACK_WEBHOOK_URL", "SNS_TOPIC_ARN", "WEBHOOK_URL", "WEBHOOK_SECRET")
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked the session to end. Not an Exception, so that nothing takes it for a fault."""


def stand_apart(environ: MutableMapping[str, str]) -> tuple[str, ...]:
    """Take the caller's AWS settings out of this environment, and loopback out of their proxy's hands.

    Returns the lines that do the same in a shell, so that its AWS clients reach the local cloud.
    """
    strays = [name for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE") if name in environ]
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    lines = [f"unset {' '.join(strays)}"] if strays else []
    if any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in environ):
        # Of the two spellings the small one counts. https://docs.python.org/3/library/urllib.request.html
        there = environ.get("no_proxy") or environ.get("NO_PROXY")
        environ["no_proxy"] = ",".join(filter(None, (there, "127.0.0.1", "localhost")))
        lines.append(f"export no_proxy={quote(environ['no_proxy'])}")
    return tuple(lines)


def variables_of(cloud: LocalCloud) -> dict[str, str]:
    """The app's settings that point it at the local receivers."""
    return {
        "SLACK_WEBHOOK_URL": cloud.slack_url,
        "SNS_TOPIC_ARN": confirmed_topic(cloud, "sgwatch-alerts", READER),
        "WEBHOOK_URL": cloud.webhook_url,
        "WEBHOOK_SECRET": SECRET,
    }


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into :class:`Interrupted`; later ones wait for the clean-up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for ending in ENDING_SIGNALS:
            signal.signal(ending, signal.SIG_IGN)
        raise Interrupted

    before = {ending: signal.signal(ending, interrupt) for ending in ENDING_SIGNALS}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


@contextmanager
def signals_held() -> Iterator[None]:
    """Let no signal in between making a thing and knowing how to remove it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def moto_unheard() -> Iterator[None]:
    """Keep off the terminal what moto says to programmers: which kinds of resource it does not make, say."""
    log, nobody = logging.getLogger("moto"), logging.NullHandler()
    log.addHandler(nobody)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="moto")
            yield
    finally:
        log.removeHandler(nobody)


@contextmanager
def started(cloud: LocalCloud) -> Iterator[LocalCloud]:
    """A local cloud from its start to its end, gone whole."""
    with ExitStack() as stack:
        stack.enter_context(moto_unheard())
        with signals_held():
            stack.enter_context(cloud)
        yield cloud


@contextmanager
def running(
    project: Path,
    cloud: LocalCloud,
    *,
    stage: str,
    variables: Callable[[LocalCloud], Mapping[str, str]] = variables_of,
    on_started: Callable[[LocalCloud], None] = lambda _: None,
) -> Iterator[tuple[LocalCloud, LocalDeployment]]:
    """A local cloud with the project's app deployed in it. ``on_started`` is called before the deployment."""
    with ExitStack() as stack:
        with signals_held():
            folder = stack.enter_context(TemporaryDirectory(prefix="sgwatch-deploy-"))
        stack.enter_context(started(cloud))
        on_started(cloud)
        settings = variables(cloud)
        # A deployment by hand afterwards keeps the destinations of this one.
        cloud.functions.destinations = {name: settings[name] for name in DESTINATIONS if name in settings}
        deployed = deploy(project, Path(folder), cloud.environment(), stage=stage, variables=settings)
        yield cloud, deployed
