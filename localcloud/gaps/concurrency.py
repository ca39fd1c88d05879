"""GetFunction: moto leaves a reserved concurrency of 0 out, with which a function never runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.calls import ApiRequest


def get_function(call: ApiRequest, account_id: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer with the function's reserved concurrency, whatever it is."""
    function = lambda_backends[account_id][call.region].get_function(call.params["FunctionName"])
    if function.reserved_concurrency is None:
        return answer
    return {**answer, "Concurrency": {"ReservedConcurrentExecutions": int(function.reserved_concurrency)}}
