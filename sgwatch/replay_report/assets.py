"""The style and the script of the report, and the policy that lets the browser run nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_FOLDER = Path(__file__).parent
STYLE = (_FOLDER / "report.css").read_text(encoding="utf-8")
SCRIPT = (_FOLDER / "report.js").read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def policy(style: str, script: str = "") -> str:
    """The Content-Security-Policy of a page with this style and this script.

    Whatever a record could smuggle past the escaping would still not run.
    """
    scripts = f"script-src {_source(script)}; " if script else ""
    return f"default-src 'none'; style-src {_source(style)}; {scripts}base-uri 'none'; form-action 'none'"
