"""Reads an HTTP request as the AWS API call it is, by botocore's own service models.

The models decide names and nesting, so that every client's spelling of a call (query, EC2, JSON or
REST) comes out the same.
"""

from __future__ import annotations

import base64
import io
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")

# The name a client signs with, where it differs from the name of botocore's service model.
SERVICE_OF_SIGNING_NAME = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2"}


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call of an AWS API: what was asked, by which access key, from where.

    ``params`` has the member names of botocore's model, at every depth.
    """

    service: str
    operation: str
    region: str
    access_key_id: str
    params: Mapping[str, Any]
    source_ip: str
    user_agent: str
    protocol: str
    model: Any
    security_token: str | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def event_source(self) -> str:
        """What CloudTrail calls the service: ``monitoring.amazonaws.com`` for CloudWatch."""
        return f"{self.model.service_model.endpoint_prefix}.amazonaws.com"


def read_body(environ: dict[str, Any]) -> bytes:
    """The request's body, left in place for the next reader."""
    if environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read()
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return bytes(body)


def decode(environ: dict[str, Any]) -> ApiRequest | None:
    """The API call in a WSGI request; None where it is not a signed call of a known service."""
    credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if credential is None:
        return None
    access_key_id, region, signing_name = credential.groups()
    service = SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)
    if service == "s3":  # uploads are large, and data events are not what a trail records by default
        return None
    body = read_body(environ)
    request = Request(environ)
    try:
        service_model = get_service_model(service)
        protocol = determine_request_protocol(service_model, request.content_type)
        operation, uri_params = get_service_router(service).match(request)
        params = _parse(operation, protocol, request, body, uri_params)
    except (HTTPException, RequestParserError, NotImplementedError, ValueError):
        return None
    finally:
        environ["wsgi.input"] = io.BytesIO(body)
    return ApiRequest(
        service=service,
        operation=operation.name,
        region=region,
        access_key_id=access_key_id,
        params=params,
        source_ip=_source_ip(environ),
        user_agent=environ.get("HTTP_USER_AGENT", ""),
        protocol=protocol,
        model=operation,
        security_token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
    )


def _parse(operation: Any, protocol: str, request: Request, body: bytes, uri_params: dict[str, Any]) -> dict[str, Any]:
    parser = PROTOCOL_PARSERS[protocol](operation, timestamp_parser=str, blob_parser=_blob)
    parsed: dict[str, Any] = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": uri_params,
        }
    )
    return parsed or {}


def _blob(value: str) -> bytes:
    return base64.b64decode(value)


def _source_ip(environ: Mapping[str, Any]) -> str:
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",", maxsplit=1)[0].strip()
    return forwarded or str(environ.get("REMOTE_ADDR", "127.0.0.1"))
