"""``sgwatch setup``: the durable resources of a stage, made, wired, mended and verified."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from chalicelib.aws.arns import parse_arn
from sgwatch import durable_access, durable_setup
from sgwatch.durable_access import DurableStageOption, place_of, refusals
from sgwatch.durable_stack import Stack
from sgwatch.durable_template import StagePlace
from sgwatch.project_files import CONFIG, StageError
from sgwatch.stages import check
from sgwatch.terminal import refuse

AlarmTopic = Annotated[
    str | None,
    typer.Option("--alarm-topic", metavar="ARN", help='An SNS topic for the alarms, or "" for none; else as before.'),
]


def setup(
    stage: DurableStageOption = "prod",
    alarm_topic: AlarmTopic = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before changing anything.")] = False,
) -> None:
    """Make or update a stage's durable resources, showing first what would change; then wire, mend and verify.

    Run it before chalice deploy, and once more after it. Exit status: 0 everything is as it should be, 1 something
    remains to be done (it says what), 2 AWS refused or the stage is not there.
    """
    try:
        check(CONFIG, stage)
    except StageError as error:
        refuse(str(error))
    with refusals(stage):
        status = durable_setup.run(place_with_topic(stage, alarm_topic), durable_access.client, CONFIG, yes=yes)
    raise typer.Exit(status)


def place_with_topic(stage: str, alarm_topic: str | None) -> StagePlace:
    """Where the stage is, with the topic for its alarms: the given one, or else the one that the stack has.

    The alarms that its dashboard shows are those that the stack has.
    """
    topic = parse_arn(alarm_topic or "")
    if alarm_topic and (topic is None or topic.service != "sns"):
        refuse(f'--alarm-topic: "{alarm_topic}" is not the ARN of an SNS topic')
    place = place_of(stage)
    stack = Stack(durable_access.client("cloudformation"), place)
    kept = stack.topic() if alarm_topic is None else alarm_topic
    return replace(place, topic=kept, path_alarms=stack.path_alarms())
