"""The page on the alarm path names every check there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_check_is_on_the_page_and_every_check_on_the_page_exists() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "chalicelib" / "alarm_path").glob("*.py"))
    known = r"(?:trail|log|filter|alarm|composite|topic|own)-[a-z-]+|subscriber"
    made = set(re.findall(rf'(?:Finding\(\s*|check(?:, name)? ?(?:=|,) ?|else )"({known})"', source))
    page = (ROOT / "docs" / "alarm-path.md").read_text().split("## How an alarm")[0].split("## What is checked")[1]
    named = set(re.findall(rf"`({known})`", page))
    assert made - named == set()
    assert {check for check in named if f'"{check}"' not in source} == set()
