"""Records out of every envelope, who acted in them and with what program, word for word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from chalicelib.cloudtrail.principals import Principal, is_root, is_unnamed, issuer_path, read_principal
from chalicelib.cloudtrail.records import (
    CloudTrailRecord,
    RecordError,
    canonical_digest,
    read_record,
    source_of,
    text,
    unwrap,
)
from chalicelib.cloudtrail.user_agents import is_service, read_client, service_client
from tests.support import records as r
from tests.support.goldens import check_golden

Json = dict[str, Any]
ACCOUNT = r.ACCOUNT
WHOLE = json.dumps({"eventName": "A"})
DOCUMENTS: tuple[object, ...] = (
    *({"eventName": "A"}, {"detail": {"eventName": "A"}}, {"Records": [{"eventName": "A"}, {"eventName": "B"}]}),
    *(
        {"Events": [{"CloudTrailEvent": WHOLE}]},
        {"CloudTrailEvent": {"eventName": "A"}},
        {"record": {"eventName": "A"}},
    ),
    *(
        [{"eventName": "A"}, [{"detail": {"eventName": "B"}}]],
        {"Records": []},
        {},
        [],
        None,
        "x",
        1,
        1.5,
        True,
        {"a": 1, "b": 2},
    ),
    *({"detail": "x"}, {"Records": {"eventName": "A"}}, {"detail": {"Records": [{"eventName": "A"}]}, "record": {}}),
    *({"EventName": "A", "CloudTrailEvent": WHOLE}, {"EventName": "A"}, {"EventName": "A", "CloudTrailEvent": "{"}),
    {
        "EventName": "A",
        "CloudTrailEvent": "",
        "EventId": "1",
        "EventSource": "s",
        "EventTime": "t",
        "Username": "u",
        "AccessKeyId": "k",
    },
    *(
        {"EventName": "A", "CloudTrailEvent": json.dumps({"a": 1})},
        {"EventName": "A", "CloudTrailEvent": '"eventName"'},
    ),
    *(
        {"EventName": "A", "CloudTrailEvent": "null"},
        {"EventName": "A", "CloudTrailEvent": 7},
        {"CloudTrailEvent": "{"},
        {"CloudTrailEvent": 7},
    ),
    *(
        {"EventName": "A", "CloudTrailEvent": '["eventName"]'},
        {"CloudTrailEvent": '[{"eventName": "A"}]'},
        {"EventName": 7},
    ),
    *(
        {"Records": [{"eventName": "A"}, {}, {"eventName": "B"}, "x", 7]},
        {"Events": [None]},
        {f"k{n}" * 30: n for n in range(10)},
    ),
    *({"detail": {"detail": {"eventName": "A"}}}, {1: 2, "b": 3}),
)


def nested(depth: int) -> Json:
    document: Json = {"eventName": "A"}
    for _ in range(depth):
        document = {"detail": document}
    return document


def test_records_come_out_of_their_envelopes_word_for_word() -> None:
    lines = []
    for document, any_object in product([*DOCUMENTS, nested(8), nested(9), nested(10)], (False, True)):
        lines.append(f"== {json.dumps(document)}{', any object' if any_object else ''}")
        try:
            lines += [f"  {json.dumps(record)}" for record in unwrap(document, any_object=any_object)]
        except RecordError as error:
            lines.append(f"  {error}")
    check_golden(Path("records") / "unwrapped.txt", "\n".join(lines) + "\n")


def test_records_before_a_broken_one_are_not_lost() -> None:
    found = unwrap({"Records": [{}, {"eventName": "A"}]})
    assert next(found) == {"eventName": "A"}
    with pytest.raises(RecordError):
        next(found)


FIELDS: dict[str, tuple[object, ...]] = {
    "eventID": ("1", 1, "", None, "\ud800x"),
    "eventTime": (
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00+02:00",
        "2026-11-23T10:00:00",
        "0001-01-01T00:00:00+14:00",
        "x",
        7,
    ),
    "recipientAccountId": (ACCOUNT, 123456789012, True, "", None, 10**5000),
    "eventSource": ("ec2.amazonaws.com", 7, ""),
    "errorCode": (
        "-",
        "None",
        " null ",
        "N/A",
        "no_error",
        "0",
        "200",
        0,
        200,
        "OK!",
        "Øk",
        "...",
        "…",
        "Client.X",
        7,
        True,
        " Denied ",
    ),
    "sessionCredentialFromConsole": ("true", True, "false", False, None, "True"),
    **dict.fromkeys(
        ("eventName", "awsRegion", "requestID", "errorMessage", "userAgent", "sourceIPAddress"), (7, [1], "", "\udfffx")
    ),
    **dict.fromkeys(("requestParameters", "responseElements"), ([1], "x", {"a": 1})),
    "eventCategory": ("NetworkActivity", "Management"),
    "eventType": ("AwsVpceEvent", "AwsApiCall"),
    "addendum": ({"originalEventID": "2"}, {"originalEventID": r.EVENT_ID}, {}, "x"),
    "userIdentity": ({"accountId": "1"}, "x", None),
    "sgwatchIncomplete": ("cut", "", 7),
}


def told(record: CloudTrailRecord) -> str:
    fields = {key: value for key, value in record._asdict().items() if key != "raw"}
    fields |= {
        key: getattr(record, key)
        for key in ("has_event_id", "incomplete", "is_network_activity", "repeats_another", "supplements")
    }
    return ascii({key: str(value) for key, value in fields.items()})


def test_fields_of_a_record_word_for_word() -> None:
    bare = {"eventName": "A", "eventID": r.EVENT_ID, "recipientAccountId": ACCOUNT}
    plain = told(read_record(bare))
    lines = [plain]
    for field, values in FIELDS.items():
        for value in values:
            if isinstance(value, int) and value > 10**20:
                continue
            given = told(read_record(bare | {field: value}))
            lines.append(f"== {field}: {value!a}\n  {'as above' if given == plain else given}")
    for account in ("1", 7, [1], None):
        record = {"eventName": "A", "eventID": r.EVENT_ID, "userIdentity": {"accountId": account}}
        lines.append(f"== an identity's account {account!a}\n  {told(read_record(record))}")
    whole = {key: f"{key} given" for key in read_record({})._fields}
    names = ("eventName", "awsRegion", "requestID", "errorMessage", "userAgent", "sourceIPAddress")
    lines.append(told(read_record({**whole, **{name: f"<{name}>" for name in names}, "eventID": "1"})))
    lines.append(told(read_record({"requestParameters": {"a": 1}, "responseElements": {"b": 2}, "eventID": "1"})))
    check_golden(Path("records") / "fields.txt", "\n".join(lines) + "\n")
    assert read_record(bare | {"recipientAccountId": 10**5000}).account_id is None


def test_an_id_is_made_of_a_document_whatever_it_holds() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    ids = {
        canonical_digest(value)
        for value in ({}, {"a": 1}, {"a": "1"}, [], "é", "e", {1: 1, "a": 2}, [1, 2], deep, {"a": {2}})
    }
    assert len(ids) == 10
    assert {len(each) for each in ids} == {len("sha256-") + 32}
    assert canonical_digest({"a": 1, "b": 2}) == canonical_digest({"b": 2, "a": 1})
    assert source_of({}) is None
    assert [text("\udfff"), text("\ud800"), text("é"), text(""), text(0), text(True), text(1.5)] == [
        "�",
        "�",
        "é",
        None,
        "0",
        None,
        None,
    ]


SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice"
SSO = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/alice"
PATH = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"
ARNS = (
    *(
        None,
        f"arn:aws:iam::{ACCOUNT}:user/team/alice",
        f"arn:aws:iam::{ACCOUNT}:root",
        SESSION,
        SSO,
        "not an arn",
        PATH,
    ),
    *(
        f"arn:aws:sts::{ACCOUNT}:federated-user/alice",
        f"arn:aws:iam::{ACCOUNT}:role/path/Admin",
        "arn:aws:iam::1:role/",
    ),
    *(f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin", "arn:aws:s3:::root", "arn:aws:iam:::user/"),
)
TYPES = (
    "IAMUser",
    "Root",
    "root",
    "AssumedRole",
    "Role",
    "FederatedUser",
    "SAMLUser",
    "WebIdentityUser",
    "IdentityCenterUser",
    "AWSAccount",
    "AWSService",
    "Directory",
    None,
    7,
    "\u200b",
)
ISSUERS: tuple[Json, ...] = (
    *({}, {"type": "Role", "userName": "Admin"}, {"type": "Role", "arn": PATH, "userName": "Other"}, {"arn": PATH}),
    *(
        {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Admin_0123456789abcdef"},
        {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:user/x"},
    ),
    *(
        {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/mine/AWSReservedSSO_Admin_0123456789abcdef"},
        {"type": "User", "userName": "bob"},
    ),
)
MORE: tuple[Json, ...] = (
    *(
        {},
        {"userName": "alice"},
        {"principalId": "AROA123:bob"},
        {"principalId": f"{ACCOUNT}:bob"},
        {"principalId": "AIDA123"},
    ),
    *(
        {"accountId": ACCOUNT},
        {"accountId": r.OTHER_ACCOUNT},
        {"accountId": "ANONYMOUS_PRINCIPAL"},
        {"accountId": "anonymous"},
    ),
    *(
        {"invokedBy": "autoscaling.amazonaws.com"},
        {"invokedByDelegate": {"accountId": "1"}},
        {"onBehalfOf": {"userId": "u-1"}},
    ),
    *(
        {"sessionContext": {"sourceIdentity": "carol"}},
        {"sessionContext": {"attributes": {"mfaAuthenticated": "true"}}},
    ),
    *(
        {"sessionContext": {"attributes": {"mfaAuthenticated": False}}},
        {"sessionContext": {"attributes": {"mfaAuthenticated": 1}}},
    ),
    *(
        {"accessKeyId": " AKIA "},
        {"USERNAME": "alice"},
        {"username": "alice", "x": 1},
        {"userName": " \t"},
        {"userName": "\u200b"},
    ),
)


def identities() -> Iterator[Json]:
    for type_, arn in product(TYPES, ARNS):
        yield {"type": type_, "arn": arn}
    for type_, more in product(TYPES, MORE):
        yield {"type": type_, **more}
    for type_, more in product((*TYPES[:9:2], "WebIdentityUser", "SAMLUser", "AWSService"), MORE):
        yield {"type": type_, "arn": ARNS[1], "onBehalfOf": {"userId": "u-2"}, **more}
    for arn, issuer in product((None, SESSION, SSO, PATH), ISSUERS):
        yield {"type": "AssumedRole", "arn": arn, "sessionContext": {"sessionIssuer": issuer}}
    for arn, more in product((SESSION, SSO, f"arn:aws:iam::{ACCOUNT}:role/Admin"), MORE):
        yield {"type": "AssumedRole", "arn": arn, **more}


def who(principal: Principal) -> str:
    fields = {
        key: value
        for key, value in principal._asdict().items()
        if value not in (None, "unknown", False) or key == "mfa"
    }
    marks = [name for name, is_so in (("root", is_root(principal)), ("unnamed", is_unnamed(principal))) if is_so]
    return " ".join([f"{key}={value!a}" for key, value in fields.items() if value is not None] + marks)


def test_who_acted_word_for_word() -> None:
    lines = []
    for identity in identities():
        for account in (ACCOUNT, None):
            record = read_record({"userIdentity": identity, "recipientAccountId": account, "eventID": "1"})
            found = who(read_principal(record))
            if account:
                given = {key: value for key, value in identity.items() if value is not None}
                lines.append(f"== {json.dumps(given)}\n  {found} / {issuer_path(record)}")
            elif found != lines[-1].split("\n  ")[1].split(" / ")[0]:
                lines.append(f"  without an account: {found}")
    check_golden(Path("records") / "principals.txt", "\n".join(lines) + "\n")


def test_a_sign_in_says_elsewhere_whether_it_was_with_mfa() -> None:
    def mfa(additional: object, **attributes: object) -> bool | None:
        identity = {"sessionContext": {"attributes": attributes}}
        return read_principal(read_record({"userIdentity": identity, "additionalEventData": additional})).mfa

    found = [mfa({"MFAUsed": said}) for said in ("Yes", "No", "yes", True, 1, None, "maybe")]
    assert found == [True, False, True, True, None, None, None]
    assert [mfa({"MFAUsed": "Yes"}, mfaAuthenticated="false"), mfa({"mfaused": "No"}), mfa("x"), mfa(None)] == [
        False,
        False,
        None,
        None,
    ]


AGENTS = (
    *(
        None,
        "",
        "aws-cli/2.1 Python",
        "[aws-cli/1.0]",
        "Boto3/1.2 md/Botocore#1",
        "Botocore/1.3",
        "Boto/2.4",
        "aws-sdk-go-v2/1.2",
        "aws-sdk-java/2",
    ),
    *(
        "aws-sdk-js/3",
        "aws-sdk-nodejs/2.1",
        "aws-sdk-dotnet-coreclr/3",
        "aws-sdk-rust/1",
        "aws-sdk-ruby3/3",
        "aws-sdk-php/3",
        "aws-sdk-cpp/1",
    ),
    *(
        "aws-sdk-gopher/1",
        "Pulumi/3 terraform/1",
        "OpenTofu/1 terraform/1",
        "HashiCorp-Terraform/1.0",
        "terraformer/1",
        "aws-cdk/2",
        "cdkx/1",
    ),
    *(
        "Ansible/2 Boto3/1",
        "ansibles/2",
        "AWS-CLI/2 exec-env/CloudShell",
        "S3Console/0.4",
        "EC2ConsoleFrontend",
        "console.amazonaws.com",
    ),
    *(
        "signin.amazonaws.com",
        "cloudformation.amazonaws.com",
        "autoscaling.amazonaws.com",
        "elasticmapreduce.aws.internal",
        "AWS Internal",
    ),
    *(
        "aws-internal/3 aws-sdk-java/1",
        "Coral/Netty4",
        "Mozilla/5.0 (X11)",
        "x Mozilla/5.0",
        "curl/8.0",
        "ec2.amazonaws.com.cn",
        "amazonaws.com",
    ),
    *("evil.amazonaws.com.example.com", "(mozilla/5)", "aws-cli-x/1", "boto3x/1", "S3consoles"),
)


def test_which_program_called_word_for_word() -> None:
    callers: tuple[Json, ...] = (
        *({}, {"sessionCredentialFromConsole": "true"}, {"sourceIPAddress": "autoscaling.amazonaws.com"}),
        {"sourceIPAddress": "cloudformation.amazonaws.com"},
        {"userIdentity": {"invokedBy": "cloudformation.amazonaws.com"}},
        {"userIdentity": {"invokedBy": "x"}, "sourceIPAddress": "console.amazonaws.com"},
    )
    lines = []
    for agent in AGENTS:
        found = " ".join(read_client(read_record({"userAgent": agent, **caller})) for caller in callers)
        lines.append(f"{agent!a}: {found}; {is_service(agent)} {service_client(agent)}")
    check_golden(Path("records") / "clients.txt", "\n".join(lines) + "\n")
