"""Who acted: a principal read from a CloudTrail record's ``userIdentity``.

Any JSON is read without an error. ``type`` is AWS's word alone; names, sessions and source identities
are text that a caller chose, and what is absent from the record is None, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chalicelib.aws.arns import Arn, parse_arn
from chalicelib.cloudtrail.records import CloudTrailRecord, account_id, mapping, text
from chalicelib.cloudtrail.user_agents import read_client
from chalicelib.named_tuple import NamedTuple

UNKNOWN_TYPE = "Unknown"
UNKNOWN_NAME = "unknown"

_ROLE_TYPES = frozenset({"AssumedRole", "Role"})
_USER_TYPES = frozenset({"IAMUser", "SAMLUser", "WebIdentityUser", "FederatedUser"})

# IAM Identity Center names the roles it makes after the permission set.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
_RESERVED_PREFIX = "AWSReservedSSO_"
_PERMISSION_SET = re.compile(r"AWSReservedSSO_(?P<name>.+)_[0-9a-f]{16}")

# Where IAM Identity Center's roles lie: no account can make others there.
_RESERVED_PATH = "aws-reserved/sso.amazonaws.com/"
_ROLE_ID_PREFIX = "AROA"


class Principal(NamedTuple):
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


class _Resource(NamedTuple):
    """The resource of a principal's ARN: its type, and its path with the name, slashes included."""

    type: str
    path: str

    @property
    def name(self) -> str:
        """The friendly name, without a path; ``root`` for an account's root."""
        return self.path.rsplit("/", 1)[-1] or self.type


class _Identity(NamedTuple):
    """``userIdentity``, its fields sought out once."""

    type: str
    arn: str | None
    resource: _Resource | None
    user_name: str | None
    principal_id: str | None
    account_id: str | None
    access_key_id: str | None
    invoked_by: str | None
    on_behalf_of: str | None
    source_identity: str | None
    role: str | None
    is_permission_set: bool
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
        arn=identity.arn,
        account_id=identity.account_id,
        role=identity.role,
        permission_set=_permission_set(identity),
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


def is_root(principal: Principal) -> bool:
    """Whether the account's root user acted, also where the record's ``type`` is missing."""
    arn = parse_arn(principal.arn)
    return principal.type.lower() == "root" or (arn is not None and arn.service == "iam" and arn.resource == "root")


def is_of_root(record: CloudTrailRecord) -> bool:
    """Whether the account's root user issued the session that acted: GetFederationToken takes root's keys, too.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
    """
    context = mapping(_field(record.user_identity, "sessionContext"))
    issuer = mapping(_field(context, "sessionIssuer"))
    if kind := _word(issuer, "type"):
        return kind.lower() == "root"
    issued = parse_arn(_word(issuer, "arn"))
    return issued is not None and issued.resource == "root"


def is_unnamed(principal: Principal) -> bool:
    """Whether the record does not say who acted, so that it may have been anybody, root included."""
    account_alone = (UNKNOWN_NAME, f"account {principal.account_id}", principal.account_id)
    return principal.type == UNKNOWN_TYPE and principal.arn is None and principal.name in account_alone


def issuer_path(record: CloudTrailRecord) -> str | None:
    """The path, with the name, of the role whose session acted; None where the record has no ARN of the role."""
    context = mapping(_field(record.user_identity, "sessionContext"))
    issued = _resource(parse_arn(_word(mapping(_field(context, "sessionIssuer")), "arn")))
    return issued.path if issued is not None and issued.type == "role" else None


def _read_identity(raw: Mapping[str, Any]) -> _Identity:
    context = mapping(_field(raw, "sessionContext"))
    issuer = mapping(_field(context, "sessionIssuer"))
    arn_text = _word(raw, "arn")
    arn = parse_arn(arn_text)
    resource = _resource(arn)
    principal_id = _word(raw, "principalId")
    type_ = _field(raw, "type")
    role = _role(resource, issuer)
    return _Identity(
        type=(text(type_) if isinstance(type_, str) and _is_visible(type_) else None) or UNKNOWN_TYPE,
        arn=arn_text,
        resource=resource,
        user_name=_word(raw, "userName"),
        principal_id=principal_id,
        account_id=account_id(_word(raw, "accountId")) or (arn.account if arn else None) or None,
        access_key_id=_word(raw, "accessKeyId"),
        invoked_by=_word(raw, "invokedBy") or _delegate(raw),
        on_behalf_of=_word(mapping(_field(raw, "onBehalfOf")), "userId"),
        source_identity=_word(context, "sourceIdentity"),
        role=role,
        is_permission_set=_is_permission_set(role, resource, issuer),
        session_name=_session_name(resource, principal_id),
        mfa=_boolean(_field(mapping(_field(context, "attributes")), "mfaAuthenticated")),
    )


def _resource(arn: Arn | None) -> _Resource | None:
    if arn is None or not arn.resource:
        return None
    kind, _, path = arn.resource.partition("/")
    return _Resource(kind, path)


def _delegate(raw: Mapping[str, Any]) -> str | None:
    # A product provider that acts with access delegated to it for a time is named by its account.
    account_id = _word(mapping(_field(raw, "invokedByDelegate")), "accountId")
    return f"account {account_id}" if account_id else None


def _field(document: Mapping[str, Any], key: str) -> object:
    if key in document:
        return document[key]
    if document.keys() <= _SPELLED:
        return None
    # Glue and Athena fold keys to lower case, and records pass through them.
    folded = key.lower()
    for name, value in document.items():
        if str(name).lower() == folded:
            return value
    return None


# Where all keys are among these, none of them is another spelling of one.
_SPELLED = frozenset(
    (
        *("type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy", "invokedByDelegate"),
        *("sessionContext", "onBehalfOf", "sessionIssuer", "sourceIdentity", "attributes", "mfaAuthenticated"),
        *("creationDate", "webIdFederationData", "userId", "identityStoreArn", "MFAUsed"),
    )
)


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


def _role(resource: _Resource | None, issuer: Mapping[str, Any]) -> str | None:
    issued = _resource(parse_arn(_word(issuer, "arn")))
    if _field(issuer, "type") == "Role":
        # The issuer's userName is a copy of the name in its ARN.
        name = issued.name if issued and issued.type == "role" else _word(issuer, "userName")
        if name:
            return name
    if resource and resource.type == "assumed-role":
        return resource.path.partition("/")[0] or None
    return resource.name if resource and resource.type == "role" and resource.path else None


def _is_permission_set(role: str | None, resource: _Resource | None, issuer: Mapping[str, Any]) -> bool:
    """Whether the role is one of IAM Identity Center's: anybody may give a role such a name, but not such a path.

    The ARN of a session has no path, and some exports leave it out of the issuer's: there the name counts.
    """
    issued = _resource(parse_arn(_word(issuer, "arn")))
    with_path = next((item.path for item in (issued, resource) if item and item.type == "role"), "")
    if "/" in with_path:
        return with_path.startswith(_RESERVED_PATH)
    return (role or "").startswith(_RESERVED_PREFIX)


def _session_name(resource: _Resource | None, principal_id: str | None) -> str | None:
    session = resource.path.partition("/")[2] if resource and resource.type == "assumed-role" else None
    if session:
        return session
    role_id, _, session = (principal_id or "").partition(":")
    is_role = role_id.startswith(_ROLE_ID_PREFIX) or (
        resource is not None and resource.type in {"assumed-role", "role"}
    )
    return session if session and is_role else None


def _permission_set(identity: _Identity) -> str | None:
    match = _PERMISSION_SET.fullmatch(identity.role or "") if identity.is_permission_set else None
    return match["name"] if match else None


def _name(identity: _Identity) -> str:
    candidates = (
        _chosen(identity, identity.source_identity),
        _chosen(identity, _permission_set_session(identity)),
        _name_by_type(identity),
        _chosen(identity, identity.user_name),
        _role_session(identity),
        identity.on_behalf_of,
        _resource_name(identity),
        identity.principal_id,
        identity.invoked_by,
        _account(identity),
    )
    return next((name for name in candidates if name and _is_visible(name)), UNKNOWN_NAME)


# What this module calls those who have no name of their own.
_AWS_WORDS = re.compile(r"(?i:root|unknown|anonymous|account .*|[a-z0-9.-]+\.amazonaws\.com(\.cn)?)")


def _chosen(identity: _Identity, name: str | None) -> str | None:
    """A name that a caller or an administrator chose; with the kind of caller where it reads like a word of AWS's."""
    if name is None or identity.type.lower() == "root" or not _AWS_WORDS.fullmatch(name):
        return name
    return f"{identity.type} {name}"


def _resource_name(identity: _Identity) -> str | None:
    if identity.resource is None:
        return identity.arn
    # Without a path it is the kind of the resource, which AWS chose.
    return _chosen(identity, identity.resource.name) if identity.resource.path else identity.resource.name


def _permission_set_session(identity: _Identity) -> str | None:
    return identity.session_name if identity.is_permission_set else None


def _name_by_type(identity: _Identity) -> str | None:
    if identity.type.lower() == "root":
        return "root"
    if identity.type in _USER_TYPES:
        user = identity.user_name or _user_of(identity.resource) or _user_of_principal_id(identity)
        return _chosen(identity, user)
    if identity.type in _ROLE_TYPES:
        return _role_session(identity)
    if identity.type == "IdentityCenterUser":
        return identity.on_behalf_of
    if identity.type == "AWSAccount":
        return _account(identity)
    return identity.invoked_by if identity.type == "AWSService" else None


def _user_of(resource: _Resource | None) -> str | None:
    return resource.name if resource and resource.path and resource.type in {"user", "federated-user"} else None


def _user_of_principal_id(identity: _Identity) -> str | None:
    # A federated user's is the account's id, a colon and the name.
    owner, _, user = (identity.principal_id or "").partition(":")
    return user if identity.type == "FederatedUser" and owner == identity.account_id else None


def _role_session(identity: _Identity) -> str | None:
    if identity.role is None:
        return None
    if identity.session_name:
        return f"{identity.role}/{identity.session_name}"
    return _chosen(identity, identity.role)


# How CloudTrail names who is in no account, such as one who follows an unsubscribe link in a mail of SNS.
_ANONYMOUS = frozenset({"anonymous_principal", "anonymous"})


def _is_anonymous(identity: _Identity) -> bool:
    return (identity.account_id or "").lower() in _ANONYMOUS


def _account(identity: _Identity) -> str | None:
    if _is_anonymous(identity):
        return "anonymous"
    return f"account {identity.account_id}" if identity.account_id else None


def _is_cross_account(identity: _Identity, record: CloudTrailRecord) -> bool:
    # A service acts for the account that the record is about, whatever account it runs in itself.
    if identity.type == "AWSService" or identity.account_id is None or record.account_id is None:
        return False
    if _is_anonymous(identity):
        return False
    return identity.account_id != record.account_id
