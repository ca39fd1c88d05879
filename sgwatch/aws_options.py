"""``--region`` and ``--profile``, which every command that asks AWS takes: for boto3 they are environment variables."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Annotated

import typer

RegionOption = Annotated[str | None, typer.Option("--region", help="The AWS region, in place of the shell's.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="The profile of the AWS configuration.")]
_OPTIONS = {
    "region": (RegionOption, ("AWS_REGION", "AWS_DEFAULT_REGION")),
    "profile": (ProfileOption, ("AWS_PROFILE",)),
}


def in_place(function: Callable[..., None]) -> Callable[..., None]:
    """The function with the two options besides its own."""
    own = inspect.signature(function, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, (option, _) in _OPTIONS.items()
        if name not in own.parameters
    ]

    @functools.wraps(function)
    def run(*args: object, **options: object) -> None:
        for parameter in added:
            value = options.pop(parameter.name, None)
            if value:
                os.environ.update(dict.fromkeys(_OPTIONS[parameter.name][1], str(value)))
        function(*args, **options)

    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *added])  # type: ignore[attr-defined]
    run.__annotations__ = {name: item.annotation for name, item in run.__signature__.parameters.items()}  # type: ignore[attr-defined]
    return run
