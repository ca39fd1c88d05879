"""Which tests run which lines, and so which of them may notice a mutant."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tests.mutation.session import CHALICELIB, ROOT, TESTS, LinesRun
from tests.mutation.sites import Mutant
from tests.mutation.uses import Line, Place, Uses

CACHE = ROOT / "build" / "mutation"
# CPU seconds, while lines are noted. What takes longer is left out: a mutant that it alone would notice survives.
_MOST_SECONDS = 1.5

T = TypeVar("T")


@dataclass(frozen=True)
class Covering:
    """The tests by the lines that they run, and their CPU seconds.

    ``collected`` has the files of tests by the lines that are run when they are collected, ``at_import`` the lines
    that are run when the modules are imported.
    """

    lines: dict[Line, list[str]]
    collected: dict[Line, list[str]]
    at_import: set[Line]
    seconds: dict[str, float]

    def calling(self, mutant: Mutant) -> list[str]:
        """The tests that run the mutant's statement, if it is in a function, the quickest first."""
        place = self._place(mutant)
        return [] if place.function is None else self._quickest(self._running(_lines_of(mutant.module, place)))

    def importing(self, mutant: Mutant) -> list[list[str]]:
        """The tests that may notice when all is imported anew, and no sooner; the quickest first."""
        place = self._place(mutant)
        own = _lines_of(mutant.module, place)
        files = {file for line in own for file in self.collected.get(line, ())}
        if place.function is not None and not own & self.at_import:
            return [self._quickest(self._of_files(files))] if files else []
        reached, names = self._uses.reached(place.binds, self.at_import.__contains__)
        files |= {file for file, words in self._words.items() if words & names}
        likely = self._quickest([*self._running(reached), *self._of_files(files)])
        return [stage for stage in _portions(likely, self.seconds) if stage]

    def _place(self, mutant: Mutant) -> Place:
        return self._uses.place(mutant.module, mutant.place)

    def _running(self, lines: Iterable[Line]) -> Iterator[str]:
        return (test for line in lines for test in self.lines.get(line, ()))

    def _of_files(self, files: set[str]) -> Iterator[str]:
        return (test for test in self.seconds if test.split("::")[0] in files)

    def _quickest(self, tests: Iterable[str]) -> list[str]:
        return sorted(set(tests), key=lambda test: (self.seconds[test], test))

    @cached_property
    def _uses(self) -> Uses:
        return Uses({named(path): path.read_text() for path in sorted(CHALICELIB.rglob("*.py"))})

    @cached_property
    def _words(self) -> dict[str, set[str]]:
        files = {test.split("::")[0] for test in self.seconds}
        return {file: set(re.findall(r"\w+", (ROOT / file).read_text())) for file in files}


def _lines_of(module: str, place: Place) -> set[Line]:
    return {Line(module, number) for number in range(place.statement[0], place.statement[1] + 1)}


def _portions(tests: list[str], seconds: dict[str, float]) -> Iterator[list[str]]:
    """What takes a second, and the rest: collecting the files of many tests takes its time, too."""
    number, total = 0, 0.0
    while number < len(tests) and total < 1:
        total += seconds[tests[number]]
        number += 1
    yield tests[:number]
    yield tests[number:]


def named(path: Path) -> str:
    """A module's name under ``chalicelib/``."""
    return str(path.relative_to(CHALICELIB))


def kept_file() -> Path:
    """Where is kept what is known of the sources and tests as they are now."""
    sources = [CHALICELIB, *(ROOT / test for test in (*TESTS, "tests/support", "tests/conftest.py"))]
    files = [file for source in sources for file in ([source] if source.is_file() else sorted(source.rglob("*.py")))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE / f"lines-{digest}.json"


def covering(kept: Path) -> Covering:
    """Which tests run which lines, as noted in a file."""
    document = json.loads(kept.read_text())
    names = list(document["seconds"])
    seconds = {test: taken for test, taken in document["seconds"].items() if taken <= _MOST_SECONDS}
    return Covering(
        {
            line: [names[place] for place in places if names[place] in seconds]
            for line, places in _by_line(document["lines"])
        },
        dict(_by_line(document["collected"])),
        {Line(module, number) for module, numbers in document["at_import"].items() for number in numbers},
        seconds,
    )


def _by_line(document: dict[str, dict[str, list[T]]]) -> Iterator[tuple[Line, list[T]]]:
    return ((Line(module, int(number)), found) for module, lines in document.items() for number, found in lines.items())


def keep(noted: LinesRun, kept: Path) -> None:
    """Write down what a run of the tests has noted."""
    places = {test: place for place, test in enumerate(noted.seconds)}
    document = {
        "lines": _inverted({places[test]: files for test, files in noted.lines.items()}),
        "collected": _inverted(noted.collected),
        "at_import": {named(Path(file)): sorted(numbers) for file, numbers in noted.at_import.items()},
        "seconds": noted.seconds,
    }
    kept.write_text(json.dumps(document))


def _inverted(noted: dict[T, dict[str, set[int]]]) -> dict[str, dict[int, list[T]]]:
    found: dict[str, dict[int, list[T]]] = {}
    for whose, files in noted.items():
        for file, numbers in files.items():
            for number in numbers:
                found.setdefault(named(Path(file)), {}).setdefault(number, []).append(whose)
    return found
