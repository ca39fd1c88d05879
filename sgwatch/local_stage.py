"""A stage in the local cloud, deployed with the steps of the README: setup, chalice deploy, setup once more.

The stage's config.json is a private copy: what setup writes into it does not touch the project.
"""

from __future__ import annotations

import io
import json
import shutil
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.callers import PARTITION
from localcloud.session import variables_of
from sgwatch.commands import setup
from sgwatch.durable_template import StagePlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import LocalCloud


@dataclass(frozen=True, slots=True)
class LocalStage:
    """A stage of a project and the folder for its private config.json; ``more`` are further settings."""

    name: str
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The private copy."""
        return self.folder / "config.json"

    def variables(self, cloud: LocalCloud) -> Mapping[str, str]:
        """Make the durable resources; the settings of durable delivery to the local receivers."""
        shutil.copy(Path.cwd() / ".chalice" / "config.json", self.config)
        self.set_up(cloud)
        wired: dict[str, str] = json.loads(self.config.read_text())["stages"][self.name]["environment_variables"]
        return {**wired, **variables_of(cloud), **self.more}

    def set_up(self, cloud: LocalCloud) -> None:
        """``sgwatch setup --yes``, without what it prints."""
        place = StagePlace(self.name, PARTITION, cloud.region, cloud.account_id)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # moto names the kinds of resource that it does not make
            setup.run(place, cache(cloud.client), self.config, yes=True)
