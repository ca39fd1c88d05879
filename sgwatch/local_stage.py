"""A stage in the local cloud, deployed with the steps of the README: setup, chalice deploy, setup once more.

The stage's config.json and policies are private: what setup writes into them does not touch the project.
"""

from __future__ import annotations

import io
import shutil
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.callers import PARTITION
from localcloud.deploy import COPIED
from localcloud.session import variables_of
from sgwatch import durable_setup
from sgwatch.durable_template import StagePlace
from sgwatch.policies import write_policies
from sgwatch.project_files import CONFIG, read_json, stage_of_config, write_json

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
    def project(self) -> Path:
        """The project with the private copy in it."""
        return self.folder / "project"

    @property
    def config(self) -> Path:
        """The private copy."""
        return self.project / CONFIG

    def variables(self, cloud: LocalCloud) -> Mapping[str, str]:
        """Make the project and the durable resources; the settings of durable delivery to the local receivers."""
        self._link_project(Path.cwd())
        self.set_up(cloud)
        document = read_json(self.config)
        settings = stage_of_config(document, self.config, self.name)
        found: dict[str, str] = {**settings["environment_variables"], **variables_of(cloud), **self.more}
        settings["environment_variables"] = found
        write_json(self.config, document)
        write_policies(self.config, self.name)
        return found

    def _link_project(self, project: Path) -> None:
        self.config.parent.mkdir(parents=True)
        shutil.copy(project / CONFIG, self.config)
        for name in COPIED:
            if name != self.config.parent.name and (project / name).exists():
                (self.project / name).symlink_to(project / name)

    def set_up(self, cloud: LocalCloud) -> None:
        """``sgwatch setup --yes``, without what it prints."""
        place = StagePlace(self.name, PARTITION, cloud.region, cloud.account_id)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # moto names the kinds of resource that it does not make
            durable_setup.run(place, cache(cloud.client), self.config, yes=True)
