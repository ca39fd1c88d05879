"""People and roles for stories and tests: made in IAM, so that the endpoint knows them as AWS would."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localcloud.callers import ACCOUNT_ID, PARTITION, Callers, Credentials, Session

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["ec2:Describe*", "iam:Get*"], "Resource": "*"}],
}
SSO_PATH = "/aws-reserved/sso.amazonaws.com/eu-west-1/"


@dataclass(slots=True)
class Identities:
    """Makes principals. A ``policy`` of None is every right; each name is made once."""

    callers: Callers
    lock: threading.RLock
    region: str = "eu-west-1"
    _made: dict[str, Credentials] = field(default_factory=dict)

    def administrator(self, account_id: str = ACCOUNT_ID) -> Credentials:
        """An IAM user who may do everything in an account."""
        with self.lock:
            return self.user("local-admin", account_id=account_id)

    def user(
        self,
        name: str,
        policy: Mapping[str, Any] | None = None,
        *,
        session: bool = False,
        mfa: bool = False,
        account_id: str = ACCOUNT_ID,
    ) -> Credentials:
        """An access key of an IAM user; with ``session`` a temporary one, as the console has."""
        made = f"{account_id} {name} {session} {mfa}"
        with self.lock:
            if made in self._made:
                return self._made[made]
            iam = iam_backends[account_id][PARTITION]
            if name not in iam.users:
                iam.create_user(self.region, name)
                iam.put_user_policy(name, "given", json.dumps(EVERYTHING if policy is None else policy))
            key = iam.create_access_key(name)
            if session:
                self.callers.add_session(key.access_key_id, Session(datetime.now(UTC), mfa=mfa))
            self._made[made] = Credentials(key.access_key_id, key.secret_access_key)
            return self._made[made]

    def role_session(
        self,
        role: str,
        session: str,
        *,
        policy: Mapping[str, Any] | None = None,
        path: str = "/",
        source_identity: str | None = None,
        mfa: bool = False,
        console: bool = False,
        account_id: str = ACCOUNT_ID,
    ) -> Credentials:
        """A session of a role, as AssumeRole gives one; ``console`` as after a sign-in in the browser."""
        with self.lock:
            iam = iam_backends[account_id][PARTITION]
            if not any(item.name == role for item in iam.roles.values()):
                trust = json.dumps({"Version": "2012-10-17", "Statement": []})
                iam.create_role(role, trust, path, None, "", [], 3600)
                iam.put_role_policy(role, "given", json.dumps(EVERYTHING if policy is None else policy))
            made = sts_backends[account_id][PARTITION].assume_role(
                region_name=self.region,
                role_session_name=session,
                role_arn=f"arn:{PARTITION}:iam::{account_id}:role{path}{role}",
                policy="",
                duration=43_200,
                external_id="",
            )
        self.callers.add_session(made.access_key_id, Session(datetime.now(UTC), source_identity, mfa))
        if console:
            self.callers.mark_console(made.access_key_id, mfa=mfa)
        return Credentials(made.access_key_id, made.secret_access_key, made.session_token)

    def sso_session(self, permission_set: str, person: str, *, policy: Mapping[str, Any] | None = None) -> Credentials:
        """A person who signed in through Identity Center to the console."""
        role = f"AWSReservedSSO_{permission_set}_0123456789abcdef"
        return self.role_session(role, person, policy=policy, path=SSO_PATH, mfa=False, console=True)

    def root(self) -> Credentials:
        """The account's root user."""
        self.callers.add_root("AKIAROOTEXAMPLE00000")
        return Credentials("AKIAROOTEXAMPLE00000", "root-secret")

    def allowing(self, actions: Sequence[str]) -> dict[str, Any]:
        """A policy that allows these actions on everything."""
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
