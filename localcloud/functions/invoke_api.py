"""The Invoke call of Lambda's API. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.aws_error import AwsError
from localcloud.endpoint import Answered, error, whole

if TYPE_CHECKING:
    from localcloud.calls import ApiRequest
    from localcloud.functions.deliveries import Deliveries


@dataclass(frozen=True, slots=True)
class InvokeApi:
    """Invokes functions for clients: and waits, or not, or only looks whether it could."""

    deliveries: Deliveries

    def answer(self, call: ApiRequest, account_id: str) -> Answered:
        """Run the function that the call names."""
        name = str(call.params["FunctionName"])
        arn = name if name.startswith("arn:") else f"arn:aws:lambda:{call.region}:{account_id}:function:{name}"
        function = self.deliveries.pool.find(arn)
        if function is None:
            missing = error(call, AwsError("ResourceNotFoundException", f"Function not found: {arn}"))
            return Answered(404, missing.headers, missing.body)
        payload = bytes(call.params.get("Payload") or b"{}")
        kind = call.params.get("InvocationType", "RequestResponse")
        if kind == "DryRun":
            return whole(call, 204, [], b"")
        if kind == "Event":
            self.deliveries.send(function, payload)
            return whole(call, 202, [], b"")
        invocation = self.deliveries.pool.invoke(function, payload)
        headers = [("X-Amz-Executed-Version", "$LATEST"), ("Content-Type", "application/json")]
        if invocation.failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if call.params.get("LogType") == "Tail":
            lines = [
                line.text for line in list(self.deliveries.pool.logs) if line.function_name == function.function_name
            ]
            headers.append(("X-Amz-Log-Result", base64.b64encode("\n".join(lines).encode()[-4096:]).decode()))
        return whole(call, 200, headers, invocation.payload)
