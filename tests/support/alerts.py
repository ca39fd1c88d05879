"""Sample alerts of every kind, as the core makes them."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.alert.model import (
    Account,
    AlarmPath,
    Alert,
    AlertKind,
    Attached,
    Attachment,
    Changes,
    Event,
    Exposure,
    Outcome,
    Principal,
    SecurityGroup,
    Severity,
    Undo,
)
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.unknowns import other

CONSOLE = "https://eu-west-1.console.aws.amazon.com"
EVENT_ID = "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10"
GROUP_ID = "sg-0a1b2c3d4e5f60718"
# Every trick at once: mentions, links, markup, fences, a new line, reordering and invisible characters.
HOSTILE = (
    "<!channel> <!here> @here @everyone <@U012AB3CD> <#C012AB3CD> <https://evil.example.com|AWS console> "
    "*bold* _italic_ ~struck~ `code` ``` out\n> quote\r\n&lt;!channel&gt; \u202egnp.exe\u202c zero\u200bwidth "
    "\x1b[31mred\x07 \u2028next \u3164\ufe0f \ud800 e\u0301\u0301\u0301\u0301"
)


def rule(
    cidr: str = "0.0.0.0/0",
    port: int | None = 22,
    *,
    protocol: str = "tcp",
    to_port: int | None = None,
    direction: Direction | None = Direction.INGRESS,
    description: str | None = None,
    rule_id: str | None = "sgr-0123456789abcdef0",
) -> SecurityGroupRule:
    """A rule with a CIDR peer."""
    peer = Peer(PeerType.IPV6 if ":" in cidr else PeerType.IPV4, cidr)
    return SecurityGroupRule(
        direction, protocol, port, port if to_port is None else to_port, peer, description=description, id=rule_id
    )


def event(name: str, outcome: Outcome = Outcome.SUCCEEDED, error: str | None = None, said: str | None = None) -> Event:
    """The API call of an alert."""
    return Event(
        name=name,
        source="ec2.amazonaws.com",
        id=EVENT_ID,
        request_id="8c1e5f0a-1111-4222-8333-444455556666",
        outcome=outcome,
        error_code=error,
        error_message=said,
        url=f"{CONSOLE}/cloudtrailv2/home?region=eu-west-1#/events/{EVENT_ID}",
    )


ALICE = Principal(
    type="AssumedRole",
    name="alice@example.com",
    arn="arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/alice@example.com",
    account_id="123456789012",
    role="AWSReservedSSO_Admin_0123456789abcdef",
    permission_set="Admin",
    session_name="alice@example.com",
    mfa=False,
    access_key_id="ASIAIOSFODNN7EXAMPLE",
    client="aws-cli",
    source_ip="203.0.113.7",
)
WEB = SecurityGroup(
    id=GROUP_ID,
    name="web",
    vpc_id="vpc-0fedcba9876543210",
    description="Front end",
    url=f"{CONSOLE}/ec2/home?region=eu-west-1#SecurityGroup:groupId={GROUP_ID}",
)


def critical_open_ssh() -> Alert:
    """SSH opened to the world: the alert that everything is for."""
    opened = rule(description="ssh for all")
    return Alert(
        id=EVENT_ID,
        kind=AlertKind.SECURITY_GROUP_CHANGE,
        severity=Severity.CRITICAL,
        title=f"tcp/22 opened to the internet on web ({GROUP_ID})",
        summary="alice@example.com let the whole IPv4 internet reach tcp/22 (SSH) on web.",
        occurred_at=datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC),
        account=Account("123456789012", "prod"),
        region="eu-west-1",
        event=event("AuthorizeSecurityGroupIngress"),
        principal=ALICE,
        security_group=WEB,
        changes=Changes(added=(opened,)),
        exposures=(
            Exposure(
                Severity.CRITICAL,
                "ingress from 0.0.0.0/0 to tcp/22 (SSH), an administration port",
                ("EC2.13", "EC2.19", "EC2.53", "CIS 5.3"),
                opened,
            ),
        ),
        undo=Undo(
            (
                (
                    f"aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id {GROUP_ID} "
                    '--ip-permissions \'[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,'
                    '"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]\''
                ),
            )
        ),
    )


def denied_attempt() -> Alert:
    """The same, refused by IAM."""
    return critical_open_ssh()._replace(
        severity=Severity.MEDIUM,
        title=f"denied attempt to open tcp/22 to the internet on web ({GROUP_ID})",
        summary="alice@example.com tried to let the whole IPv4 internet reach tcp/22 (SSH) on web and was denied.",
        event=event(
            "AuthorizeSecurityGroupIngress",
            Outcome.DENIED,
            "Client.UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ),
        changes=Changes(attempted=(rule(description="ssh for all"),)),
        exposures=(Exposure(Severity.MEDIUM, "a denied attempt to change a security group"),),
        undo=Undo(()),
    )


def dry_run() -> Alert:
    """A call with DryRun set."""
    return denied_attempt()._replace(
        severity=Severity.INFO,
        title=f"dry run of opening tcp/22 to the internet on web ({GROUP_ID})",
        summary="alice@example.com checked whether the call would be allowed.",
        event=event("AuthorizeSecurityGroupIngress", Outcome.DRY_RUN, "Client.DryRunOperation"),
        exposures=(),
    )


def revoke() -> Alert:
    """Good news: a way in is gone."""
    return critical_open_ssh()._replace(
        severity=Severity.LOW,
        title=f"tcp/22 closed to the internet on web ({GROUP_ID})",
        summary="alice@example.com took away a rule that let the whole IPv4 internet reach tcp/22 (SSH) on web.",
        event=event("RevokeSecurityGroupIngress"),
        changes=Changes(removed=(rule(description="ssh for all"),), rules_after=3),
        exposures=(Exposure(Severity.LOW, "removed: ingress tcp/22 from 0.0.0.0/0"),),
        undo=Undo(
            (
                (
                    f"aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id {GROUP_ID} "
                    '--ip-permissions \'[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,'
                    '"IpRanges":[{"CidrIp":"0.0.0.0/0","Description":"ssh for all"}]}]\''
                ),
            )
        ),
    )


def modify_before_unknown() -> Alert:
    """ModifySecurityGroupRules seen through the record alone."""
    after = rule(direction=None, description="ssh")
    return critical_open_ssh()._replace(
        title=f"rule changed to tcp/22 from the internet on {GROUP_ID}",
        event=event("ModifySecurityGroupRules"),
        security_group=SecurityGroup(id=GROUP_ID, url=WEB.url),
        changes=Changes(modified=(ModifiedRule(None, after),), before_known=False),
        exposures=(critical_open_ssh().exposures[0]._replace(rule=after),),
        undo=Undo(None, "the record does not say what the rule was before"),
        unknowns=(
            other("the direction of sgr-0123456789abcdef0: the record does not say; judged as ingress"),
            other("what sgr-0123456789abcdef0 was before: the record does not say"),
        ),
    )


def modify_before_known() -> Alert:
    """ModifySecurityGroupRules with the former rule looked up, on a group with a public address."""
    before, after = rule("10.0.0.0/8", description="office"), rule(description="everybody")
    attached = Attached(("eni-0aaa1111bbbb2222c",), ("i-0123456789abcdef0",), ("203.0.113.80",))
    return modify_before_unknown()._replace(
        security_group=WEB._replace(owner="team-web", attached=attached),
        changes=Changes(modified=(ModifiedRule(before, after),), rules_after=4),
        exposures=(critical_open_ssh().exposures[0]._replace(rule=after),),
        undo=Undo((f"aws ec2 modify-security-group-rules --region eu-west-1 --group-id {GROUP_ID} …",)),
        unknowns=(),
        alarm_path=AlarmPath("pass", datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
    )


def description_update() -> Alert:
    """UpdateSecurityGroupRuleDescriptionsIngress."""
    before, after = rule("10.0.0.0/8", description="office"), rule("10.0.0.0/8", description="office VPN")
    return revoke()._replace(
        severity=Severity.INFO,
        title=f"a rule's description changed on web ({GROUP_ID})",
        summary="alice@example.com changed what a rule says, not what it lets through.",
        event=event("UpdateSecurityGroupRuleDescriptionsIngress"),
        changes=Changes(modified=(ModifiedRule(before, after),)),
        exposures=(),
    )


def group_created() -> Alert:
    """CreateSecurityGroup."""
    return revoke()._replace(
        title=f"security group web ({GROUP_ID}) created",
        summary="alice@example.com created the security group web.",
        event=event("CreateSecurityGroup"),
        changes=Changes(),
        exposures=(),
        undo=Undo((f"aws ec2 delete-security-group --region eu-west-1 --group-id {GROUP_ID}",)),
    )


def group_deleted() -> Alert:
    """DeleteSecurityGroup, by root."""
    return group_created()._replace(
        severity=Severity.HIGH,
        title=f"security group {GROUP_ID} deleted by root",
        summary="The root user deleted a security group.",
        event=event("DeleteSecurityGroup"),
        principal=Principal(type="Root", name="root", account_id="123456789012", mfa=True, client="console"),
        exposures=(Exposure(Severity.HIGH, "a change by root", ("IAM.20",)),),
        undo=Undo(None, "the rules of a deleted group are not in the record"),
    )


def groups_attached() -> Alert:
    """ModifyNetworkInterfaceAttribute from another account."""
    return group_created()._replace(
        title="groups of eni-0aaa1111bbbb2222c changed",
        summary="A role of another account changed the groups of a network interface.",
        event=event("ModifyNetworkInterfaceAttribute"),
        principal=ALICE._replace(account_id="444455556666", cross_account=True, permission_set=None, role="ops"),
        attachment=Attachment("network interface", "eni-0aaa1111bbbb2222c", None, (GROUP_ID, "sg-0fff")),
        undo=Undo(None, "the record does not say which groups it had"),
    )


def not_understood() -> Alert:
    """A record whose inside made no sense: next to nothing is known."""
    return Alert(
        id="sha256-0123456789abcdef0123456789abcdef",
        kind=AlertKind.NOT_UNDERSTOOD,
        severity=Severity.HIGH,
        title="a CloudTrail record could not be understood",
        summary="Look at the record itself: what it did is not known.",
        occurred_at=None,
        account=Account(None),
        region=None,
        exposures=(Exposure(Severity.HIGH, "a record that was not understood"),),
        undo=Undo(None, "the change is not known"),
        unknowns=(other("requestParameters: not an object"),),
    )


def trial() -> Alert:
    """What ``send-test`` sends."""
    return Alert(
        id="test-0001",
        kind=AlertKind.TEST,
        severity=Severity.INFO,
        title="test alert from sgwatch",
        summary="Nothing happened. If you can read this, this destination works.",
        occurred_at=datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC),
        account=Account("123456789012"),
        region="eu-west-1",
    )


def thousand_rules() -> Alert:
    """1,000 rules in one call, the one that matters last, and an undo as long as that."""
    rules = [
        rule(f"10.{i // 250}.{i % 250}.0/24", 443, description=f"branch office {i}", rule_id=f"sgr-{i:017x}")
        for i in range(999)
    ]
    bad = rule("::/0", description="branch office 999", rule_id="sgr-00000000000000bad")
    undo = "aws ec2 revoke-security-group-ingress --security-group-rule-ids " + " ".join(
        str(item.id) for item in [*rules, bad]
    )
    return critical_open_ssh()._replace(
        title=f"tcp/22 opened to the internet on web ({GROUP_ID})",
        summary="alice@example.com added 1,000 rules to web; one of them lets the whole IPv6 internet reach tcp/22.",
        changes=Changes(added=(*rules, bad)),
        exposures=(critical_open_ssh().exposures[0]._replace(reason="ingress from ::/0 to tcp/22 (SSH)", rule=bad),),
        undo=Undo((undo,)),
    )


def hostile(text: str = HOSTILE) -> Alert:
    """The attacker chose every text there is."""
    bad = SecurityGroupRule(
        None, text, 22, 22, Peer(PeerType.SECURITY_GROUP, text, account_id=text, vpc_id=text), text, text
    )
    return Alert(
        id=text,
        kind=AlertKind.SECURITY_GROUP_CHANGE,
        severity=Severity.CRITICAL,
        title=text,
        summary=f"{text}!",
        occurred_at=datetime(1, 1, 1, tzinfo=UTC),
        account=Account(text, text),
        region=text,
        event=Event(text, text, text, text, Outcome.FAILED, text, text, f"javascript:{text}"),
        principal=Principal(
            type=text,
            name=text,
            role=text,
            session_name=f"{text}?",
            invoked_by=text,
            on_behalf_of=text,
            client=text,
            source_ip=text,
            access_key_id=text,
            cross_account=True,
            account_id=text,
        ),
        security_group=SecurityGroup(
            text, text, text, text, text, {text: text}, Attached((text,), (text,), (text,), (text,)), text
        ),
        changes=Changes((bad,), (bad,), (ModifiedRule(None, bad), ModifiedRule(bad, bad._replace(to_port=23))), (bad,)),
        attachment=Attachment(text, text, (text,), (text,)),
        exposures=(Exposure(Severity.CRITICAL, text, (text,), bad),) * 20,
        undo=Undo((text, text), text),
        unknowns=(other(text),) * 20,
        alarm_path=AlarmPath(text, None),
    )


SAMPLES = {
    make.__name__: make
    for make in (
        critical_open_ssh,
        denied_attempt,
        dry_run,
        revoke,
        modify_before_unknown,
        modify_before_known,
        description_update,
        group_created,
        group_deleted,
        groups_attached,
        not_understood,
        trial,
        thousand_rules,
    )
}
