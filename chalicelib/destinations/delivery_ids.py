"""The id under which an alert is delivered: the same for every attempt, so that receivers can drop repeats."""

from __future__ import annotations

import hashlib
import re

from chalicelib.alert.model import Alert

# Header-safe, free of the full stop that Standard Webhooks signs between its parts, and no longer
# than the 128 characters of an SNS FIFO deduplication id.
_SAFE = re.compile(r"[A-Za-z0-9_-]{1,128}")


def delivery_id(alert: Alert) -> str:
    """An id made of the alert's kind and its id, a digest of them where those are unfit.

    Nothing that is looked up is in it: of the same event delivered twice, one look-up may fail.
    """
    return safe_id(f"{alert.kind}-{alert.id}")


def group_key(alert: Alert) -> str:
    """What keeps its order among alerts: the security group, else the account."""
    group = alert.security_group.id if alert.security_group else None
    key = group or alert.account.id or alert.kind
    return safe_id(key)


def safe_id(text: str) -> str:
    """The text where it is fit for an id; else a digest of it."""
    return text if _SAFE.fullmatch(text) else _digest(text)


def _digest(text: str) -> str:
    # Lone surrogates are possible in JSON and have no UTF-8.
    return "sha256-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
