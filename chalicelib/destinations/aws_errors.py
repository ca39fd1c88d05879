"""The error for what an AWS client raised or answered, of every destination that is an AWS service."""

from __future__ import annotations

from chalicelib.destinations.contract import DeliveryError
from chalicelib.destinations.http_door import is_permanent
from chalicelib.rendering.lines import value

# Answered with 4xx though waiting or fresh credentials help.
_RETRIED_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalException",
        "InternalFailure",
        "KMSThrottling",
        "LimitExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestTimeout",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# botocore's own, raised before anything is sent.
_PERMANENT_CLASSES = frozenset({"ParamValidationError", "InvalidRegionError", "UnknownRegionError"})


def error_from(error: Exception, service: str) -> DeliveryError:
    """The error for what the client raised, read from the shape of botocore's ``ClientError``."""
    response = getattr(error, "response", None)
    answer = response if isinstance(response, dict) else {}
    code = str((answer.get("Error") or {}).get("Code") or "")
    status = (answer.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    if not code:
        permanent = type(error).__name__ in _PERMANENT_CLASSES
        return DeliveryError(f"{service} could not be called: {type(error).__name__}", permanent=permanent)
    permanent = code not in _RETRIED_CODES and isinstance(status, int) and is_permanent(status)
    return DeliveryError(f"{service} answered {value(code, 60)}", permanent=permanent)


def refused_entry(code: str, service: str) -> DeliveryError:
    """The error for one entry that a batch call answered with a code of its own."""
    return DeliveryError(f"{service} refused it: {value(code, 60)}", permanent=code not in _RETRIED_CODES)
