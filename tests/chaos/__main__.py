"""``python -m tests.chaos --events 10000 --seed 1``: a campaign whose result is printed."""

from __future__ import annotations

import argparse
import os

from tests.chaos.campaign import Campaign, Plan


def main() -> int:
    """Run it; 0 where nothing was lost, doubled without cause or disordered."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--death", type=float, default=0.001, help="the chance to be killed at each point passed")
    given = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing", AWS_DEFAULT_REGION="eu-west-1")
    result = Campaign(Plan(events=given.events, seed=given.seed, death=given.death)).run()
    print(result.report())
    bad = result.lost or result.unexplained or result.disorder or set(result.dead) - result.after_redrive
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
