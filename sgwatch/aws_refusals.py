"""What AWS, or its SDK, refused, as a sentence with a way out. Imports neither: most commands do without them."""

from __future__ import annotations

import sys
from typing import Any

# The SDK's exceptions, by name, that come of how the command was started.
WAYS_OUT = {
    "NoCredentialsError": "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or log in (aws sso login)",
    "NoRegionError": "no region: set AWS_REGION or AWS_DEFAULT_REGION",
    "UnauthorizedSSOTokenError": "the session of AWS IAM Identity Center has expired: aws sso login",
    "SSOTokenLoadError": "there is no session of AWS IAM Identity Center: aws sso login",
    "TokenRetrievalError": "the session of AWS IAM Identity Center has expired: aws sso login",
}

_LOG_IN = "log in again (aws sso login), or set AWS_PROFILE"
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and the codes of the services' own protocols
_REFUSED = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _LOG_IN),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"), _LOG_IN),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"),
        "docs/deploy.md has the policy of who deploys, and sgwatch doctor says what of it is denied",
    ),
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
    said = f"{operation}: {answer.get('Code')}: {answer.get('Message')}"
    way_out = _REFUSED.get(str(answer.get("Code")))
    return f"{said.rstrip('.')}: {way_out}" if way_out else said


def _answer(error: Exception) -> dict[str, Any] | None:
    response = getattr(error, "response", None)
    return dict(response.get("Error", {})) if isinstance(response, dict) else None
