"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import cache
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import HealthCheck, settings

# All but thorough draw the same examples every time, so that a commit that passed passes again: the default few,
# full (`make test-slow`) as many as each property names, quick (`make quick`) fewer still.
# HYPOTHESIS_PROFILE=thorough looks for new ones.
settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("full", parent=settings.get_profile("default"), max_examples=200)
settings.register_profile("thorough", parent=settings.get_profile("default"), derandomize=False, max_examples=2000)
settings.register_profile("quick", parent=settings.get_profile("default"), max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Whoever runs the tests may have an AWS account; none of them is to know of it.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

# moto makes 1,300 images, with a volume and a snapshot each, whenever an account's region is first looked at.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# Each session of boto3 reads the models of its services anew, and lists the folders of all four hundred services to
# find them; moto begins each of its mocks with a new session.
_model_at = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _model_at(path)  # type: ignore[method-assign, assignment]
_list_services = Loader.list_available_services
_services: dict[tuple[str, ...], list[str]] = {}


def _listed_once(loader: Loader, type_name: str) -> list[str]:
    key = (type_name, *map(str, loader.search_paths))
    if key not in _services:
        _services[key] = _list_services(loader, type_name)
    return _services[key]


Loader.list_available_services = _listed_once  # type: ignore[method-assign, assignment]

# Thousands of tests and the models of AWS's services stay to the end: to look through all of them for garbage again and
# again took a fifth of the time.
gc.set_threshold(50_000)

# jsonschema makes a grammar of IRIs when it is imported, for a format that no schema here has: over a second each time.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

TESTS = Path(__file__).parent
# Rooms of tests that deploy, start processes and wait for them, the longest first: at the end, with one of them
# left, the other cores would have nothing to do.
LONGEST = ("localcloud", "delivery", "chaos", "alarm_path", "functions", "infra", "sgwatch", "enrichment")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the rooms that take longest; within a room nothing is moved."""
    turn = {room: number for number, room in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path.relative_to(TESTS).parts[0], len(turn)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores, since many tests wait: for a server, a timeout, a process to end."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Leave what was collected to no later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _bundle_from_local_wheels() -> None:
    """Let ``chalice package`` take what it bundles from the wheels that ``make setup`` put aside."""
    wheels = Path(sys.prefix) / "wheels"
    if wheels.is_dir():
        os.environ["PIP_NO_INDEX"] = "1"
        os.environ["PIP_FIND_LINKS"] = str(wheels)


@pytest.fixture(scope="session", autouse=True)
def _children_can_be_interrupted() -> None:
    """Undo what a shell does to whatever it starts in the background: SIGINT is ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
