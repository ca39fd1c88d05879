"""pytest in this process: which tests run which lines, and whether tests notice a mutant."""

from __future__ import annotations

import gc
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from time import process_time
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[2]
# The tests that need Python alone and are quick, as `make quick` runs them, and a few of the rooms above the core.
TESTS = (
    *(f"tests/{room}" for room in ("alert", "cloudtrail", "exposure", "rendering", "security_groups", "undo")),
    *(f"tests/enrichment/test_{name}.py" for name in ("before", "remember", "wire_shapes")),
    *(f"tests/sgwatch/test_{name}.py" for name in ("preview", "record_cases")),
    "tests/destinations/test_incidents.py",
)
_OPTIONS = ("-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "-m", "not slow")


class LinesRun:
    """A plugin that notes the lines of the core that each test runs, and how long it takes in CPU seconds."""

    def __init__(self, files: frozenset[str]) -> None:
        self.lines: dict[str, dict[str, set[int]]] = {}
        self.at_import: dict[str, set[int]] = {}
        self.seconds: dict[str, float] = {}
        self._files = files
        self._now: dict[str, set[int]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        """Modules of the core are imported while tests are collected."""
        self._now = self.at_import
        sys.settrace(self._called)
        try:
            return (yield)
        finally:
            sys.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now = {}
        begun = process_time()
        sys.settrace(self._called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = process_time() - begun
            self.lines[item.nodeid] = self._now

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        lines = self._now.setdefault(frame.f_code.co_filename, set())
        lines.add(frame.f_lineno)

        def run(inner: FrameType, _event: str, _argument: object) -> Any:
            lines.add(inner.f_lineno)
            return run

        return run


def lines_run(files: frozenset[str]) -> LinesRun:
    """Run the core's tests once and note what each of them runs."""
    noted = LinesRun(files)
    status = pytest.main([*_OPTIONS, *TESTS], plugins=[noted])
    if status != 0:
        raise SystemExit(f"the tests fail without any mutant (pytest ended with {status})")
    return noted


# CPU seconds that a test may take beyond what it takes without a mutant.
_MORE_SECONDS = 5.0
NOTICED = 1


class _Chosen:
    """A plugin that keeps the tests that were asked for, in their order; one that takes far longer ends the process."""

    def __init__(self, wanted: Sequence[str], seconds: Mapping[str, float]) -> None:
        self._turn = {nodeid: number for number, nodeid in enumerate(wanted)}
        self._seconds = seconds

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        _limit(self._seconds[item.nodeid])
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._turn), key=lambda item: self._turn[item.nodeid]
        )


class MutantImport(MetaPathFinder, Loader):
    """Gives one module's code in place of what its file holds."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name = name
        self._path = path
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None:
            found.loader = self
        return found

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


class InLoadedCore:
    """A plugin that collects the tests and, in place of running them, gives them to ``go``; nothing is imported again.

    A process forked there puts a mutant's code into the functions that are loaded: a tenth of a second, where
    importing the core and its tests anew takes some.
    """

    def __init__(self, go: Callable[[InLoadedCore], None]) -> None:
        self._go = go
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[tuple[str, str], list[FunctionType]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        for found in gc.get_objects():
            if isinstance(found, FunctionType):
                key = (found.__code__.co_filename, found.__code__.co_qualname)
                self._functions.setdefault(key, []).append(found)
        gc.freeze()
        self._go(self)
        return True

    def notices(self, code: CodeType, line: int, tests: Sequence[str], seconds: Mapping[str, float]) -> bool:
        """Whether one of the tests fails with the code of the function at the line."""
        changed = [
            (function, inner)
            for inner in _function_codes(code)
            if line in {number for _, _, number in _all_lines(inner)}
            for function in self._functions.get((inner.co_filename, inner.co_qualname), ())
            if function.__code__.co_firstlineno == inner.co_firstlineno
        ]
        for function, inner in changed:
            function.__code__ = inner
        for item in (self._items[test] for test in tests if test in self._items):
            _limit(seconds[item.nodeid])
            reports = runtestprotocol(item, nextitem=None, log=False)
            if any(report.failed for report in reports):
                return True
        return False


def _function_codes(code: CodeType) -> Iterator[CodeType]:
    """The functions and methods of a module, without those inside of them."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & inspect.CO_NEWLOCALS:
                yield inner
            else:
                yield from _function_codes(inner)


def _all_lines(code: CodeType) -> Iterator[tuple[int, int, int | None]]:
    yield from code.co_lines()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _all_lines(inner)


def in_loaded_core(go: Callable[[InLoadedCore], None]) -> None:
    """Load the core and collect its tests, and go on from there."""
    _register_profile()
    pytest.main([*_OPTIONS, *TESTS], plugins=[InLoadedCore(go)])


def _limit(seconds: float) -> None:
    signal.signal(signal.SIGPROF, lambda *_: os._exit(NOTICED))
    signal.setitimer(signal.ITIMER_PROF, 2 * seconds + _MORE_SECONDS)


def _register_profile() -> None:
    from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415 - the notes of lines need it not

    # What `make test` draws, without looking for a smaller example of a failure.
    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        max_examples=30,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate],
    )
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"


def noticed(mutant: MutantImport, stages: Sequence[Sequence[str]], seconds: Mapping[str, float]) -> bool:
    """Whether one of the tests fails on the mutant; in a process that has not imported the core yet."""
    sys.meta_path.insert(0, mutant)
    _register_profile()
    return any(_fails(tests, seconds) for tests in stages)


def _fails(tests: Sequence[str], seconds: Mapping[str, float]) -> bool:
    files = list(dict.fromkeys(nodeid.split("::")[0] for nodeid in tests))
    status = pytest.main([*_OPTIONS, "-x", *files], plugins=[_Chosen(tests, seconds)])
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise LookupError(f"none of {len(tests)} tests is there")
    return status != 0
