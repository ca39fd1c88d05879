"""What a page of the docs site would load from elsewhere: ``make docs`` fails where there is anything.

The theme's script fetches Mermaid from a CDN once a page has an element of that class, so that is named, too.
https://squidfunk.github.io/mkdocs-material/reference/diagrams/
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

# Element → its attributes that a browser loads from. A link is followed by people alone.
_LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
# Of what `link` names, these are only for people and crawlers.
_NOT_LOADED = {"canonical", "alternate", "author", "license", "next", "prev", "edit"}
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)


class _Page(HTMLParser):
    """Collects what one page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and set(given.get("rel", "").lower().split()) & _NOT_LOADED:
            return
        for name in _LOADED.get(tag, ()):
            if _ELSEWHERE.search(given.get(name, "")[:8] if name != "srcset" else given.get(name, "")):
                self.found.append(f"<{tag} {name}={given[name]}>")
        if "mermaid" in given.get("class", "").split():
            self.found.append("a Mermaid diagram, for which the theme asks a CDN")
        self.found += _IN_STYLE.findall(given.get("style", ""))


def loaded_from_elsewhere(site: Path) -> Iterator[str]:
    """Each thing, behind the page or the style sheet that loads it."""
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = _Page()
            page.feed(path.read_text(encoding="utf-8"))
            yield from (f"{path.relative_to(site)}: {item}" for item in page.found)
        if path.suffix in {".html", ".css"}:
            for address in _IN_STYLE.findall(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(site)}: {address}"


if __name__ == "__main__":
    if complaints := list(loaded_from_elsewhere(Path(sys.argv[1]))):
        sys.exit("The site would load from elsewhere:\n" + "\n".join(complaints))
