from __future__ import annotations

import random

import botocore.session
import pytest

from chalicelib.alarm_path.patterns.coverage import (
    CIS_5_EVENTS,
    CLASSIC_EVENTS,
    JUDGED_EVENTS,
    Counted,
    also_counts,
    coverage,
    union_coverage,
)
from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.field_forms import REGIONS
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.sample_callers import call_of, callers
from chalicelib.alarm_path.patterns.sample_requests import requests
from chalicelib.cloudtrail.catalog import EventGroup, events_of
from tests.support.rows import every

SIX = " || ".join(f"($.eventName = {name})" for name in CLASSIC_EVENTS)
ANSWER = "$.responseElements"
IDENTITY = "$.userIdentity"
SESSION = f"{IDENTITY}.sessionContext"

# The answers for the seven events by their first letters, in the order of CIS_5_EVENTS, worked out by hand.
ANSWERS = [
    (f"{{ {SIX} }}", "aaaaaan"),
    (f"{{(((\n{SIX}\r\n)))}}", "aaaaaan"),
    ('{ $.eventName = "Authorize*Ingress" }', "nnnnnnn"),
    ("{ $.eventName = *SecurityGroup* }", "aaaaaaa"),
    ("{ $.eventName = *SecurityGroupIngress }", "anannnn"),
    ("{ $.eventName = Delete* }", "nnnnnan"),
    ("{ $.eventName = %SecurityGroup% }", "aaaaaaa"),
    ("{ $.eventName != %Describe% }", "uuuuuuu"),
    ("{ $.eventName = %Create Security|CreateSecurity% }", "nnnnunn"),
    ("{ $.errorMessage = %Failed authentication% }", "nnnnnnn"),
    ("%CreateSecurityGroup by [a-z]+%", "nnnnnnn"),
    ("%Some text|CreateSecurityGroup%", "nnnnunn"),
    ("{ $.eventName = authorizesecuritygroupingress }", "nnnnnnn"),
    ("{ $.eventname = CreateSecurityGroup }", "nnnnnnn"),
    ("{ $.['eventName'] = CreateSecurityGroup }", "nnnnann"),
    ('{ $["eventName"] = CreateSecurityGroup }', "nnnnunn"),
    ('{ $["eventName"] != CreateSecurityGroup }', "uuuunuu"),
    (f"{{ ({SIX}) && $.sourceIPAddress = 10.0.0.0/8 }}", "nnnnnnn"),
    (f"{{ ({SIX}) && {IDENTITY}.arn = arn:aws:iam::123456789012:user/alice }}", "uuuuuun"),
    ("{ $.eventName = CreateSecurityGroup && $.eventName = DeleteSecurityGroup }", "nnnnnnn"),
    ("{ $.eventName = CreateSecurityGroup || $.eventName = CreateSecurityGroup }", "nnnnann"),
    ("{ $.eventName = * }", "aaaaaaa"),
    ("{ $.eventName NOT EXISTS }", "nnnnnnn"),
    # Fields that are always the same.
    (f"{{ ({SIX}) && $.eventSource = ec2.amazonaws.com }}", "aaaaaan"),
    (f"{{ ({SIX}) && $.eventSource = EC2.amazonaws.com }}", "nnnnnnn"),
    (f"{{ ({SIX}) && $.eventType != AwsServiceEvent }}", "aaaaaan"),
    (f"{{ ({SIX}) && $.managementEvent IS TRUE }}", "aaaaaan"),
    (f"{{ ({SIX}) && $.readOnly IS FALSE }}", "aaaaaan"),
    (f"{{ ({SIX}) && $.readOnly = false }}", "uuuuuun"),
    (f"{{ ({SIX}) && $.readOnly IS TRUE }}", "nnnnnnn"),
    (f"{{ ({SIX}) && $.responseElements._return IS TRUE }}", "aaaaaan"),
    ("{ $.responseElements._return IS TRUE }", "aaaaaan"),
    ("{ $.eventVersion = 1.* }", "aaaaaaa"),
    ("{ $.eventVersion > 1 }", "nnnnnnn"),
    # Fields that a successful call does not have.
    (f"{{ ({SIX}) && $.errorCode NOT EXISTS }}", "aaaaaan"),
    (f"{{ ({SIX}) && $.errorCode != AccessDenied }}", "nnnnnnn"),
    (f"{{ ({SIX}) && $.errorCode IS NULL }}", "nnnnnnn"),
    (f"{{ ({SIX}) && $.additionalEventData NOT EXISTS }}", "aaaaaan"),
    (f"{{ ({SIX}) && $.requestParameters NOT EXISTS }}", "nnnnnnn"),
    # Callers singled out.
    (f"{{ {SIX} && {IDENTITY}.type != AWSService }}", "aaaaasn"),
    (f"{{ ({SIX}) && {IDENTITY}.type != AWSService }}", "ssssssn"),
    (f"{{ ({SIX}) && {IDENTITY}.type = * }}", "aaaaaan"),
    (f'{{ ({SIX}) && {IDENTITY}.type = "Nobody" }}', "nnnnnnn"),
    (f"{{ ({SIX}) && {IDENTITY}.userName != terraform }}", "ssssssn"),
    (f"{{ ({SIX}) && ({IDENTITY}.userName NOT EXISTS || {IDENTITY}.userName != terraform) }}", "ssssssn"),
    (f'{{ ({SIX}) && {IDENTITY}.arn = "*:root" }}', "ssssssn"),
    (f'{{ ({SIX}) && {IDENTITY}.arn != "arn:aws:sts::*:assumed-role/x/y" }}', "ssssssn"),
    (f'{{ ({SIX}) && {IDENTITY}.arn = "arn:aws:sts::*:assumed-role/x/y" }}', "nnnnnnn"),
    (f'{{ {IDENTITY}.type = Root && {IDENTITY}.arn = "*alice" }}', "nnnnnnn"),
    (f'{{ ({SIX}) && {IDENTITY}.arn != "*AWSReservedSSO*" }}', "ssssssn"),
    (f'{{ ({SIX}) && {SESSION}.attributes.mfaAuthenticated != "true" }}', "ssssssn"),
    (f"{{ ({SIX}) && {IDENTITY}.invokedBy NOT EXISTS }}", "ssssssn"),
    (f"{{ ({SIX}) && $.recipientAccountId = 123456789012 }}", "ssssssn"),
    (f"{{ ({SIX}) && $.recipientAccountId = 1234 }}", "nnnnnnn"),
    (f"{{ ({SIX}) && $.awsRegion = us-* }}", "ssssssn"),
    (f"{{ ({SIX}) && $.awsRegion = Europe }}", "nnnnnnn"),
    (f"{{ ({SIX}) && $.awsRegion = *-* }}", "aaaaaan"),
    (f"{{ ({SIX}) && ($.awsRegion = us-east-1 || $.awsRegion != us-east-1) }}", "aaaaaan"),
    (f'{{ ({SIX}) && $.userAgent != "console.ec2.amazonaws.com" }}', "ssssssn"),
    (f"{{ ({SIX}) && $.sourceIPAddress != 10.* }}", "ssssssn"),
    (f"{{ ({SIX}) && $.sourceIPAddress != 10.0.0.0/8 }}", "uuuuuun"),
    (f'{{ ({SIX}) && $.sessionCredentialFromConsole = "true" }}', "ssssssn"),
    (f"{{ ({SIX}) && $.vpcEndpointId NOT EXISTS }}", "ssssssn"),
    (f"{{ ({SIX}) && ({IDENTITY}.type != Root || {IDENTITY}.invokedBy NOT EXISTS) }}", "ssssssn"),
    (f"{{ ({SIX}) && ({IDENTITY}.type != AWSAccount || {IDENTITY}.invokedBy NOT EXISTS) }}", "ssssssn"),
    (f"{{ ({SIX}) && ({IDENTITY}.type != AssumedRole || {IDENTITY}.accessKeyId = *) }}", "ssssssn"),
    (f'{{ ({SIX}) && {SESSION}.ec2RoleDelivery = "1.0" }}', "ssssssn"),
    (f'{{ ({SIX}) && {IDENTITY}.inScopeOf.sourceArn = "arn:aws:lambda:*" }}', "ssssssn"),
    (f'{{ ({SIX}) && $.sessionCredentialFromConsole = "true" && $.tlsDetails.tlsVersion = "*" }}', "ssssssn"),
    (f'{{ ({SIX}) && $.sourceIPAddress != "delivery.logs.amazonaws.com" }}', "aaaaaan"),
    ('{ $.errorCode = "AccessDenied*" || $.sourceIPAddress != "delivery.logs.amazonaws.com" }', "aaaaaaa"),
    (f'{{ ({SIX}) && $.sourceIPAddress != "rds.amazonaws.com" }}', "ssssssn"),
    (f'{{ ({SIX}) && $.awsRegion != "eusc-de-east-1" }}', "ssssssn"),
    (f'{{ ({SIX}) && $.awsRegion = "eusc-*" }}', "ssssssn"),
    (f'{{ {IDENTITY}.type = "AssumedRole" && {IDENTITY}.onBehalfOf.userId = "*" }}', "sssssss"),
    # The samples' own values stand for no others.
    (f'{{ ({SIX}) && {IDENTITY}.arn != "*:123456789012:*" }}', "ssssssn"),
    (f'{{ ({SIX}) && $.eventID = "*-7777-*" }}', "ssssssn"),
    ('{ $.requestParameters.groupId = "sg-*" }', "ssssnsn"),
    ('{ $.requestParameters.groupId != "sg-0a*" }', "ssssnsn"),
    ('{ $.responseElements.groupId = "sg-0*" }', "nnnnssn"),
    ('{ $.requestParameters.groupDescription != "* *" }', "nnnnsnn"),
    # Two literals on one field, which one value meets or cannot meet.
    (f'{{ ({SIX}) && {IDENTITY}.arn = "arn:aws:sts::111122223333:*" && {IDENTITY}.arn = "*deploy*" }}', "ssssssn"),
    (f'{{ ({SIX}) && {IDENTITY}.arn = "arn:aws:sts::*" && {IDENTITY}.arn = "arn:aws:iam::*" }}', "nnnnnnn"),
    ('{ $.requestParameters.groupName = "prod-*" && $.requestParameters.groupName = "*-web" }', "ssssssn"),
    ('{ $.userAgent = "*x/1*" && $.userAgent = "*y/2*" && $.userAgent = "*z/3*" }', "sssssss"),
    ('{ $.awsRegion = "us-*" && $.awsRegion = "*-2" }', "sssssss"),
    ('{ $.awsRegion = "us-*" && $.awsRegion = "*-3" }', "nnnnnnn"),
    # Requests singled out.
    ("{ $.requestParameters.ipPermissions NOT EXISTS }", "nnssaaa"),
    ('{ $.requestParameters.ipPermissions.items[0].groups.items[0].groupName = "web" }', "ssssnnn"),
    (f'{{ ({SIX}) && $.requestParameters.groupId = "*" }}', "ssssnsn"),
    (f'{{ ({SIX}) && $.requestParameters.groupId = "vpc-1" }}', "nnnnnnn"),
    (f"{{ ({SIX}) && $.requestParameters.ipPermissions.items[3].fromPort = 22 }}", "ssssnnn"),
    (f"{{ ({SIX}) && $.requestParameters.ipPermissions.items[0].toPort > 1000 }}", "ssssnnn"),
    (f"{{ ({SIX}) && $.requestParameters.ipPermissions.items[0].toPort > 70000 }}", "nnnnnnn"),
    (f'{{ ({SIX}) && $.requestParameters.ipPermissions.items[*].ipProtocol = "-1" }}', "ssssnnn"),
    # Answers singled out: what was revoked may have had no rule, all traffic has ports of -1, one call makes several.
    (f"{{ ({SIX}) && {ANSWER}.revokedSecurityGroupRuleSet.items[0].toPort NOT EXISTS }}", "aassaan"),
    (f"{{ ({SIX}) && {ANSWER}.securityGroupRuleSet.items[1].isEgress IS TRUE }}", "nsnnnnn"),
    (f'{{ ({SIX}) && {ANSWER}.securityGroupRuleSet.items[0].groupOwnerId = "444455556666" }}', "ssnnnnn"),
    (f"{{ ({SIX}) && {ANSWER}.securityGroupRuleSet.items[0].fromPort > -1 }}", "ssnnnnn"),
    (f'{{ ({SIX}) && {ANSWER}.securityGroupRuleSet.items[0].cidrIpv4 = "*" }}', "ssnnnnn"),
    (f"{{ ({SIX}) && {ANSWER}.groupId NOT EXISTS }}", "aaaansn"),
    (f"{{ ({SIX}) && {ANSWER}._return IS TRUE }}", "aaaaaan"),
    (f"{{ {ANSWER}.ModifySecurityGroupRulesResponse.requestId = * }}", "nnnnnna"),
    (f'{{ ({SIX}) && $.requestParameters.ipPermissions.items[0].ipv6Ranges.items[0].cidrIpv6 = "::/0" }}', "ssssnnn"),
    ("{ $.* = CreateSecurityGroup }", "nnnnann"),
    ("{ $.* = us-east-1 }", "sssssss"),
    ("{ $.* != us-east-1 }", "uuuuuuu"),
    # Text.
    ("", "aaaaaaa"),
    ('" "', "aaaaaaa"),
    (" ", "uuuuuuu"),
    ('"\\"eventName\\":\\"CreateSecurityGroup\\""', "nnnnann"),
    ('"\\"eventName\\": \\"CreateSecurityGroup\\""', "nnnnnnn"),
    ("?CreateSecurityGroup ?DeleteSecurityGroup", "nnnnaan"),
    ("alice", "sssssss"),
    ("alice bob", "sssssss"),
    ('"\\"type\\":\\"AssumedRole\\"" "\\"userName\\":\\"deploy\\""', "sssssss"),
    ("CreateSecurityGroup AKIAIOSFODNN7EXAMPLE", "nnnnsnn"),
    ("AuthorizeSecurityGroupIngress ConsoleLogin", "nnnnnnn"),
    ("ERROR", "nnnnnnn"),
    ("bob -carol", "sssssss"),
    ("-alice", "sssssss"),
    ("errorCode", "nnnnnnn"),
    ('"123456789012"', "sssssss"),
    ('"0.0.0.0/0"', "sssssss"),
    ("[ip, user, status=4*, bytes]", "nnnnnnn"),
    ("[...]", "uuuuuuu"),
]


@every(("pattern", "letters"), ANSWERS)
def test_coverage_is_what_was_worked_out_by_hand(pattern: str, letters: str) -> None:
    judged = coverage(pattern)
    assert judged.error is None
    assert "".join(judged.status(event)[0] for event in CIS_5_EVENTS) == letters


@pytest.mark.parametrize(
    ("clause", "condition"),
    [
        ('$.userIdentity.type = "IAMUser"', "only when userIdentity.type = IAMUser"),
        ("$.userIdentity.invokedBy NOT EXISTS", "only when userIdentity.invokedBy is absent"),
        (
            "$.userIdentity.invokedBy != x.amazonaws.com",
            "only when userIdentity.invokedBy is there and is not x.amazonaws.com",
        ),
        (
            "$.requestParameters.vpcId != vpc-1",
            "only when requestParameters.vpcId is there and is not vpc-1",
        ),
        ("$.requestParameters.groupName != web", "only when requestParameters.groupName is not web"),
        ("$.sourceIPAddress != 10.*", "only when sourceIPAddress does not begin with 10."),
        ("$.awsRegion = us-* && $.readOnly IS FALSE", "only when awsRegion begins with us-"),
        (
            '$.userIdentity.type = Root || $.userAgent = "*aws-cli*" && $.awsRegion = eu-west-1',
            "only when userIdentity.type = Root or (userAgent contains aws-cli and awsRegion = eu-west-1)",
        ),
        ('$.eventName = "**Group"', "it is not known what AWS does with eventName = **Group"),
        ("$.readOnly = false", "it is not known what AWS does with readOnly = false"),
        ("$.readOnly is FALSE", "it is not known what AWS does with IS in other than capital letters"),
    ],
)
def test_the_condition_is_said_in_words(clause: str, condition: str) -> None:
    judged = coverage(f"{{ ($.eventName = CreateSecurityGroup) && ({clause}) }}")
    answers = {item.event: item.condition for item in judged.events}
    assert answers["CreateSecurityGroup"] == condition
    assert answers["DeleteSecurityGroup"] == ""


def test_every_region_is_tried() -> None:
    partitions = botocore.session.Session().get_data("partitions")["partitions"]
    regions = {region for partition in partitions for region in partition["regions"] if "global" not in region}
    assert regions <= set(REGIONS)


def test_every_watched_rule_and_group_event_is_judged() -> None:
    watched = {event.name for event in events_of((EventGroup.RULES, EventGroup.GROUPS))}
    assert {item.event for item in coverage("").events} == watched == set(JUDGED_EVENTS)


def test_the_standards_ask_for_always() -> None:
    classic = coverage(f"{{ {SIX} }}")
    assert (classic.cis_1_to_4, classic.cis_5) == (True, False)
    seven = coverage(f"{{ {SIX} || $.eventName = ModifySecurityGroupRules }}")
    assert (seven.cis_1_to_4, seven.cis_5, seven.security_hub_exact) == (True, True, False)
    some = coverage(f"{{ ({SIX}) && $.userIdentity.type = Root }}")
    assert (some.cis_1_to_4, some.cis_5) == (False, False)
    refused = coverage("{ $.eventName == x }")
    assert refused.error is not None
    assert (refused.cis_1_to_4, refused.security_hub_exact, refused.events) == (False, False, ())


@pytest.mark.parametrize(
    ("pattern", "exact"),
    [
        (f"{{ {SIX} }}", True),
        ("{" + "||".join(f'$.eventName="{name}"' for name in reversed(CLASSIC_EVENTS)) + "}", True),
        (f"{{ {SIX} || $.eventName = ModifySecurityGroupRules }}", False),
        (f"{{ ({SIX}) && ($.errorCode NOT EXISTS) }}", False),
        (f"{{ ($.eventSource = ec2.amazonaws.com) && ({SIX}) }}", False),
        ("{ " + " || ".join(f"($.eventName = {name})" for name in CLASSIC_EVENTS[:5]) + " }", False),
        ("{ $.eventName = AuthorizeSecurityGroup* || $.eventName = RevokeSecurityGroup* }", False),
        ("SecurityGroup", False),
    ],
)
def test_security_hub_wants_the_six_names_and_nothing_else(pattern: str, exact: bool) -> None:
    assert coverage(pattern).security_hub_exact is exact


def test_two_filters_together_may_cover_what_neither_does() -> None:
    halves = [f"{{ ({SIX}) && $.userIdentity.type = Root }}", f"{{ ({SIX}) && $.userIdentity.type != Root }}"]
    assert [coverage(half).cis_1_to_4 for half in halves] == [False, False]
    assert union_coverage(halves).cis_1_to_4
    assert union_coverage([*halves, "{ $.eventName == x }"]).cis_1_to_4
    text_and_json = ["DeleteSecurityGroup", "{ $.eventName != DeleteSecurityGroup }"]
    assert union_coverage(text_and_json).cis_5
    halves_of_text = ("CreateSecurityGroup alice", "CreateSecurityGroup -alice")
    assert union_coverage(halves_of_text).status("CreateSecurityGroup") is Counted.ALWAYS
    assert union_coverage(("CreateSecurityGroup alice", "bob")).status("CreateSecurityGroup") is Counted.SOMETIMES
    assert union_coverage([]).status("CreateSecurityGroup") is Counted.NEVER


def test_a_doubtful_filter_does_not_spoil_a_sound_one_beside_it() -> None:
    sound, doubtful = f"{{ {SIX} }}", "{ $.readOnly is FALSE }"
    assert union_coverage([sound, doubtful]).cis_1_to_4
    assert union_coverage([doubtful]).status("CreateSecurityGroup") is Counted.UNKNOWN


def test_calls_that_change_no_security_group_are_noted() -> None:
    assert also_counts("{ $.eventName = *SecurityGroup* }") == (
        "DescribeSecurityGroups",
        "AuthorizeClusterSecurityGroupIngress",
        "CreateDBSecurityGroup",
        "SetSecurityGroups",
    )
    assert also_counts(f"{{ {SIX} }}") == ()


def _random_pattern(seed: int) -> str:
    chance = random.Random(seed)
    clauses = [
        "$.eventName = Create*",
        "$.eventName != DeleteSecurityGroup",
        "$.userIdentity.type = Root",
        "$.userIdentity.type != AssumedRole",
        "$.userIdentity.invokedBy NOT EXISTS",
        "$.userIdentity.userName = maria",
        '$.userAgent = "aws-cli*"',
        "$.awsRegion != us-east-1",
        "$.requestParameters.groupId NOT EXISTS",
        "$.requestParameters.ipPermissions.items[0].fromPort = 22",
        "$.errorCode NOT EXISTS",
        "$.readOnly = false",
    ]
    groups = [" && ".join(chance.sample(clauses, chance.randint(1, 3))) for _ in range(chance.randint(1, 3))]
    return "{ " + " || ".join(groups) + " }"


@every("seed", range(15))
def test_no_sample_record_contradicts_the_coverage(seed: int) -> None:
    assert_no_sample_contradicts(seed)


@pytest.mark.slow
@every("seed", range(15, 60))
def test_no_sample_record_contradicts_the_coverage_of_more_patterns(seed: int) -> None:
    assert_no_sample_contradicts(seed)


def assert_no_sample_contradicts(seed: int) -> None:
    text = _random_pattern(seed)
    pattern = parse(text)
    judged = coverage(text)
    for event in CIS_5_EVENTS:
        samples = [{**call_of(caller, event), **request} for caller in callers() for request in requests(event)]
        seen = {matches(pattern, sample) for sample in samples}
        status = judged.status(event)
        if status is Counted.ALWAYS:
            assert seen == {Verdict.MATCH}
        if status is Counted.NEVER:
            assert seen == {Verdict.NO_MATCH}
        if {Verdict.MATCH, Verdict.NO_MATCH} <= seen:
            assert status is Counted.SOMETIMES


def test_the_same_filter_is_judged_once() -> None:
    text = f"{{ {SIX} || ($.eventName = JudgedOnce) }}"
    assert coverage(text) is coverage(text)


def test_a_pattern_made_to_be_slow_is_judged() -> None:
    names = ("userIdentity.arn", "sourceIPAddress", "userAgent", "awsRegion", "userIdentity.principalId")
    clauses = [f'$.{names[n % len(names)]} != "*{n}{n}*"' for n in range(24)]
    assert coverage("{ " + " && ".join(clauses) + " }").status("CreateSecurityGroup") is Counted.SOMETIMES


def test_of_more_combinations_than_can_be_tried_those_that_meet_least_and_most_are() -> None:
    clauses = ('$.userIdentity.arn = "*u{n}"', '$.sourceIPAddress = "10.{n}.*"', '$.userAgent = "a{n}*"')
    both = " && ".join(f"({clause})" for clause in ("$.eventName = CreateSecurityGroup", *clauses))
    judged = union_coverage("{ " + both.replace("{n}", str(number)) + " }" for number in range(40))
    assert judged.status("CreateSecurityGroup") is Counted.SOMETIMES


def test_more_combinations_than_can_be_tried_are_unknown_and_never_taken_for_all() -> None:
    # What it leaves out meets one literal in the middle of each field.
    arn, agent, address = "$.userIdentity.arn", "$.userAgent", "$.sourceIPAddress"
    clauses = [f'({arn} NOT EXISTS || {agent} != "*a0*" || {agent} = "*0*" || {address} != "10.0.*")']
    for number in range(1, 7):
        left_out = (f'{arn} != "*u{number}*"', f'{agent} != "*a{number}*"', f'{address} != "10.{number}.*"')
        clauses.append(f"({arn} NOT EXISTS || {' || '.join(left_out)})")
    assert coverage("{ " + " && ".join(clauses) + " }").status("CreateSecurityGroup") is Counted.UNKNOWN
