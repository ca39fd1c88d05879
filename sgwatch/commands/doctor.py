"""``sgwatch doctor``: what stands in the way of a stage, each with the way out."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import ClientFactory, default_region
from chalicelib.deployment import HANDLERS
from chalicelib.settings.environment import read_settings
from chalicelib.settings.model import SettingsError
from chalicelib.settings.secrets import SecretError, Secrets
from sgwatch import durable_access
from sgwatch.aws_refusals import sentence
from sgwatch.deployability import denied_actions, region_fault, settings_faults
from sgwatch.durable_access import DurableStageOption
from sgwatch.durable_mending import deployed, differences, functions
from sgwatch.durable_template import StagePlace
from sgwatch.package_owner import package_owner
from sgwatch.policies import stale_policies
from sgwatch.project_files import CONFIG, StageError
from sgwatch.stages import DeployedStage, deployed_stage

# Lambda's runtimes that Chalice 1.34 can name.
OLDEST, NEWEST, RECOMMENDED = (3, 11), (3, 14), "3.13"


class DoctorVerdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One check; ``fix`` is what to do where it is not good."""

    what: str
    verdict: DoctorVerdict
    said: str
    fix: str = ""


def doctor(stage: DurableStageOption = "prod") -> None:
    """Check Python, Chalice, settings, policies, credentials, region, trail, permissions, deployment and references.

    Exit status: 0 all is good, 1 something is bad, 2 something could not be checked.
    """
    found = []
    for each in diagnoses(stage, Path(), durable_access.client):
        found.append(each.verdict)
        typer.echo(f"{_MARKS[each.verdict]} {each.what}: {each.said}")
        if each.fix and each.verdict is not DoctorVerdict.GOOD:
            typer.echo(f"    {each.fix}")
    raise typer.Exit(1 if DoctorVerdict.BAD in found else 2 if DoctorVerdict.UNKNOWN in found else 0)


_MARKS = {DoctorVerdict.GOOD: "✔", DoctorVerdict.BAD: "✘", DoctorVerdict.UNKNOWN: "?"}


def diagnoses(stage: str, project: Path, client: ClientFactory) -> Iterator[Diagnosis]:
    """Every check, those that need no AWS first; what an earlier fault makes senseless is left out."""
    yield _python()
    yield _chalice()
    settings = list(_settings(stage, project))
    yield from settings
    located = _credentials(stage, client)
    if isinstance(located, Diagnosis):
        yield located
        return
    yield Diagnosis("credentials", DoctorVerdict.GOOD, f"account {located.account}, region {located.region}")
    checks: list[tuple[str, Callable[[], Diagnosis]]] = [
        ("region of the stage", lambda: _region(located, project, client)),
        ("trail", lambda: _trail(client("cloudtrail"), located)),
        ("permissions to deploy", lambda: _permissions(client)),
    ]
    if all(each.verdict is DoctorVerdict.GOOD for each in settings):
        stage_now = deployed_stage(stage, project)
        checks.append(("references", lambda: _references(stage_now, client)))
        checks.append(("deployment", lambda: _deployment(located, stage_now, client)))
    for what, check in checks:
        try:
            yield check()
        except (BotoCoreError, ClientError) as error:
            yield Diagnosis(what, DoctorVerdict.UNKNOWN, sentence(error), "give this caller the permission to read it")


def _python() -> Diagnosis:
    version = ".".join(map(str, sys.version_info[:2]))
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Diagnosis(
            "Python", DoctorVerdict.GOOD, f"{version}, which is the runtime that Chalice will ask Lambda for"
        )
    fix = f"make setup PYTHON=python{RECOMMENDED}"
    return Diagnosis("Python", DoctorVerdict.BAD, f"{version}, and Chalice takes Lambda's runtime from it", fix)


def _chalice() -> Diagnosis:
    try:
        return Diagnosis("Chalice", DoctorVerdict.GOOD, importlib.metadata.version("chalice"))
    except importlib.metadata.PackageNotFoundError:
        return Diagnosis("Chalice", DoctorVerdict.BAD, "it is not installed", "make setup, or pip install chalice")


def _settings(stage: str, project: Path) -> Iterator[Diagnosis]:
    try:
        faults = settings_faults(project, stage)
        stale = list(stale_policies(project / CONFIG, stage))
    except StageError as error:
        yield Diagnosis("settings", DoctorVerdict.BAD, str(error), f"sgwatch init --stage {stage}")
        return
    for fault in faults:
        yield Diagnosis("settings", DoctorVerdict.BAD, fault, f"edit {CONFIG}, or sgwatch init --stage {stage}")
    if not faults:
        yield Diagnosis("settings", DoctorVerdict.GOOD, f"those of stage {stage} have no faults")
    if stale:
        fix = f"python -m sgwatch.policies {stage}, then sgwatch deploy --stage {stage}"
        yield Diagnosis("policies", DoctorVerdict.BAD, f"{', '.join(stale)} are not what the settings want", fix)
    else:
        yield Diagnosis("policies", DoctorVerdict.GOOD, "they are what the settings want")


def _credentials(stage: str, client: ClientFactory) -> StagePlace | Diagnosis:
    """Where the credentials lead, or what is wrong with them or with the region."""
    if default_region() is None:
        return Diagnosis("region", DoctorVerdict.BAD, "none is set", "set AWS_REGION, or give --region")
    try:
        arn = client("sts").get_caller_identity()["Arn"].split(":")
    except (BotoCoreError, ClientError) as error:
        fix = "log in again (aws sso login), or set AWS_PROFILE"
        return Diagnosis("credentials", DoctorVerdict.BAD, sentence(error), fix)
    return StagePlace(stage, arn[1], str(default_region()), arn[4])


def _region(place: StagePlace, project: Path, client: ClientFactory) -> Diagnosis:
    fault = region_fault(place, project, client)
    if fault is not None:
        return Diagnosis(
            "region of the stage", DoctorVerdict.BAD, fault, "a stage for each region, or forwarders to one"
        )
    return Diagnosis("region of the stage", DoctorVerdict.GOOD, f"{place.region}, and no other")


def _trail(cloudtrail: Any, place: StagePlace) -> Diagnosis:
    """EventBridge gets CloudTrail's records only where a trail logs management events."""
    for trail in cloudtrail.describe_trails()["trailList"]:
        here = trail.get("IsMultiRegionTrail") or trail.get("HomeRegion") == place.region
        if here and cloudtrail.get_trail_status(Name=trail["TrailARN"]).get("IsLogging"):
            return Diagnosis("trail", DoctorVerdict.GOOD, f"{trail['Name']} logs in {place.region}")
    fix = "aws cloudtrail create-trail with --is-multi-region-trail, then start-logging (docs/alarm-path.md)"
    return Diagnosis(
        "trail", DoctorVerdict.BAD, f"no trail logs in {place.region}, so that EventBridge gets no event", fix
    )


def _permissions(client: ClientFactory) -> Diagnosis:
    denied = denied_actions(str(client("sts").get_caller_identity()["Arn"]), client("iam"))
    if denied is None:
        fix = "docs/deploy.md has the policy; iam:SimulatePrincipalPolicy lets this be checked"
        return Diagnosis("permissions to deploy", DoctorVerdict.UNKNOWN, "IAM does not simulate them for you", fix)
    if names := list(denied):
        fix = "have the policy in docs/deploy.md attached"
        return Diagnosis("permissions to deploy", DoctorVerdict.BAD, f"denied: {', '.join(names)}", fix)
    return Diagnosis("permissions to deploy", DoctorVerdict.GOOD, "everything that deploying calls is allowed")


def _references(stage: DeployedStage, client: ClientFactory) -> Diagnosis:
    """Whether what the settings refer to is there; its value is not printed."""
    try:
        settings = read_settings(stage.variables)
    except SettingsError as error:
        settings = error.sound
    secrets, missing = Secrets(client), []
    for value in (value for item in settings.destinations for value in item.values.values()):
        try:
            secrets.resolve(value)
        except SecretError as error:
            missing.append(str(error))
    if missing:
        return Diagnosis(
            "references", DoctorVerdict.BAD, "; ".join(missing), "aws ssm put-parameter, or sgwatch init again"
        )
    names = ", ".join(item.name for item in settings.destinations)
    return Diagnosis(
        "references", DoctorVerdict.GOOD, f"{names}: all there; sgwatch send-test says whether alerts arrive"
    )


def _deployment(place: StagePlace, stage: DeployedStage, client: ClientFactory) -> Diagnosis:
    wanted = [handler for handler in HANDLERS if place.function(handler) in stage.functions]
    missing = [handler for handler in wanted if not deployed(client("lambda"), place.function(handler))]
    owner = package_owner(place, client("lambda"))
    fix = f"sgwatch {'setup' if owner else 'deploy'} --stage {place.stage}"
    if len(missing) == len(wanted):
        return Diagnosis("deployment", DoctorVerdict.BAD, f"stage {place.stage} is not deployed in {place.region}", fix)
    wrong = [f"{place.function(handler)} is not there" for handler in missing]
    if stage.durable is not None:
        found = functions(place, client("lambda")) if owner else differences(place, client)
        wrong += [each.sentence for each in found]
    if wrong:
        return Diagnosis("deployment", DoctorVerdict.BAD, "; ".join(wrong), fix)
    return Diagnosis(
        "deployment", DoctorVerdict.GOOD, f"{len(wanted)} functions; sgwatch audit --stage {place.stage} goes on"
    )
