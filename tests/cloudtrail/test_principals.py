"""Who acted, on real identities and on whatever else JSON can hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.cloudtrail.principals import Principal, is_root, is_unnamed, read_principal
from chalicelib.cloudtrail.records import read_record
from chalicelib.cloudtrail.user_agents import Client
from tests.support import records as r
from tests.support.rows import every

DATA = Path(__file__).parents[1] / "data"
DOCS = Path(__file__).parents[2] / "docs" / "principals.md"

RESERVED_ROLE = "AWSReservedSSO_Power_Users_0123456789abcdef"


def read_lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


# Real records (each names its source and license) and, line by line, what a person reading them says of them.
REAL = [
    (item["record"], expected)
    for item, expected in zip(read_lines("identities.jsonl"), read_lines("identities_expected.jsonl"), strict=True)
]
LINES = [f"line {number}: {record['eventName']}" for number, (record, _) in enumerate(REAL, start=1)]


def principal(identity: object, **record_fields: Any) -> Principal:
    return read_principal(read_record({"userIdentity": identity, **record_fields}))


def session_of(role: str, session: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::123456789012:assumed-role/{role}/{session}",
        "accountId": "123456789012",
        **more,
    }


@every(("record", "expected"), REAL, ids=LINES)
def test_a_real_record_names_who_acted(record: dict[str, Any], expected: list[Any]) -> None:
    found = read_principal(read_record(record))
    assert [found.name, found.type, found.role, found.client, found.mfa] == expected


def test_every_field_of_an_identity_center_session_is_read() -> None:
    identity = session_of(
        RESERVED_ROLE,
        "jane@example.com",
        accessKeyId="ASIAEXAMPLE",
        invokedBy="servicecatalog.amazonaws.com",
        onBehalfOf={"userId": "544894e8-80c1-707f", "identityStoreArn": "arn:aws:identitystore::123456789012:x"},
        sessionContext={
            "sessionIssuer": {
                "type": "Role",
                "arn": f"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/{RESERVED_ROLE}",
            },
            "attributes": {"mfaAuthenticated": "false"},
        },
    )
    found = principal(
        identity, userAgent="aws-cli/2.17.9", sourceIPAddress="203.0.113.7", recipientAccountId="444455556666"
    )
    assert found == Principal(
        type="AssumedRole",
        name="jane@example.com",
        arn=f"arn:aws:sts::123456789012:assumed-role/{RESERVED_ROLE}/jane@example.com",
        account_id="123456789012",
        role=RESERVED_ROLE,
        permission_set="Power_Users",
        session_name="jane@example.com",
        source_identity=None,
        mfa=False,
        access_key_id="ASIAEXAMPLE",
        invoked_by="servicecatalog.amazonaws.com",
        on_behalf_of="544894e8-80c1-707f",
        client="aws-cli",
        source_ip="203.0.113.7",
        cross_account=True,
    )


@every(
    ("identity", "name"),
    [
        (session_of("Deploy", "ci", sessionContext={"sourceIdentity": "jane"}), "jane"),
        (session_of(RESERVED_ROLE, "jane@example.com", sessionContext={"sourceIdentity": "jane"}), "jane"),
        (session_of(RESERVED_ROLE, "jane@example.com"), "jane@example.com"),
        (session_of("Deploy", "ci"), "Deploy/ci"),
        ({"type": "IAMUser", "userName": "jane"}, "jane"),
        ({"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/staff/jane"}, "jane"),
        ({"type": "SAMLUser", "userName": "jane@example.com"}, "jane@example.com"),
        ({"type": "WebIdentityUser", "userName": "sub-1", "identityProvider": "accounts.google.com"}, "sub-1"),
        ({"type": "FederatedUser", "arn": "arn:aws:sts::123456789012:federated-user/jane"}, "jane"),
        ({"type": "FederatedUser", "principalId": "123456789012:jane", "accountId": "123456789012"}, "jane"),
        ({"type": "Role", "arn": "arn:aws:iam::123456789012:role/team/Deploy"}, "Deploy"),
        ({"type": "Root", "userName": "account-alias", "accountId": "123456789012"}, "root"),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "544894e8"}}, "544894e8"),
        ({"type": "AWSAccount", "accountId": "444455556666", "principalId": "AROAX:s"}, "account 444455556666"),
        ({"type": "AWSService", "invokedBy": "eks.amazonaws.com"}, "eks.amazonaws.com"),
        ({"type": "AWSService", "accountId": "123456789012"}, "account 123456789012"),
        ({"type": "Directory", "userName": "jane"}, "jane"),
        ({"type": "Unknown", "principalId": "11111111-2222"}, "11111111-2222"),
        ({**session_of("Deploy", "ci"), "type": "AddedNextYear"}, "Deploy/ci"),
        ({"type": "AddedNextYear", "arn": "arn:aws:new::123456789012:thing/jane"}, "jane"),
        ({"invokedBy": "ec2.amazonaws.com", "accountId": "123456789012"}, "ec2.amazonaws.com"),
        ({"type": "IAMUser", "userName": " \u200b ", "principalId": "AIDAEXAMPLE"}, "AIDAEXAMPLE"),
        (
            {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/\u200b", "principalId": "AIDAEXAMPLE"},
            "AIDAEXAMPLE",
        ),
        (
            {"type": "FederatedUser", "principalId": "444455556666:jane", "accountId": "123456789012"},
            "444455556666:jane",
        ),
        ({"type": "IAMUser"}, "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
        (["garbage"], "unknown"),
    ],
)
def test_the_name_is_the_human_where_one_can_be_reported(identity: object, name: str) -> None:
    assert principal(identity).name == name


@pytest.mark.parametrize(
    "identity", [None, {}, [], "Root", {"type": None}, {"type": ""}, {"type": 5}, {"type": ["Root"]}]
)
def test_a_type_that_the_record_does_not_give_is_unknown(identity: object) -> None:
    assert principal(identity).type == "Unknown"


def test_half_a_surrogate_pair_in_a_type_keeps_no_alert_from_being_encoded() -> None:
    assert principal({"type": "IAMUser\ud800"}).type == "IAMUser\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_arns_of_every_partition_are_read(partition: str) -> None:
    found = principal({"type": "AssumedRole", "arn": f"arn:{partition}:sts::123456789012:assumed-role/Deploy/ci"})
    assert (found.role, found.session_name, found.account_id) == ("Deploy", "ci", "123456789012")


@pytest.mark.parametrize("text", [None, "", "...", "arn:aws:iam", "arn:aws:iam::123456789012:", "xarn:aws:iam::1:root"])
def test_text_that_is_no_arn_names_no_role_and_no_account(text: str | None) -> None:
    found = principal({"type": "AssumedRole", "arn": text})
    assert (found.role, found.session_name, found.account_id) in ((None, None, None), (None, None, "123456789012"))


def test_a_role_is_named_without_its_path() -> None:
    issuer = {"type": "Role", "arn": "arn:aws:iam::123456789012:role/a/b/Deploy", "userName": "Deploy"}
    assert principal({"type": "AssumedRole", "sessionContext": {"sessionIssuer": issuer}}).role == "Deploy"


def test_a_role_that_acts_without_a_session_is_the_role() -> None:
    assert principal({"type": "Role", "arn": "arn:aws:iam::123456789012:role/a/b/Deploy"}).role == "Deploy"


def test_the_user_who_federated_another_is_not_its_role() -> None:
    issuer = {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/broker", "userName": "broker"}
    identity = {
        "type": "FederatedUser",
        "arn": "arn:aws:sts::123456789012:federated-user/jane",
        "sessionContext": {"sessionIssuer": issuer},
    }
    assert (principal(identity).name, principal(identity).role) == ("jane", None)


@pytest.mark.parametrize(
    ("role", "permission_set"),
    [
        (RESERVED_ROLE, "Power_Users"),
        ("AWSReservedSSO_ReadOnly_abcdef012345", None),
        ("AWSReservedSSO__0123456789abcdef", None),
        ("Deploy_0123456789abcdef", None),
    ],
)
def test_a_permission_set_is_read_from_the_role_that_identity_center_made(
    role: str, permission_set: str | None
) -> None:
    assert principal(session_of(role, "jane")).permission_set == permission_set


@pytest.mark.parametrize(
    ("said", "mfa"),
    [("true", True), ("false", False), (True, True), (False, False), ("", None), (None, None), (1, None)],
)
def test_mfa_is_what_the_session_says(said: object, mfa: bool | None) -> None:
    assert principal({"sessionContext": {"attributes": {"mfaAuthenticated": said}}}).mfa is mfa


def test_mfa_of_a_long_lived_key_is_not_known() -> None:
    assert principal({"type": "IAMUser", "userName": "jane", "accessKeyId": "AKIAEXAMPLE"}).mfa is None


@pytest.mark.parametrize(("said", "mfa"), [("Yes", True), ("No", False), ("Perhaps", None)])
def test_mfa_of_a_sign_in_is_what_the_sign_in_page_says(said: str, mfa: bool | None) -> None:
    assert principal({"type": "IAMUser"}, additionalEventData={"MFAUsed": said}).mfa is mfa


def test_keys_that_a_data_lake_folded_to_lower_case_are_read() -> None:
    found = principal(
        {"type": "IAMUser", "username": "jane", "sessioncontext": {"attributes": {"mfaauthenticated": "true"}}}
    )
    assert (found.name, found.mfa) == ("jane", True)


@pytest.mark.parametrize(
    ("identity", "recipient", "cross_account"),
    [
        ({"type": "AWSAccount", "accountId": "444455556666"}, "123456789012", True),
        ({"type": "AWSAccount", "accountId": "123456789012"}, "123456789012", False),
        ({"type": "AssumedRole", "arn": "arn:aws:sts::444455556666:assumed-role/a/b"}, "123456789012", True),
        ({"type": "IAMUser", "accountId": 123456789012}, "123456789012", False),
        ({"type": "IAMUser", "accountId": "444455556666"}, None, False),
        ({"type": "IAMUser", "userName": "jane"}, "123456789012", False),
        ({"type": "AWSService", "invokedBy": "eks.amazonaws.com", "accountId": "444455556666"}, "123456789012", False),
    ],
)
def test_a_caller_of_another_account_is_cross_account(
    identity: object, recipient: str | None, cross_account: bool
) -> None:
    assert principal(identity, recipientAccountId=recipient).cross_account is cross_account


def test_a_product_provider_that_access_was_delegated_to_is_named_by_its_account() -> None:
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    arn = "arn:aws:sts::123456789012:assumed-role/Alice/Session"
    found = principal({"type": "AssumedRole", "arn": arn, "invokedByDelegate": {"accountId": "444455556666"}})
    assert (found.name, found.invoked_by) == ("Alice/Session", "account 444455556666")


def test_a_service_as_the_source_is_kept_as_the_record_has_it() -> None:
    assert principal({}, sourceIPAddress="cloudformation.amazonaws.com").source_ip == "cloudformation.amazonaws.com"


KEYS = [
    *("type", "arn", "userName", "principalId", "accountId", "accessKeyId", "invokedBy", "onBehalfOf", "userId"),
    *("sessionContext", "sessionIssuer", "attributes", "mfaAuthenticated", "sourceIdentity"),
]
TYPES = [
    *("Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "SAMLUser", "WebIdentityUser", "IdentityCenterUser"),
    *("Directory", "AWSAccount", "AWSService", "Unknown", "AddedNextYear"),
]
ARNS = st.builds(
    "arn:aws:{}::{}:{}/{}".format, st.text(), st.text(), st.sampled_from(["assumed-role", "user"]), st.text()
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TYPES) | ARNS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner), max_leaves=25
)


@given(identity=JSON, agent=JSON, source=JSON, recipient=JSON, extra=JSON)
def test_no_identity_is_an_error_and_every_name_can_be_read(
    identity: object, agent: object, source: object, recipient: object, extra: object
) -> None:
    found = principal(
        identity, userAgent=agent, sourceIPAddress=source, recipientAccountId=recipient, additionalEventData=extra
    )
    assert any(char.isprintable() and not char.isspace() for char in found.name)
    assert found.client in set(Client)


@given(type_=st.sampled_from(TYPES), chosen=st.text(), agent=st.text())
def test_text_that_a_caller_chose_cannot_change_the_type_or_the_account(type_: str, chosen: str, agent: str) -> None:
    identity = {
        "type": type_,
        "userName": chosen,
        "arn": f"arn:aws:sts::123456789012:assumed-role/Deploy/{chosen}",
        "principalId": f"AROAEXAMPLE:{chosen}",
        "accountId": "123456789012",
        "sessionContext": {"sourceIdentity": chosen},
    }
    found = principal(identity, userAgent=agent, recipientAccountId="123456789012")
    assert (found.type, found.account_id, found.cross_account) == (type_, "123456789012", False)


@given(session=st.from_regex(r"[\w+=,.@-]{2,64}", fullmatch=True))
def test_no_session_name_can_pass_for_another_role(session: str) -> None:
    # The characters that STS allows: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    found = principal(session_of("Deploy", session))
    assert (found.name, found.role) == (f"Deploy/{session}", "Deploy")


def test_the_docs_explain_every_field_and_no_other() -> None:
    section = DOCS.read_text(encoding="utf-8").split("## Fields", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) == list(Principal._fields)


@pytest.mark.parametrize(
    ("path", "name", "permission_set"),
    [
        (f"role/aws-reserved/sso.amazonaws.com/eu-west-1/{RESERVED_ROLE}", "jane@example.com", "Power_Users"),
        (f"role/team/{RESERVED_ROLE}", f"{RESERVED_ROLE}/jane@example.com", None),
        (f"role/{RESERVED_ROLE}", "jane@example.com", "Power_Users"),
        ("role/aws-reserved/sso.amazonaws.com/Renamed", "jane@example.com", None),
    ],
)
def test_the_path_of_the_issuer_decides_whether_identity_center_made_the_role(
    path: str, name: str, permission_set: str | None
) -> None:
    issuer = {"type": "Role", "arn": f"arn:aws:iam::123456789012:{path}", "userName": path.rsplit("/", 1)[-1]}
    found = principal(
        {**session_of(issuer["userName"], "jane@example.com"), "sessionContext": {"sessionIssuer": issuer}}
    )
    assert (found.name, found.permission_set) == (name, permission_set)


@pytest.mark.parametrize("identity", [None, {}, [], "text", {"type": 7}, {"accountId": "123456789012"}])
def test_a_caller_that_the_record_does_not_name_may_have_been_root(identity: Any) -> None:
    assert is_unnamed(read_principal(read_record({"userIdentity": identity})))


@pytest.mark.parametrize(
    "identity",
    [
        {"type": "Root"},
        {"type": "root", "accountId": "123456789012"},
        {"arn": "arn:aws:iam::123456789012:root"},
        {"type": "IAMUser", "arn": "arn:aws-cn:iam::123456789012:root"},
    ],
)
def test_root_is_known_by_its_type_or_its_arn(identity: Any) -> None:
    found = principal(identity)
    assert is_root(found)
    assert found.name == "root"
    assert not is_unnamed(found)


@pytest.mark.parametrize("account", ["ANONYMOUS_PRINCIPAL", "anonymous"])
def test_who_is_in_no_account_is_anonymous_and_of_no_other_account(account: str) -> None:
    identity = {"type": "AWSAccount", "principalId": "", "accountId": account}
    principal = read_principal(read_record({"userIdentity": identity, "recipientAccountId": "123456789012"}))
    assert (principal.name, principal.cross_account) == ("anonymous", False)


@every("word", ["root", "Root", "unknown", "anonymous", "ec2.amazonaws.com", "ec2.amazonaws.com.cn"])
def test_a_chosen_name_does_not_pass_for_a_word_of_awss(word: str) -> None:
    account = {"accountId": r.ACCOUNT}
    role = {"type": "AssumedRole", "arn": f"arn:aws:sts::{r.ACCOUNT}:assumed-role/{{}}/{word}", **account}
    reserved = role["arn"].format("AWSReservedSSO_Admin_0123456789abcdef")
    for identity, name in (
        ({"type": "IAMUser", "userName": word, **account}, f"IAMUser {word}"),
        ({"type": "IAMUser", "arn": f"arn:aws:iam::{r.ACCOUNT}:user/{word}"}, f"IAMUser {word}"),
        ({"type": "FederatedUser", "principalId": f"{r.ACCOUNT}:{word}", **account}, f"FederatedUser {word}"),
        ({"type": "Directory", "userName": word, **account}, f"Directory {word}"),
        ({**role, "arn": role["arn"].format("deploy")}, f"deploy/{word}"),
        ({"type": "Role", "arn": f"arn:aws:iam::{r.ACCOUNT}:role/{word}"}, f"Role {word}"),
        ({**role, "arn": reserved}, f"AssumedRole {word}"),
        ({**role, "sessionContext": {"sourceIdentity": word}}, f"AssumedRole {word}"),
    ):
        principal = read_principal(read_record({"userIdentity": identity}))
        assert (principal.name, is_root(principal)) == (name, False)
