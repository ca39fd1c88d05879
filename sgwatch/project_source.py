"""What a project is made of, where sgwatch itself is: a checkout, or an installed package that carries the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import chalicelib
from sgwatch.project_files import CONFIG, read_json, write_json

FILES = ("app.py", "requirements.txt")
_CHECKOUT, _CARRIED = Path(__file__).parents[1], Path(__file__).parent / "project"


def source() -> Path:
    """The folder with app.py, requirements.txt, infra/, schemas/ and .chalice/config.json."""
    return _CARRIED if _CARRIED.is_dir() else _CHECKOUT


def make_project(folder: Path) -> bool:
    """Put into a folder what Chalice deploys; False where an app.py is there already.

    Its config.json has no stage yet.
    """
    if (folder / "app.py").exists():
        return False
    for name in FILES:
        shutil.copy(source() / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(chalicelib.__file__).parent, folder / "chalicelib", ignore=ignored, dirs_exist_ok=True)
    if not (folder / CONFIG).exists():
        (folder / CONFIG).parent.mkdir(exist_ok=True)
        write_json(folder / CONFIG, {**template(), "stages": {}})
    return True


def template() -> dict[str, object]:
    """sgwatch's own config.json."""
    return read_json(source() / CONFIG)
