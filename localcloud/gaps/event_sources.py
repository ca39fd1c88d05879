"""ListEventSourceMappings: moto finds a mapping only by the very words that named its function when it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest


def list_event_source_mappings(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """ListEventSourceMappings, the function named in any of the ways that Lambda takes."""
    backend = lambda_backends[account_id][call.region]
    found = backend.list_event_source_mappings(call.params.get("EventSourceArn", ""), "")
    wanted = call.params.get("FunctionName")
    mappings = [item for item in found if wanted is None or _name(item.function_arn) == _name(wanted)]
    mapped = [{key: value for key, value in item.get_configuration().items() if value is not None} for item in mappings]
    return {"EventSourceMappings": mapped}


def _name(function: str) -> str:
    """A function's name in ``name``, ``name:alias``, ``123456789012:function:name`` or a whole ARN."""
    return function.rpartition("function:")[2].partition(":")[0]


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "ListEventSourceMappings": list_event_source_mappings
}
