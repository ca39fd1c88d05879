"""``python -m tests.awkward --sequences 200 --seed 1``: a campaign whose result is printed."""

from __future__ import annotations

import argparse

from tests.awkward.sequences import campaign


def main() -> int:
    """Run it; 0 where every command ended as it may, every change was alerted and nothing was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.awkward")
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further sequence after these")
    given = parser.parse_args()
    with campaign(given.seed) as running:
        report = running.run(given.sequences, given.seconds)
    print(report.text())
    return 1 if report.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
