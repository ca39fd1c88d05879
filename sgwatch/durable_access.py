"""What the commands about durable delivery share: where a stage is, its clients, and AWS's refusals as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import default_region
from chalicelib.state.errors import StateError
from chalicelib.text import visible
from sgwatch.aws_refusals import WAYS_OUT, sentence
from sgwatch.durable_stack import StackError
from sgwatch.durable_template import StagePlace
from sgwatch.terminal import refuse
from sgwatch.waiting import waiting_clients

DurableStageOption = Annotated[str, typer.Option("--stage", help="The Chalice stage.")]


@cache
def _clients() -> Callable[..., Any]:
    return waiting_clients()


def client(service: str, region: str | None = None, /) -> Any:
    """A client in the region and with the credentials of the environment; it waits for what AWS is still changing."""
    return _clients()(service, region)


def place_of(stage: str) -> StagePlace:
    """Where the stage's resources are: in the account and region of the credentials."""
    region = default_region()
    if region is None:  # STS answers without one
        refuse(WAYS_OUT["NoRegionError"])
    arn = client("sts").get_caller_identity()["Arn"].split(":")
    return StagePlace(stage, arn[1], region, arn[4])


def caller() -> str:
    """Who runs the command, as AWS knows them."""
    return str(client("sts").get_caller_identity()["Arn"])


def caller_account() -> str:
    """The account in which the command is run."""
    return str(client("sts").get_caller_identity()["Account"])


@contextmanager
def refusals(stage: str) -> Iterator[None]:
    """Ends the command with status 2 and a sentence where AWS refuses, cannot be reached or lacks the stage."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        text = sentence(error)
        refuse(_not_set_up(stage) if any(code in text for code in _NOT_THERE) else text)
    except StackError as error:
        refuse(str(error))
    except StateError as error:
        refuse(_not_set_up(stage) if error.code in _NOT_THERE else WAYS_OUT.get(error.code, str(error)))


_NOT_THERE = ("ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def _not_set_up(stage: str) -> str:
    return (
        f"stage {visible(stage)} has no durable delivery in this account and region; "
        f"sgwatch setup --stage {visible(stage)} makes it"
    )
