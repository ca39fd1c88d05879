"""``python -m tests.mutation --sample 600 --seed 1``: how many mutants of the pure core its tests notice.

A mutant is run in a forked process that imports the core anew, by the tests that run its line, the quickest first,
until one fails. Status 1 where fewer than nine in ten of those that are no equivalents are noticed.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from math import sqrt
from pathlib import Path
from random import Random
from time import monotonic
from types import CodeType

from tests.mutation.session import ROOT, TESTS, InLoadedCore, MutantImport, in_loaded_core, lines_run, noticed
from tests.mutation.sites import Mutant, mutants, mutated

CORE = (
    *("security_groups", "exposure", "undo"),
    *(f"cloudtrail/{name}.py" for name in ("records", "principals", "user_agents", "catalog")),
    *(f"alert/{name}.py" for name in ("build", "headline", "resolution", "filters")),
)
CACHE = ROOT / "build" / "mutation"
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
WANTED = 0.9
# CPU seconds beyond those that the tests take by themselves: an endless loop is noticed, too.
_MORE_SECONDS = 30
_MOST_MEMORY = 4 * 2**30


@dataclass(frozen=True)
class Covering:
    """The tests by the lines of the core that they run, and their CPU seconds."""

    lines: dict[str, dict[int, tuple[str, ...]]]
    at_import: dict[str, frozenset[int]]
    seconds: dict[str, float]

    def tests_of(self, mutant: Mutant, function: tuple[int, int] | None, budget: float) -> list[list[str]]:
        """The tests that may notice a mutant, to be run one list after the other, ``budget`` seconds in all.

        Those of its line, else of its function; for what is run at import those of its module, and then all.
        """
        lines = self.lines.get(mutant.module, {})
        chosen = self._quickest(lines.get(mutant.line, ()))
        if not chosen and function is not None:
            chosen = self._quickest(test for line, tests in lines.items() if _is_in(line, function) for test in tests)
        stages = [chosen]
        if function is None or not chosen or mutant.line in self.at_import.get(mutant.module, ()):
            # What is run at import may be noticed anywhere.
            near = self._quickest(test for tests in lines.values() for test in tests)
            stages = [chosen, near, self._quickest(self.seconds)]
        return list(self._within(stages, budget))

    def _within(self, stages: list[list[str]], budget: float) -> Iterator[list[str]]:
        seen: set[str] = set()
        for stage in stages:
            wanted = []
            for test in stage:
                if test not in seen and budget > 0:
                    wanted.append(test)
                    budget -= self.seconds[test]
            seen.update(wanted)
            if wanted:
                yield wanted

    def _quickest(self, tests: Iterable[str]) -> list[str]:
        return sorted(set(tests), key=lambda test: (self.seconds[test], test))


def _is_in(line: int, function: tuple[int, int]) -> bool:
    return function[0] < line <= function[1]


def core_files() -> list[Path]:
    """The modules of the core, by name."""
    roots = [ROOT / "chalicelib" / name for name in CORE]
    found = [path for root in roots for path in ([root] if root.is_file() else root.glob("*.py"))]
    return sorted(path for path in found if path.stat().st_size)


def covering() -> Covering:
    """Which tests run which lines, from one run that is kept until a source or a test changes."""
    sources = [*core_files(), *(path for test in TESTS for path in sorted(_files_of(ROOT / test)))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    kept = CACHE / f"lines-{digest}.json"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        if _in_child(lambda: _note(kept), seconds=1800) != 0:
            raise SystemExit("the tests that run which lines could not be noted")
    document = json.loads(kept.read_text())
    names = list(document["seconds"])
    return Covering(
        {
            module: {int(line): tuple(names[place] for place in places) for line, places in lines.items()}
            for module, lines in document["lines"].items()
        },
        {module: frozenset(lines) for module, lines in document["at_import"].items()},
        document["seconds"],
    )


def _files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))


def _note(kept: Path) -> int:
    noted = lines_run(frozenset(map(str, core_files())))
    lines: dict[str, dict[int, list[int]]] = {}
    for place, files in enumerate(map(noted.lines.__getitem__, noted.seconds)):
        for file, numbers in files.items():
            for number in numbers:
                lines.setdefault(named(Path(file)), {}).setdefault(number, []).append(place)
    at_import = {named(Path(file)): sorted(numbers) for file, numbers in noted.at_import.items()}
    kept.write_text(json.dumps({"lines": lines, "at_import": at_import, "seconds": noted.seconds}))
    return 0


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "chalicelib"))


def _in_child(call: Callable[[], int], seconds: float) -> int | None:
    """What the call gives in a forked process; None where it was ended for its time or its memory."""
    child = start(call, seconds)
    return _status(os.waitpid(child, 0)[1])


def start(call: Callable[[], int], seconds: float) -> int:
    """The id of a forked process that makes the call and ends with what it gives."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 3
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        status = call()
    finally:
        os._exit(status)


def _status(ended: int) -> int | None:
    return os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else None


@cache
def functions(source: str) -> list[tuple[int, int]]:
    """The lines of every function, the innermost first."""
    found = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(found, key=lambda lines: lines[1] - lines[0])


@dataclass(frozen=True)
class Trial:
    """How mutants are tried: with which tests, so many at once, for so many seconds of tests each."""

    known: Covering
    jobs: int
    budget: float

    def run(self, chosen: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        """Each mutant, and whether it was noticed; those of what is only run at import last, which take longest."""
        at_import = [item for item in chosen if self._is_at_import(item)]
        others = [item for item in chosen if item not in set(at_import)]
        yield from self._in_loaded_core(others)
        yield from self._each(at_import, self._imported)

    def run_fully(self, chosen: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        """As ``run``; a mutant that survived while tests were left out for their time is tried again with all of them.

        "Survived" then means that no test that may notice it did, never that there was no time to look.
        """
        again = []
        for mutant, was_noticed in self.run(chosen):
            if not was_noticed and self._leaves_out(mutant):
                again.append(mutant)
            else:
                yield mutant, was_noticed
        yield from replace(self, budget=self._all_seconds()).run(again)

    def _leaves_out(self, mutant: Mutant) -> bool:
        around = _function_around(mutant)
        return self.known.tests_of(mutant, around, self.budget) != self.known.tests_of(
            mutant, around, self._all_seconds()
        )

    def _all_seconds(self) -> float:
        return sum(self.known.seconds.values()) + 1

    def _is_at_import(self, mutant: Mutant) -> bool:
        return _function_around(mutant) is None or mutant.line in self.known.at_import.get(mutant.module, ())

    def _in_loaded_core(self, chosen: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        reading, writing = os.pipe()

        def go(core: InLoadedCore) -> None:
            with os.fdopen(writing, "w", buffering=1) as out:
                for mutant, found in self._each(chosen, lambda item: partial(self._loaded, core, item)):
                    out.write(f"{chosen.index(mutant)} {int(found)}\n")

        def serve() -> int:
            in_loaded_core(go)
            return 0

        server = start(serve, 24 * 3600)
        os.close(writing)
        with os.fdopen(reading) as results:
            for line in results:
                place, found = line.split()
                yield chosen[int(place)], found == "1"
        if os.waitpid(server, 0)[1]:
            raise SystemExit("the core's tests could not be loaded")

    def _each(
        self, chosen: list[Mutant], attempt_of: Callable[[Mutant], Callable[[], int]]
    ) -> Iterator[tuple[Mutant, bool]]:
        running: dict[int, Mutant] = {}
        for mutant in chosen:
            if len(running) == self.jobs:
                yield _next(running)
            running[start(attempt_of(mutant), 3 * self.budget + _MORE_SECONDS)] = mutant
        while running:
            yield _next(running)

    def _loaded(self, core: InLoadedCore, mutant: Mutant) -> int:
        stages = self.known.tests_of(mutant, _function_around(mutant), self.budget)
        found = core.notices(_code(mutant), mutant.line, list(chain.from_iterable(stages)), self.known.seconds)
        return int(found)

    def _imported(self, mutant: Mutant) -> Callable[[], int]:
        def attempt() -> int:
            name = f"chalicelib.{mutant.module.removesuffix('.py').replace('/', '.')}"
            changed = MutantImport(name, ROOT / "chalicelib" / mutant.module, _code(mutant))
            stages = self.known.tests_of(mutant, _function_around(mutant), self.budget)
            return int(noticed(changed, stages, self.known.seconds))

        return attempt


def _code(mutant: Mutant) -> CodeType:
    path = ROOT / "chalicelib" / mutant.module
    code: CodeType = compile(mutated(path.read_text(), mutant), str(path), "exec")
    return code


def _function_around(mutant: Mutant) -> tuple[int, int] | None:
    """The lines of the innermost function whose body a mutant is in."""
    found = functions((ROOT / "chalicelib" / mutant.module).read_text())
    return next((lines for lines in found if lines[0] < mutant.line <= lines[1]), None)


def _next(running: dict[int, Mutant]) -> tuple[Mutant, bool]:
    child, ended = os.wait()
    status = _status(ended)
    mutant = running.pop(child)
    if status not in (None, 0, 1):
        raise SystemExit(f"{mutant.name} could not be tried")
    return mutant, status != 0


def equivalents() -> dict[tuple[str, str, str], str]:
    """The mutants that are no other program: module, text of the line and change, each with the reason."""
    lines = (line.split(" | ") for line in EQUIVALENT.read_text().splitlines() if line and not line.startswith("#"))
    return {(module, text, kind): reason for module, text, kind, reason in lines}


def _line_of(mutant: Mutant) -> str:
    lines = (ROOT / "chalicelib" / mutant.module).read_text().splitlines()
    return lines[mutant.line - 1].strip() if mutant.line else ""


def interval(share: float, of: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson)."""
    z = 1.96
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    width = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - width, middle + width


def main() -> int:
    """Try a sample and print what survived and the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--sample", type=int, default=600, help="how many mutants, drawn at random; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--budget", type=float, default=10, help="seconds of tests at first; survivors get all")
    parser.add_argument("--only", nargs="*", help="these mutants, by name")
    given = parser.parse_args()
    import hypothesis  # noqa: F401, PLC0415 - every child has it then

    every = [item for path in core_files() for item in mutants(named(path), path.read_text())]
    chosen = Random(given.seed).sample(every, min(given.sample, len(every))) if given.sample else every
    if given.only is not None:
        chosen = [item for item in every if item.name in given.only]
    trial = Trial(covering(), given.jobs, given.budget)
    known, survived, equal, began = equivalents(), [], 0, monotonic()
    for number, (mutant, was_noticed) in enumerate(trial.run_fully(chosen), 1):
        if not was_noticed:
            survived.append(mutant)
            reason = known.get((mutant.module, _line_of(mutant), mutant.kind))
            equal += reason is not None
            print(f"{'equivalent' if reason else 'survived'}: {mutant.name}: {_line_of(mutant)}", flush=True)
        if number % 50 == 0:
            print(f"{number} of {len(chosen)}, {len(survived)} survived, {monotonic() - began:.0f} s", flush=True)
    others = len(chosen) - equal
    score = (len(chosen) - len(survived)) / others if others else 1.0
    low, high = interval(score, others or 1)
    print(
        f"{len(chosen)} of {len(every)} mutants, seed {given.seed}: {len(chosen) - len(survived)} noticed, "
        f"{equal} equivalent, {others - (len(chosen) - len(survived))} survived: "
        f"{score:.1%} (95 % interval {low:.1%} to {high:.1%}), {monotonic() - began:.0f} s"
    )
    return 0 if score >= WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
