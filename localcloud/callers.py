"""Finds who is behind an access key, as CloudTrail's ``userIdentity`` says it.

Users and role sessions are moto's own (IAM and STS); what moto does not keep of a session (its source
identity, when it began) is noted here when the session is made.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import get_account_id_from, iam_backends
from moto.sts.models import sts_backends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.calls import ApiRequest

ACCOUNT_ID: str = DEFAULT_ACCOUNT_ID
PARTITION = "aws"
SESSION_CALLS = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client signs its calls with."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        """The same as environment variables that every AWS client reads."""
        named = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        return named | ({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})


@dataclass(frozen=True, slots=True)
class Session:
    """What AWS knows of a session beside its role."""

    began_at: datetime
    source_identity: str | None = None
    mfa: bool = False
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """The principal behind one call."""

    type: str
    account_id: str
    arn: str
    principal_id: str
    access_key_id: str
    user_name: str | None = None
    role_name: str | None = None
    role_arn: str | None = None
    session: Session | None = None
    from_console: bool = False

    def user_identity(self) -> dict[str, Any]:
        """CloudTrail's ``userIdentity`` element."""
        identity: dict[str, Any] = {
            "type": self.type,
            "principalId": self.principal_id,
            "arn": self.arn,
            "accountId": self.account_id,
            "accessKeyId": self.access_key_id,
        }
        if self.type == "IAMUser":
            identity["userName"] = self.user_name
        if self.session is not None:
            identity["sessionContext"] = self._session_context(self.session)
        return identity

    def _session_context(self, session: Session) -> dict[str, Any]:
        context: dict[str, Any] = {}
        if self.role_arn is not None:
            context["sessionIssuer"] = {
                "type": "Role",
                "principalId": self.principal_id.split(":", maxsplit=1)[0],
                "arn": self.role_arn,
                "accountId": self.account_id,
                "userName": self.role_name,
            }
        if session.provider is not None:
            context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
        if session.source_identity is not None:
            context["sourceIdentity"] = session.source_identity
        context["attributes"] = {
            "creationDate": session.began_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "mfaAuthenticated": "true" if session.mfa else "false",
        }
        return context


@dataclass(slots=True)
class Callers:
    """Every principal that the local cloud knows."""

    _sessions: dict[str, Session] = field(default_factory=dict)
    _roots: dict[str, str] = field(default_factory=dict)
    _functions: set[str] = field(default_factory=set)
    _console_keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_function(self, access_key_id: str) -> None:
        """Make an access key one that a function got from its role."""
        with self._lock:
            self._functions.add(access_key_id)

    def is_function(self, access_key_id: str) -> bool:
        """Whether an access key is a function's."""
        return access_key_id in self._functions

    def add_root(self, access_key_id: str, account_id: str = ACCOUNT_ID) -> None:
        """Make an access key one of the account's root user."""
        with self._lock:
            self._roots[access_key_id] = account_id

    def mark_console(self, access_key_id: str, *, mfa: bool = False) -> None:
        """Make an access key one of a session that began at the console's sign-in page."""
        with self._lock:
            self._console_keys.add(access_key_id)
            began = self._sessions.get(access_key_id, Session(datetime.now(UTC)))
            self._sessions[access_key_id] = Session(began.began_at, began.source_identity, mfa, began.provider)

    def add_session(self, access_key_id: str, session: Session) -> None:
        """Keep what is known of a session beside its role."""
        with self._lock:
            self._sessions[access_key_id] = session

    def note_session(self, call: ApiRequest, result: Mapping[str, Any]) -> None:
        """Keep what an AssumeRole call said about the session that it made."""
        if call.service != "sts" or call.operation not in SESSION_CALLS:
            return
        key = result.get("Credentials", {}).get("AccessKeyId")
        if not key:
            return
        provider = call.params.get("ProviderId") or call.params.get("PrincipalArn")
        if provider is None and call.operation == "AssumeRoleWithWebIdentity":
            provider = "accounts.example.com"
        mfa = "SerialNumber" in call.params
        self.add_session(key, Session(datetime.now(UTC), call.params.get("SourceIdentity"), mfa, provider))

    def identify(self, access_key_id: str) -> CallerIdentity:
        """The principal of an access key; an unknown key is an IAM user of that name with every right."""
        if access_key_id in self._roots:
            account_id = self._roots[access_key_id]
            return self._with_session(
                CallerIdentity("Root", account_id, f"arn:{PARTITION}:iam::{account_id}:root", account_id, access_key_id)
            )
        account_id = get_account_id_from(access_key_id)
        return self._role_session(access_key_id, account_id) or self._user(access_key_id, account_id)

    def _role_session(self, access_key_id: str, account_id: str) -> CallerIdentity | None:
        assumed = sts_backends[account_id][PARTITION].get_assumed_role_from_access_key(access_key_id)
        if assumed is None:
            return None
        role_name = assumed.role_arn.rsplit("/", maxsplit=1)[-1]
        return CallerIdentity(
            type="AssumedRole",
            account_id=account_id,
            arn=f"arn:{PARTITION}:sts::{account_id}:assumed-role/{role_name}/{assumed.session_name}",
            principal_id=assumed.user_id,
            access_key_id=access_key_id,
            role_name=role_name,
            role_arn=assumed.role_arn,
            session=self._sessions.get(access_key_id) or Session(assumed.expiration.replace(tzinfo=UTC)),
            from_console=access_key_id in self._console_keys,
        )

    def _user(self, access_key_id: str, account_id: str) -> CallerIdentity:
        for user in list(iam_backends[account_id][PARTITION].users.values()):
            if any(key.access_key_id == access_key_id for key in user.access_keys):
                return self._with_session(
                    CallerIdentity("IAMUser", account_id, user.arn, user.id, access_key_id, user_name=user.name)
                )
        name = "local"
        arn = f"arn:{PARTITION}:iam::{account_id}:user/{name}"
        return self._with_session(
            CallerIdentity("IAMUser", account_id, arn, "AIDALOCALCLOUDEXAMPLE", access_key_id, name)
        )

    def _with_session(self, caller: CallerIdentity) -> CallerIdentity:
        session = self._sessions.get(caller.access_key_id)
        if session is None:
            return caller
        return CallerIdentity(
            type=caller.type,
            account_id=caller.account_id,
            arn=caller.arn,
            principal_id=caller.principal_id,
            access_key_id=caller.access_key_id,
            user_name=caller.user_name,
            session=session,
            from_console=caller.access_key_id in self._console_keys,
        )
