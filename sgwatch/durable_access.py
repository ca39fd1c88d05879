"""What the commands about durable delivery share: where a stage is, its clients, and AWS's refusals as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.bootstrap import aws_client
from chalicelib.delivery.state import StateError
from sgwatch.durable_stack import StackError
from sgwatch.durable_template import Place
from sgwatch.terminal import refuse

Stage = Annotated[str, typer.Option("--stage", help="The Chalice stage.")]


def client(service: str) -> Any:
    """A client in the region and with the credentials of the environment."""
    return aws_client(service)


def place_of(stage: str, topic: str = "") -> Place:
    """Where the stage's resources are: in the account and region of the credentials."""
    sts = client("sts")
    arn = sts.get_caller_identity()["Arn"].split(":")
    return Place(stage, arn[1], sts.meta.region_name, arn[4], topic)


def caller() -> str:
    """Who runs the command, as AWS knows them."""
    return str(client("sts").get_caller_identity()["Arn"])


@contextmanager
def refusals() -> Iterator[None]:
    """Ends the command with status 2 and a sentence where AWS refuses, or cannot be reached."""
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        refuse(f"{error.operation_name}: {answer.get('Code')}: {answer.get('Message')}")
    except BotoCoreError as error:
        refuse(str(error))
    except (StackError, StateError) as error:
        refuse(str(error))
