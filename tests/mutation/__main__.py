"""``python -m tests.mutation --sample 600 --seed 1``: how many mutants of the pure core its tests notice.

A mutant is tried in a process forked from one that has loaded everything: its code is put into the loaded functions, or
the core is imported anew where its statement is run at import. The tests that run the statement are run, the quickest
first, until one fails. Status 1 where fewer than nine in ten of those that are no equivalents are noticed.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from random import Random
from time import monotonic
from types import CodeType

from tests.mutation.covering import Covering, covering, keep, kept_file, named
from tests.mutation.session import CHALICELIB, Loaded, MutantImport, lines_run, load, name_of
from tests.mutation.sites import Mutant, mutants, mutated

CORE = (
    *("security_groups", "exposure", "undo"),
    *(f"cloudtrail/{name}.py" for name in ("records", "principals", "user_agents", "catalog")),
    *(f"alert/{name}.py" for name in ("build", "headline", "resolution", "filters")),
)
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
WANTED = 0.9
# CPU seconds of all tests together, and more: an endless loop is noticed, too.
_MOST_SECONDS = 600
_MOST_MEMORY = 4 * 2**30


def core_files() -> list[Path]:
    """The modules of the core, by name."""
    roots = [CHALICELIB / name for name in CORE]
    found = [path for root in roots for path in ([root] if root.is_file() else root.glob("*.py"))]
    return sorted(path for path in found if path.stat().st_size)


def _note(kept: Path) -> None:
    def call() -> int:
        keep(lines_run(), kept)
        return 0

    if _ended(call, silent=False) != 0:
        raise SystemExit("the tests that run which lines could not be noted")


def start(call: Callable[[], int], seconds: float, *, silent: bool = True) -> int:
    """The id of a forked process that makes the call and ends with what it gives."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 3
    try:
        if silent:
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


@dataclass(frozen=True)
class Trial:
    """How mutants are tried: with which tests, and so many at once."""

    known: Covering
    jobs: int

    def run(self, chosen: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        """Each mutant, and whether a test noticed it: with its code in the loaded functions, else imported anew."""
        reading, writing = os.pipe()

        def go(loaded: Loaded) -> None:
            with os.fdopen(writing, "w", buffering=1) as out:
                for mutant, found in self._each(chosen, loaded):
                    out.write(f"{chosen.index(mutant)} {int(found)}\n")

        server = start(partial(load, go), 24 * 3600)
        os.close(writing)
        with os.fdopen(reading) as results:
            for line in results:
                place, found = line.split()
                yield chosen[int(place)], found == "1"
        if os.waitpid(server, 0)[1]:
            raise SystemExit("the core's tests could not be loaded")

    def passes_unchanged(self) -> bool:
        """Whether no test fails in either way of trying with the same code: else every mutant would be noticed."""
        path, tests = core_files()[0], list(self.known.seconds)
        code: CodeType = compile(path.read_text(), str(path), "exec")

        def go(loaded: Loaded) -> None:
            seconds = self.known.seconds
            unchanged = MutantImport(name_of(path), path, code)
            every = [same for line in range(path.read_text().count("\n")) for same in loaded.changed(code, line)]
            if not every or _in_child(lambda: loaded.notices(every, tests, seconds)):
                os._exit(1)
            os._exit(int(_in_child(lambda: loaded.notices_anew(unchanged, [tests], seconds))))

        return _ended(partial(load, go)) == 0

    def _each(self, chosen: Sequence[Mutant], loaded: Loaded) -> Iterator[tuple[Mutant, bool]]:
        running: dict[int, Mutant] = {}
        for mutant in chosen:
            if len(running) == self.jobs:
                yield _next(running)
            calling, anew = self.known.calling(mutant), self.known.importing(mutant)
            running[start(partial(self._try, loaded, mutant, calling, anew), _MOST_SECONDS)] = mutant
        while running:
            yield _next(running)

    def _try(self, loaded: Loaded, mutant: Mutant, calling: list[str], anew: list[list[str]]) -> int:
        code, seconds = _code(mutant), self.known.seconds
        changed = loaded.changed(code, mutant.line) if calling else []
        if calling and not changed:
            anew = [calling, *anew]
        attempt = partial(loaded.notices, changed, calling, seconds)
        if not anew:
            return int(attempt())
        # A process whose functions were changed is no good for another look.
        if changed and _in_child(attempt):
            return 1
        path = CHALICELIB / mutant.module
        return int(loaded.notices_anew(MutantImport(name_of(path), path, code), anew, seconds))


def _in_child(attempt: Callable[[], bool]) -> bool:
    return _ended(lambda: int(attempt())) != 0


def _ended(call: Callable[[], int], *, silent: bool = True) -> int | None:
    return _status(os.waitpid(start(call, _MOST_SECONDS, silent=silent), 0)[1])


def _code(mutant: Mutant) -> CodeType:
    path = CHALICELIB / mutant.module
    code: CodeType = compile(mutated(path.read_text(), mutant), str(path), "exec")
    return code


def _next(running: dict[int, Mutant]) -> tuple[Mutant, bool]:
    child, ended = os.wait()
    status = _status(ended)
    mutant = running.pop(child)
    if status not in (None, 0, 1):
        raise SystemExit(f"{mutant.name} could not be tried")
    return mutant, status != 0


def equivalents() -> dict[tuple[str, str, str], str]:
    """The mutants that are no other program: module, text of the line and its change, each with the reason.

    A kind of change without a number is each of its kind in the line.
    """
    lines = (line.split(" | ") for line in EQUIVALENT.read_text().splitlines() if line and not line.startswith("#"))
    return {(module, text, kind): reason for module, text, kind, reason in lines}


def labels(every: Iterable[Mutant]) -> dict[Mutant, str]:
    """What each mutant changes in its line: the kind of change, and which one where the line has several."""
    alike: dict[tuple[str, int, str], list[Mutant]] = {}
    for mutant in every:
        alike.setdefault((mutant.module, mutant.line, mutant.kind), []).append(mutant)
    return {
        mutant: f"{mutant.kind} {place}" if len(same) > 1 else mutant.kind
        for same in alike.values()
        for place, mutant in enumerate(sorted(same), 1)
    }


def _line_of(mutant: Mutant) -> str:
    lines = (CHALICELIB / mutant.module).read_text().splitlines()
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
    parser.add_argument("--only", nargs="*", help="these mutants, by name")
    given = parser.parse_args()

    every = [item for path in core_files() for item in mutants(named(path), path.read_text())]
    chosen = Random(given.seed).sample(every, min(given.sample, len(every))) if given.sample else every
    if given.only is not None:
        chosen = [item for item in every if item.name in given.only]
    kept = kept_file()
    if not kept.exists():
        _note(kept)
        if not Trial(covering(kept), 1).passes_unchanged():
            kept.unlink()
            raise SystemExit("the tests fail without any mutant")
    trial = Trial(covering(kept), given.jobs)
    label = labels(every)
    known, survived, equal, began = equivalents(), [], 0, monotonic()
    for number, (mutant, was_noticed) in enumerate(trial.run(chosen), 1):
        if not was_noticed:
            survived.append(mutant)
            kinds = (label[mutant], mutant.kind)
            reason = next(
                (found for kind in kinds if (found := known.get((mutant.module, _line_of(mutant), kind)))), None
            )
            equal += reason is not None
            print(
                f"{'equivalent' if reason else 'survived'}: {mutant.name} ({label[mutant]}): {_line_of(mutant)}",
                flush=True,
            )
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
