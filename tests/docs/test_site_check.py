"""The docs site loads nothing from elsewhere: what would be is found, and no page of the docs asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sgwatch.architecture import imports, reduced
from sgwatch.docs import DOCS
from sgwatch.package_picture import picture
from sgwatch.site_check import loaded_from_elsewhere

ELSEWHERE = {
    "script": '<script src="https://unpkg.com/mermaid@11/dist/mermaid.min.js"></script>',
    "style sheet": '<link rel="stylesheet" href="//fonts.example.com/css?family=Roboto">',
    "preconnect": '<link rel="preconnect" href="https://fonts.example.com" crossorigin>',
    "picture": '<img alt="" src="HTTP://example.com/a.png">',
    "picture in two sizes": '<img alt="" srcset="a.png 1x, https://example.com/b.png 2x">',
    "frame": '<iframe src="https://example.com/"></iframe>',
    "font in a style": "<style>@font-face { src: url(https://example.com/a.woff2) }</style>",
    "import in a style": '<style>@import "https://example.com/a.css";</style>',
    "style of an element": "<p style=\"background: url('https://example.com/a.png')\">",
    "diagram": '<pre class="mermaid"><code>flowchart</code></pre>',
}
FROM_HERE = (
    '<link rel="canonical" href="https://example.com/"><link rel="stylesheet" href="assets/main.css">'
    '<script src="assets/bundle.js"></script><img alt="" src="packages.svg"><img src="data:image/png;base64,aa//">'
    '<a href="https://example.com/">a link</a><code>&lt;script src="https://example.com/"&gt;</code>'
)


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_what_a_page_would_load_from_elsewhere_is_found(kind: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html>{FROM_HERE}{ELSEWHERE[kind]}")
    done = subprocess.run(
        [sys.executable, "-m", "sgwatch.site_check", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "page.html: " in done.stderr


def test_what_a_page_has_with_it_and_what_it_links_to_is_no_complaint(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(FROM_HERE)
    (tmp_path / "main.css").write_text("a { background: url(a.png) }")
    assert list(loaded_from_elsewhere(tmp_path)) == []


def test_a_style_sheet_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "main.css").write_text("@import url('https://example.com/a.css');")
    assert list(loaded_from_elsewhere(tmp_path)) == ["main.css: https://example.com/a.css"]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_no_page_has_a_diagram_that_is_drawn_by_a_script_of_somebody_else(page: Path) -> None:
    assert "```mermaid" not in page.read_text()


def test_pages_that_are_no_markdown_load_nothing_from_elsewhere() -> None:
    assert list(loaded_from_elsewhere(DOCS)) == []


def test_the_picture_of_the_packages_is_drawn_from_the_code_of_today() -> None:
    drawn = picture(reduced(imports()))
    assert (DOCS / "packages.svg").read_text() == drawn
    assert all(f">{package}</text>" in drawn for package in imports())
    assert drawn.count('class="arrow"') == sum(map(len, reduced(imports()).values()))


def test_an_arrow_over_a_row_crosses_no_box() -> None:
    drawn = picture({"top": ["middle", "bottom"], "middle": ["bottom"], "bottom": []})
    assert drawn.count("<rect") == 4
    assert drawn.count("V") == 1
