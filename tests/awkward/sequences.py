"""Random sequences of an operator's commands against a local cloud at full awkwardness.

One cloud and one package serve all sequences: each ends with a deployment that alerts, and an uninstall that leaves
nothing for the next. What a command waits for is as short as AWS's times are here; its attempts are as many as ever.
"""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import typer

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import FULL
from localcloud.baseline import make_alarm_path
from localcloud.callers import PARTITION
from localcloud.receivers.webhook import SECRET
from sgwatch import bundle, durable_setup
from sgwatch.chalice_command import chalice_deploy
from sgwatch.commands import deploy, teardown, uninstall
from sgwatch.durable_template import StagePlace
from sgwatch.project_files import CONFIG
from sgwatch.removal import made_resources
from sgwatch.stages import deployed_file, wire
from sgwatch.waiting import waiting_clients
from tests.support import forked_chalice
from tests.support.deployment import copy_project

STAGE = "dev"
COMMANDS = ("deploy", "setup", "settings", "change", "teardown", "uninstall")
MOST_STEPS = 4
# What a stage watches in three of four sequences at first: with tampering it has three more functions, which audit what
# every deployment does.
WATCHED = "rules,groups,attachments,prefix_lists"
# Of 37, each of which every audit and every uninstall asks for what is forwarded from it.
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")
ALERT_SECONDS = 90.0
TOLD_EVERY = 10
# What each command may end with; anything else, and any exception, is a fault.
STATUSES = {"deploy": {0}, "setup": {0, 1}, "settings": {0}, "change": {0}, "teardown": {0, 1}, "uninstall": {0}}


@dataclass(slots=True)
class SequenceReport:
    """What became of a campaign; ``faults`` have the sequence and what was shown."""

    sequences: int = 0
    steps: int = 0
    changes: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """How far it is."""
        each = self.seconds / max(1, self.sequences)
        return (
            f"{self.sequences} sequences, {self.steps} commands, {self.changes} changes in {self.seconds:.0f} s "
            f"({each:.1f} s a sequence): {len(self.faults)} faults"
        )

    def text(self) -> str:
        """The line, and each fault."""
        return "\n".join((self.line(), *self.faults))


class AwkwardCampaign:
    """The campaign; ``seed`` decides the sequences and what the cloud leaves to chance."""

    def __init__(self, cloud: LocalCloud, folder: Path, seed: int) -> None:
        self._cloud = cloud
        self._chance = random.Random(seed)
        # A burst is gathered as long as ever but for this: AWS's minutes are parts of a second here.
        settings = {"WEBHOOK_URL": cloud.webhook_url, "WEBHOOK_SECRET": SECRET, "BURST_WINDOW": "1"}
        self._project = copy_project(folder, settings, STAGE)
        bundle.prepare(self._project)
        self._place = StagePlace(STAGE, PARTITION, cloud.region, cloud.account_id)
        self._client = waiting_clients()
        self._watched: str | None = None
        self.report = SequenceReport()

    def run(self, sequences: int, seconds: float) -> SequenceReport:
        """So many sequences, or as many as begin within these seconds."""
        began = time.monotonic()
        while self.report.sequences < sequences and time.monotonic() - began < seconds:
            steps = [self._chance.choice(COMMANDS) for _ in range(self._chance.randint(1, MOST_STEPS))]
            self._watch(None if self._chance.random() < 0.25 else WATCHED)
            self._sequence((*steps, "deploy", "change", "uninstall"))
            self.report.sequences += 1
            self.report.seconds = time.monotonic() - began
            if self.report.sequences % TOLD_EVERY == 0:
                print(self.report.line(), file=sys.stderr)
        return self.report

    def _sequence(self, steps: tuple[str, ...]) -> None:
        for number, name in enumerate(steps):
            # Repeated at once, one time in four: a command that was interrupted or not believed.
            for _ in range(1 + (self._chance.random() < 0.25)):
                self.report.steps += 1
                shown = io.StringIO()
                try:
                    with redirect_stdout(shown), redirect_stderr(shown):
                        status = self._step(name)
                except typer.Exit as error:
                    status = error.exit_code
                except Exception:  # noqa: BLE001 - whatever it is, it is a fault of the campaign's subject
                    status = -1
                    shown.write(traceback.format_exc())
                if status not in STATUSES[name]:
                    said = f"{' '.join(steps)}: step {number + 1}, {name}, ended with {status}:\n{shown.getvalue()}"
                    self.report.faults.append(said)
        if left := [f"{each.kind} {each.name}" for each in made_resources(self._place, self._client) if not each.kept]:
            self.report.faults.append(f"{' '.join(steps)}: left: {', '.join(left)}")

    def _step(self, name: str) -> int:
        place, client, project = self._place, self._client, self._project
        calls: dict[str, Callable[[], int]] = {
            "deploy": partial(
                deploy.run,
                place,
                client,
                project,
                direct=False,
                yes=True,
                compile_into=lambda _project: None,
                chalice=partial(chalice_deploy, sleep=self._sleep, run=forked_chalice.deploy),
                sleep=self._sleep,
            ),
            "setup": partial(durable_setup.run, place, client, project / CONFIG, yes=True, sleep=self._sleep),
            "settings": self._settings,
            "change": self._change,
            "teardown": partial(self._quietly, partial(teardown.run, place, client, project / CONFIG, yes=True)),
            "uninstall": partial(
                self._quietly, partial(uninstall.run, place, client, project, yes=True, sleep=self._wait)
            ),
        }
        return calls[name]()

    def _settings(self) -> int:
        """The stage watches tampering from now on, or no more: the next deployment has other functions."""
        self._watch(None if self._watched else WATCHED)
        return 0

    def _watch(self, watched: str | None) -> None:
        self._watched = watched
        wire(self._project / CONFIG, STAGE, {"WATCH": watched})

    def _sleep(self, seconds: float) -> None:
        """As long as what AWS takes so many seconds for takes here."""
        time.sleep(self._cloud.traits.awkwardness.wait(seconds))

    def _wait(self, seconds: float) -> None:
        """Until no function runs; that takes as long as ever."""
        self._cloud.wait_until_idle(seconds)
        self._sleep(seconds)

    def _quietly(self, command: Callable[[], int]) -> int:
        """What loses what still waits: it is asked for once nothing does."""
        self._cloud.wait_until_idle(ALERT_SECONDS)
        return command()

    def _change(self) -> int:
        """A change of a group; where the stage is deployed, its alert must arrive."""
        # One that tries again when AWS slows it down, as everybody's does.
        ec2 = self._client("ec2")
        name = f"group-{self.report.changes}"
        self.report.changes += 1
        ec2.create_security_group(GroupName=name, Description="d")
        if not deployed_file(STAGE, self._project).exists():
            return 0
        until = time.monotonic() + ALERT_SECONDS
        while time.monotonic() < until:
            if any(name in item.title for item in self._cloud.inbox.messages("webhook")):
                return 0
            time.sleep(0.1)
        print(f"no alert of {name}; the inbox has, latest last:")
        print(*[f"  {item.at:%H:%M:%S} {item.title}" for item in self._cloud.inbox.messages("webhook")[-8:]], sep="\n")
        print(f"  idle: {self._cloud.wait_until_idle(1.0)}; it was {datetime.now(UTC):%H:%M:%S}; the functions logged:")
        logs = self._client("logs")
        for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]:
            found = logs.filter_log_events(logGroupName=group["logGroupName"])["events"][-12:]
            print(*[f"  {group['logGroupName']} {event['message'].strip()}" for event in found], sep="\n")
        return 1


@contextmanager
def campaign(seed: int) -> Iterator[AwkwardCampaign]:
    """A campaign in a cloud of its own, which this process's AWS clients then talk to."""
    warnings.simplefilter("ignore")  # moto names the kinds of resource that it does not make
    with tempfile.TemporaryDirectory() as folder, LocalCloud() as cloud:
        cloud.enable_regions(*REGIONS)
        forked_chalice.preload()
        make_alarm_path(cloud)
        cloud.traits.set(replace(FULL, seed=seed))
        os.environ.update(cloud.environment())
        yield AwkwardCampaign(cloud, Path(folder), seed)
