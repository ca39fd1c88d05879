"""Lets the wheel carry what `sgwatch init` puts into an empty folder; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("app.py", "requirements.txt", ".chalice/config.json", "infra", "schemas")


class BuildWithProject(build_py):
    """Puts the project's files beside the package, where sgwatch/project_source.py looks for them."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        for name in CARRIED:
            source, target = Path(name), Path(self.build_lib, "sgwatch", "project", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)


setup(cmdclass={"build_py": BuildWithProject})
