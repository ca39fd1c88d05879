"""Who acted: a principal read from a CloudTrail record's ``userIdentity``.

Any JSON is read without an error. ``type`` is AWS's word alone; names, sessions and source identities
are text that a caller chose, and what is absent from the record is None, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.cloudtrail.records import CloudTrailRecord, mapping, text
from chalicelib.cloudtrail.user_agents import read_client

UNKNOWN_TYPE = "Unknown"
UNKNOWN_NAME = "unknown"

_ROLE_TYPES = frozenset({"AssumedRole", "Role"})
_USER_TYPES = frozenset({"IAMUser", "SAMLUser", "WebIdentityUser", "FederatedUser"})

# IAM Identity Center names the roles it makes after the permission set.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
_RESERVED_PREFIX = "AWSReservedSSO_"
_PERMISSION_SET = re.compile(r"AWSReservedSSO_(?P<name>.+)_[0-9a-f]{16}")

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_ARN = re.compile(r"arn:(?P<partition>[^:]+):(?P<service>[^:]*):(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)")
_ROLE_ID_PREFIX = "AROA"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acted, read from ``userIdentity``; docs/principals.md says what each field is."""

    type: str
    name: str
    arn: str | None = None
    account_id: str | None = None
    role: str | None = None
    permission_set: str | None = None
    session_name: str | None = None
    source_identity: str | None = None
    mfa: bool | None = None
    access_key_id: str | None = None
    invoked_by: str | None = None
    on_behalf_of: str | None = None
    client: str = "unknown"
    source_ip: str | None = None
    cross_account: bool = False


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an ARN that name a principal; ``path`` is the resource after its type, slashes included."""

    partition: str
    service: str
    account_id: str | None
    resource_type: str
    path: str

    @property
    def name(self) -> str:
        """The friendly name, without a path; ``root`` for an account's root."""
        return self.path.rsplit("/", 1)[-1] or self.resource_type


@dataclass(frozen=True, slots=True)
class _Identity:
    """``userIdentity``, its fields sought out once."""

    type: str
    arn_text: str | None
    arn: Arn | None
    user_name: str | None
    principal_id: str | None
    account_id: str | None
    access_key_id: str | None
    invoked_by: str | None
    on_behalf_of: str | None
    source_identity: str | None
    role: str | None
    session_name: str | None
    mfa: bool | None


def read_principal(record: CloudTrailRecord) -> Principal:
    """The principal of a record, whatever its ``userIdentity`` looks like.

    Fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    identity = _read_identity(record.user_identity)
    mfa = identity.mfa if identity.mfa is not None else _sign_in_mfa(record)
    return Principal(
        type=identity.type,
        name=_name(identity),
        arn=identity.arn_text,
        account_id=identity.account_id,
        role=identity.role,
        permission_set=_permission_set(identity.role),
        session_name=identity.session_name,
        source_identity=identity.source_identity,
        mfa=mfa,
        access_key_id=identity.access_key_id,
        invoked_by=identity.invoked_by,
        on_behalf_of=identity.on_behalf_of,
        client=read_client(record),
        source_ip=record.source_ip,
        cross_account=_is_cross_account(identity, record),
    )


def parse_arn(value: str | None) -> Arn | None:
    """An ARN of any partition, None where the text is not one."""
    match = _ARN.fullmatch(value or "")
    if match is None:
        return None
    resource_type, _, path = match["resource"].partition("/")
    return Arn(match["partition"], match["service"], match["account"] or None, resource_type, path)


def _read_identity(raw: Mapping[str, Any]) -> _Identity:
    context = mapping(_field(raw, "sessionContext"))
    arn_text = _word(raw, "arn")
    arn = parse_arn(arn_text)
    principal_id = _word(raw, "principalId")
    type_ = _field(raw, "type")
    return _Identity(
        type=(text(type_) if isinstance(type_, str) and _is_visible(type_) else None) or UNKNOWN_TYPE,
        arn_text=arn_text,
        arn=arn,
        user_name=_word(raw, "userName"),
        principal_id=principal_id,
        account_id=_word(raw, "accountId") or (arn.account_id if arn else None),
        access_key_id=_word(raw, "accessKeyId"),
        invoked_by=_word(raw, "invokedBy") or _delegate(raw),
        on_behalf_of=_word(mapping(_field(raw, "onBehalfOf")), "userId"),
        source_identity=_word(context, "sourceIdentity"),
        role=_role(arn, mapping(_field(context, "sessionIssuer"))),
        session_name=_session_name(arn, principal_id),
        mfa=_boolean(_field(mapping(_field(context, "attributes")), "mfaAuthenticated")),
    )


def _delegate(raw: Mapping[str, Any]) -> str | None:
    # A product provider that acts with access delegated to it for a time is named by its account.
    account_id = _word(mapping(_field(raw, "invokedByDelegate")), "accountId")
    return f"account {account_id}" if account_id else None


def _field(document: Mapping[str, Any], key: str) -> object:
    if key in document:
        return document[key]
    # Glue and Athena fold keys to lower case, and records pass through them.
    folded = key.lower()
    return next((value for name, value in document.items() if str(name).lower() == folded), None)


def _word(document: Mapping[str, Any], key: str) -> str | None:
    value = text(_field(document, key))
    return value.strip() if value is not None and _is_visible(value) else None


def _is_visible(value: str) -> bool:
    return any(char.isprintable() and not char.isspace() for char in value)


def _boolean(value: object) -> bool | None:
    # CloudTrail writes "true" and "false" as strings here.
    known = {"true": True, "false": False, "yes": True, "no": False}
    return known.get(str(value).lower()) if isinstance(value, str | bool) else None


def _sign_in_mfa(record: CloudTrailRecord) -> bool | None:
    # Of sign-ins to the console the record says it here, as Yes or No.
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    return _boolean(_field(mapping(record.raw.get("additionalEventData")), "MFAUsed"))


def _role(arn: Arn | None, issuer: Mapping[str, Any]) -> str | None:
    issuer_arn = parse_arn(_word(issuer, "arn"))
    if _field(issuer, "type") == "Role":
        # The issuer's userName is a copy of the name in its ARN.
        name = issuer_arn.name if issuer_arn and issuer_arn.resource_type == "role" else _word(issuer, "userName")
        if name:
            return name
    if arn and arn.resource_type == "assumed-role":
        return arn.path.partition("/")[0] or None
    return arn.name if arn and arn.resource_type == "role" and arn.path else None


def _session_name(arn: Arn | None, principal_id: str | None) -> str | None:
    session = arn.path.partition("/")[2] if arn and arn.resource_type == "assumed-role" else None
    if session:
        return session
    role_id, _, session = (principal_id or "").partition(":")
    is_role = role_id.startswith(_ROLE_ID_PREFIX) or (arn is not None and arn.resource_type in {"assumed-role", "role"})
    return session if session and is_role else None


def _permission_set(role: str | None) -> str | None:
    match = _PERMISSION_SET.fullmatch(role or "")
    return match["name"] if match else None


def _name(identity: _Identity) -> str:
    candidates = (
        identity.source_identity,
        _permission_set_session(identity),
        _name_by_type(identity),
        identity.user_name,
        _role_session(identity),
        identity.on_behalf_of,
        identity.arn.name if identity.arn else identity.arn_text,
        identity.principal_id,
        identity.invoked_by,
        _account(identity),
    )
    return next((name for name in candidates if name and _is_visible(name)), UNKNOWN_NAME)


def _permission_set_session(identity: _Identity) -> str | None:
    return identity.session_name if (identity.role or "").startswith(_RESERVED_PREFIX) else None


def _name_by_type(identity: _Identity) -> str | None:
    if identity.type == "Root":
        return "root"
    if identity.type in _USER_TYPES:
        return identity.user_name or _user_of_arn(identity.arn) or _user_of_principal_id(identity)
    if identity.type in _ROLE_TYPES:
        return _role_session(identity)
    if identity.type == "IdentityCenterUser":
        return identity.on_behalf_of
    if identity.type == "AWSAccount":
        return _account(identity)
    return identity.invoked_by if identity.type == "AWSService" else None


def _user_of_arn(arn: Arn | None) -> str | None:
    return arn.name if arn and arn.path and arn.resource_type in {"user", "federated-user"} else None


def _user_of_principal_id(identity: _Identity) -> str | None:
    # A federated user's is the account's id, a colon and the name.
    owner, _, user = (identity.principal_id or "").partition(":")
    return user if identity.type == "FederatedUser" and owner == identity.account_id else None


def _role_session(identity: _Identity) -> str | None:
    if identity.role is None:
        return None
    return f"{identity.role}/{identity.session_name}" if identity.session_name else identity.role


def _account(identity: _Identity) -> str | None:
    return f"account {identity.account_id}" if identity.account_id else None


def _is_cross_account(identity: _Identity, record: CloudTrailRecord) -> bool:
    # A service acts for the account that the record is about, whatever account it runs in itself.
    if identity.type == "AWSService" or identity.account_id is None or record.account_id is None:
        return False
    return identity.account_id != record.account_id
