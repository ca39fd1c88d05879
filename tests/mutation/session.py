"""pytest in this process: which tests run which lines, and whether tests notice a mutant."""

from __future__ import annotations

import gc
import inspect
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from time import process_time
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.python import get_direct_param_fixture_func
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[2]
CHALICELIB = ROOT / "chalicelib"
_PREFIX = f"{CHALICELIB}{os.sep}"
# The tests that need Python alone and are quick, as `make quick` runs them, and a few of the rooms above the core.
TESTS = (
    *(f"tests/{room}" for room in ("alert", "cloudtrail", "exposure", "rendering", "security_groups", "undo")),
    *(f"tests/enrichment/test_{name}.py" for name in ("before", "remember", "wire_shapes")),
    *(f"tests/sgwatch/test_{name}.py" for name in ("preview", "record_cases")),
    "tests/destinations/test_incidents.py",
)
_OPTIONS = (
    "-q",
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--no-header",
    "--capture=no",
    "-m",
    "not slow",
)


class LinesRun:
    """A plugin that notes the lines of chalicelib that each test runs, and how long it takes in CPU seconds.

    Each test sets up what it needs by itself, and nothing is remembered from the test before.
    """

    def __init__(self) -> None:
        self.lines: dict[str, dict[str, set[int]]] = {}
        self.collected: dict[str, dict[str, set[int]]] = {}
        self.at_import: dict[str, set[int]] = {}
        self.seconds: dict[str, float] = {}
        self.status = 0
        self._now: dict[str, set[int]] = {}

    def import_all(self) -> None:
        """Import every module, so that what this runs is not taken for what the first file of tests runs."""
        with self._noting(self.at_import):
            for path in sorted(CHALICELIB.rglob("*.py")):
                import_module(name_of(path))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        if not isinstance(collector, pytest.Module):
            return (yield)
        with self._noting(self.collected.setdefault(collector.nodeid, {})):
            return (yield)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        caches = core_caches()
        for item in session.items:
            for cache in caches:
                cache.cache_clear()
            begun = process_time()
            with self._noting(self.lines.setdefault(item.nodeid, {})):
                failed = fails(item)
            self.seconds[item.nodeid] = process_time() - begun
            if failed:
                self.status = 1
                print(f"{item.nodeid} fails")
        return True

    @contextmanager
    def _noting(self, now: dict[str, set[int]]) -> Iterator[None]:
        self._now = now
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(None)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(_PREFIX):
            return None
        lines = self._now.setdefault(frame.f_code.co_filename, set())
        lines.add(frame.f_lineno)

        def run(inner: FrameType, _event: str, _argument: object) -> Any:
            lines.add(inner.f_lineno)
            return run

        return run


def name_of(path: Path) -> str:
    """The name by which the module of a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def core_caches() -> list[Any]:
    """What functions of chalicelib remember."""
    gc.unfreeze()  # what is frozen is listed nowhere
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, _lru_cache_wrapper) and (found.__module__ or "").startswith("chalicelib.")
    ]


def lines_run() -> LinesRun:
    """Run the core's tests once and note what each of them runs."""
    noted = LinesRun()
    noted.import_all()
    _register_profile()
    status = pytest.main([*_OPTIONS, *TESTS], plugins=[noted])
    if status or noted.status:
        raise SystemExit(f"the tests fail without any mutant (pytest ended with {status})")
    return noted


# CPU seconds that a test may take beyond what it takes without a mutant.
_MORE_SECONDS = 5.0
NOTICED = 1


def fails(item: pytest.Item) -> bool:
    """Whether a test fails; one that takes nothing but its parameters is called without pytest's machinery."""
    arguments = _arguments(item) if isinstance(item, pytest.Function) else None
    if arguments is None or not isinstance(item, pytest.Function):
        return any(report.failed for report in runtestprotocol(item, nextitem=None, log=False))
    try:
        item.obj(**arguments)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test did not pass
        return not isinstance(error, pytest.skip.Exception)
    return False


def _arguments(item: pytest.Function) -> dict[str, object] | None:
    """The parameters of a test that needs no fixture; None where it does, or has a mark that means something."""
    if item.cls is not None or any(mark.name not in ("parametrize", "hypothesis") for mark in item.iter_markers()):
        return None
    given: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    info = item._fixtureinfo
    for name in info.names_closure:
        found = info.name2fixturedefs[name][-1] if name in info.name2fixturedefs else None
        if name in given and (found is None or found.func is get_direct_param_fixture_func):
            continue
        # One of the whole session that no test names is about the machine: wheels, signals.
        if found is None or found.scope != "session" or name in info.argnames:
            return None
    return {name: given[name] for name in info.argnames}


class _Chosen:
    """A plugin that runs the tests that were asked for, in their order, up to the first that fails."""

    def __init__(self, wanted: Sequence[str], seconds: Mapping[str, float]) -> None:
        self._wanted = wanted
        self._seconds = seconds
        self.has_failed = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        # A test that is named by a value that was changed has another name now.
        renamed = [item for item in session.items if item.nodeid not in self._seconds]
        wanted = [items[test] for test in self._wanted if test in items]
        self.has_failed = _one_fails(wanted + (renamed if len(wanted) < len(self._wanted) else []), self._seconds)
        return True


def _one_fails(items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> bool:
    """Whether one of the tests fails; one that takes far longer than it should ends the process."""
    for item in items:
        _limit(seconds.get(item.nodeid, 1))
        if fails(item):
            return True
    return False


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


class Loaded:
    """A plugin that collects the tests and, in place of running them, gives them to ``go``.

    A process forked there has pytest, all that the tests import, and the tests. It puts a mutant's code into the
    functions that are loaded, or imports the core and some tests anew.
    """

    def __init__(self, go: Callable[[Loaded], None]) -> None:
        self._go = go
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[tuple[str, str], list[FunctionType]] = {}
        self._caches: list[Any] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        gc.unfreeze()
        for found in gc.get_objects():
            if isinstance(found, FunctionType):
                key = (found.__code__.co_filename, found.__code__.co_qualname)
                self._functions.setdefault(key, []).append(found)
        self._caches = core_caches()
        gc.collect()
        gc.freeze()
        self._go(self)
        return True

    def changed(self, code: CodeType, line: int) -> list[tuple[FunctionType, CodeType]]:
        """The loaded functions at the line of a module, each with its code in another one of the module."""
        return [
            (function, inner)
            for inner in _function_codes(code)
            if line in {number for _, _, number in _all_lines(inner)}
            for function in self._functions.get((inner.co_filename, inner.co_qualname), ())
            if function.__code__.co_firstlineno == inner.co_firstlineno
        ]

    def notices(
        self, changed: Sequence[tuple[FunctionType, CodeType]], tests: Sequence[str], seconds: Mapping[str, float]
    ) -> bool:
        """Whether one of the tests fails with the functions changed."""
        for function, inner in changed:
            function.__code__ = inner
        for cache in self._caches:
            cache.cache_clear()
        return _one_fails([self._items[test] for test in tests], seconds)

    def notices_anew(
        self, changed: MutantImport, stages: Sequence[Sequence[str]], seconds: Mapping[str, float]
    ) -> bool:
        """Whether one of the tests fails when everything of this project is imported anew, with the module changed."""
        own = [name for name, module in sys.modules.items() if _is_own(name, module)]
        for name in own:
            del sys.modules[name]
        sys.meta_path.insert(0, changed)
        return any(_fails(tests, seconds) for tests in stages)


def _is_own(name: str, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    return (
        file.startswith(f"{ROOT}/")
        and "site-packages" not in file
        and not name.startswith(("tests.mutation", "__main__"))
    )


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


def load(go: Callable[[Loaded], None]) -> int:
    """Load the core, collect its tests, and go on from there."""
    _register_profile()
    return pytest.main([*_OPTIONS, *TESTS], plugins=[Loaded(go)])


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
        max_examples=20,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate],
    )
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"


def _fails(tests: Sequence[str], seconds: Mapping[str, float]) -> bool:
    chosen = _Chosen(tests, seconds)
    files = list(dict.fromkeys(nodeid.split("::")[0] for nodeid in tests))
    status = pytest.main([*_OPTIONS, *files], plugins=[chosen])
    return chosen.has_failed or status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
