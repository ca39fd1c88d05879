"""What AWS, or its SDK, refused, as a sentence with a way out. Imports neither: most commands do without them."""

from __future__ import annotations

import sys
from typing import Any

# The SDK's exceptions, by name, that come of how the command was started.
WAYS_OUT = {
    "NoCredentialsError": "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or log in (aws sso login)",
    "NoRegionError": "no region: set AWS_REGION or AWS_DEFAULT_REGION",
}


def sdk_errors() -> tuple[type[Exception], ...]:
    """The SDK's exception types; none where nothing has loaded it, so that nothing of it was raised either."""
    module = sys.modules.get("botocore.exceptions")
    return (module.BotoCoreError, module.ClientError) if module else ()


def sentence(error: Exception) -> str:
    """What an exception of the SDK says to the person at the terminal."""
    name, answer = type(error).__name__, _answer(error)
    if answer is None:
        return WAYS_OUT.get(name, str(error).rstrip("."))
    operation = getattr(error, "operation_name", "AWS")
    return f"{operation}: {answer.get('Code')}: {answer.get('Message')}"


def _answer(error: Exception) -> dict[str, Any] | None:
    response = getattr(error, "response", None)
    return dict(response.get("Error", {})) if isinstance(response, dict) else None
