"""moto's CloudFormation, made to read templates, to make stacks and to end them as AWS's does.

A template goes through SAM's transform, and what depends on something is made after it. Where something cannot be
deleted the rest is, and the stack stays.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-delete-stack.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from localcloud.aws_error import AwsError
from localcloud.callers import PARTITION
from localcloud.gaps.serverless import transformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.calls import ApiRequest

DELETE_FAILED, NAMED = "DELETE_FAILED", "CAPABILITY_NAMED_IAM"
# What moto's services raise.
REFUSED = (ServiceException, HTTPException)


@functools.cache
def stack_models() -> Any:
    """moto's module, which takes seconds to import."""
    from moto.cloudformation import models, parsing, responses  # noqa: PLC0415

    _read_as_aws(models, responses)
    _make_and_delete_as_aws(models, parsing)
    return models


def _read_as_aws(models: Any, responses: Any) -> None:
    parse, read = models.Stack.parse_template, responses.get_stack_from_s3_url

    def parse_template(template: str) -> dict[str, Any]:
        return transformed(parse(template))

    def parse_own(change_set: Any) -> None:
        change_set.template_dict = parse_template(change_set.template)

    def read_template(template_url: str, account_id: str, partition: str) -> str:
        # moto takes a host for the bucket's name, unless it is this one.
        path = urlsplit(template_url).path
        return str(read(f"http://localhost{path}", account_id=account_id, partition=partition))

    models.Stack.parse_template = staticmethod(parse_template)
    models.ChangeSet._parse_template = parse_own  # noqa: SLF001  # moto has no other door
    responses.get_stack_from_s3_url = read_template


def _make_and_delete_as_aws(models: Any, parsing: Any) -> None:
    get, delete_resource = parsing.ResourceMap.__getitem__, parsing.ResourceMap._delete_resource  # noqa: SLF001
    delete_stack = models.Stack.delete

    def get_after_dependencies(resources: Any, name: str) -> Any:
        # moto has an order for CreateStack alone, not for a change set that creates.
        if name not in resources._parsed_resources:  # noqa: SLF001
            after = resources._resource_json_map.get(name, {}).get("DependsOn", ())  # noqa: SLF001
            for each in (after,) if isinstance(after, str) else after:
                resources[each]
        return get(resources, name)

    def delete_what_is_there(resources: Any, resource: Any, resource_json: Any) -> None:
        try:
            delete_resource(resources, resource, resource_json)
        except REFUSED as error:
            if "NotFound" not in f"{type(error).__name__} {error}":
                raise

    def delete_what_can_be(stack: Any) -> None:
        try:
            delete_stack(stack)
        except REFUSED as error:
            stack._add_stack_event(DELETE_FAILED, resource_status_reason=str(error))  # noqa: SLF001
            stack.status = DELETE_FAILED

    parsing.ResourceMap.__getitem__ = get_after_dependencies
    parsing.ResourceMap._delete_resource = delete_what_is_there  # noqa: SLF001
    models.Stack.delete = delete_what_can_be


def checked(call: ApiRequest, account_id: str) -> None:
    """Refuse roles with names of their own to who did not say that he knows of them.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    """
    if NAMED in (call.params.get("Capabilities") or ()):
        return
    models, text, url = stack_models(), call.params.get("TemplateBody"), call.params.get("TemplateURL")
    if url:
        from moto.cloudformation.responses import get_stack_from_s3_url  # noqa: PLC0415

        text = get_stack_from_s3_url(url, account_id=account_id, partition=PARTITION)
    resources = models.Stack.parse_template(text).get("Resources", {}).values() if text else ()
    if any(item["Type"] == "AWS::IAM::Role" and "RoleName" in item.get("Properties", {}) for item in resources):
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{NAMED}]")


def with_template_read(call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
    """CreateChangeSet, of which nothing is made yet."""
    stack_models()
    checked(call, account_id)
    return ask()


def keep_failed(account_id: str, region: str, name: str) -> None:
    """Put a stack back that could not be deleted whole, which moto lists no more."""
    backend = stack_models().cloudformation_backends[account_id][region]
    for stack in list(backend.deleted_stacks.values()):
        if name in (stack.name, stack.stack_id) and stack.status == DELETE_FAILED:
            backend.stacks[stack.stack_id] = backend.deleted_stacks.pop(stack.stack_id)
