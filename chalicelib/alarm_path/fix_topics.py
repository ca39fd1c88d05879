"""Fixes of the topic, its key and its subscribers; and which topic an alarm of sgwatch's own notifies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.alarm_path.checks.resource_policies import CLOUDWATCH, ServiceCall, allows
from chalicelib.alarm_path.checks.subscriptions import SNS
from chalicelib.alarm_path.checks.topic_checks import judge_topic, publish_statement
from chalicelib.alarm_path.fix_calls import FixCall
from chalicelib.alarm_path.fix_context import CHANGES, TOPIC, FixContext, put_alarm
from chalicelib.alarm_path.snapshot.model import Subscription, Topic
from chalicelib.alarm_path.verdicts import Finding, Status, worst
from chalicelib.aws.arns import Arn, parse_arn

_ADDRESS = ("Endpoint", "E-mail address to notify: ")
_KEY_STATEMENT: Mapping[str, Any] = {
    "Sid": "sgwatch-alarms",
    "Effect": "Allow",
    "Principal": {"Service": CLOUDWATCH},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
    "Resource": "*",
}


def topic_calls(context: FixContext) -> tuple[tuple[FixCall, ...], str]:
    """The topic for an alarm of sgwatch's own, with the calls that make it where no sound one is known."""
    found = sound_topic(context)
    if found is not None:
        return (), found
    arn = own_topic(context)
    return tuple(_make_topic(context, arn)), arn


def own_topic(context: FixContext) -> str:
    """The ARN of sgwatch's own topic in the path's region."""
    return str(Arn(context.snapshot.partition, "sns", context.region, context.snapshot.account_id, TOPIC))


def sound_topic(context: FixContext) -> str | None:
    """A topic with a confirmed subscriber to which alarms may publish: the path's own, sgwatch's, or another."""
    topics = context.snapshot.region(context.region).topics or {}
    first = [arn for arn in (context.topic, own_topic(context)) if arn in topics]
    alarm = str(Arn(context.snapshot.partition, "cloudwatch", context.region, context.snapshot.account_id, "alarm:"))
    for arn in dict.fromkeys([*filter(None, first), *context.collected.topics_by_use]):
        findings, _ = judge_topic(context.snapshot, arn, CHANGES, f"{alarm}{CHANGES}")
        if worst(findings) is Status.PASS:
            return arn
    return None


def _make_topic(context: FixContext, arn: str) -> Iterator[FixCall]:
    region, topics = context.region, context.snapshot.region(context.region).topics or {}
    topic = topics.get(arn)
    if topic is None:
        undo = FixCall("sns", "DeleteTopic", region, {"TopicArn": arn})
        yield FixCall("sns", "CreateTopic", region, {"Name": TOPIC}, "The topic that the alarms notify.", undo)
    yield from _let_publish(context, topic or _new_topic(context, arn), "")
    if not any(item.arn.startswith("arn:") for item in (topic.subscriptions if topic else None) or ()):
        yield from _subscribe(topic.subscriptions if topic else (), arn, region)


def _subscribe(known: tuple[Subscription, ...] | None, arn: str, region: str) -> Iterator[FixCall]:
    """Whoever was asked and has not confirmed is sent the link again; else somebody is asked for."""
    pending = [item for item in known or () if item.arn == "PendingConfirmation" and item.endpoint]
    for item in pending:
        parameters = {"TopicArn": arn, "Protocol": item.protocol, "Endpoint": item.endpoint}
        yield FixCall("sns", "Subscribe", region, parameters, "Send the link that confirms the subscription again.")
    if not pending:
        parameters = {"TopicArn": arn, "Protocol": "email"}
        why = "Subscribe somebody, who then confirms by the link in the mail."
        yield FixCall("sns", "Subscribe", region, parameters, why, asks=_ADDRESS)


def _topic_of(context: FixContext) -> tuple[Topic, str] | None:
    arn = parse_arn(context.topic)
    topic = (context.snapshot.region(arn.region).topics or {}).get(str(arn)) if arn else None
    return (topic, arn.region) if topic is not None and arn is not None else None


def topic_exists(context: FixContext) -> tuple[FixCall, ...]:
    """Another topic that reaches somebody named beside the one that is gone; else that topic made again."""
    arn = parse_arn(context.topic)
    raw = context.raw_alarm()
    sound = sound_topic(context)
    if raw is not None and sound is not None:
        actions = [action for action in raw.get("AlarmActions") or () if action != context.topic]
        return (put_alarm(context, raw, "Notify a topic that exists.", AlarmActions=[*actions, sound]),)
    if arn is None or arn.account != context.snapshot.account_id:
        return ()
    made = {"TopicArn": str(arn)}
    undo = FixCall("sns", "DeleteTopic", arn.region, made)
    create = FixCall("sns", "CreateTopic", arn.region, {"Name": arn.resource}, "Make the topic again.", undo)
    new = _new_topic(context, str(arn))
    return (create, *_let_publish(context, new, context.alarm_arn), *_subscribe((), str(arn), arn.region))


def _new_topic(context: FixContext, arn: str) -> Topic:
    """A topic as CreateTopic makes it: its policy lets whatever acts for the owner publish.

    https://github.com/awsdocs/iam-user-guide/issues/111
    """
    owner = {"StringEquals": {"AWS:SourceOwner": context.snapshot.account_id}}
    default = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:Publish", "Resource": arn}
    attributes = {"Policy": json.dumps({"Statement": [{**default, "Condition": owner}]})}
    return Topic(arn, attributes, (), None, key_policy_collected=True)


def topic_policy(context: FixContext) -> tuple[FixCall, ...]:
    """A statement that lets CloudWatch publish added, and only a statement taken out that denies it."""
    found = _topic_of(context)
    return tuple(_let_publish(context, found[0], context.alarm_arn)) if found else ()


def _let_publish(context: FixContext, topic: Topic, alarm_arn: str) -> Iterator[FixCall]:
    region, account = (parse_arn(topic.arn) or Arn("", "", "", "", "")).region, context.snapshot.account_id
    text = (topic.attributes or {}).get("Policy")
    alarm = alarm_arn or str(Arn(context.snapshot.partition, "cloudwatch", region, account, f"alarm:{CHANGES}"))
    call = ServiceCall(CLOUDWATCH, "sns:Publish", topic.arn, account, alarm, context.snapshot.collected_at)
    policy = extended(text, publish_statement(account, topic.arn), lambda one: allows(one, call).status is Status.PASS)
    if policy is None or policy == _parsed(text):
        return
    name = {"TopicArn": topic.arn, "AttributeName": "Policy"}
    undo = FixCall("sns", "SetTopicAttributes", region, {**name, "AttributeValue": text}) if text else None
    parameters = {**name, "AttributeValue": json.dumps(policy)}
    yield FixCall("sns", "SetTopicAttributes", region, parameters, "Let this account's alarms publish to it.", undo)


def extended(policy: object, statement: Mapping[str, Any], allowed: Any) -> dict[str, Any] | None:
    """The policy with a statement more, and without one that denies the same; None where that is not enough."""
    if not policy:
        return {"Version": "2012-10-17", "Statement": [statement]}
    document = _parsed(policy)
    found = document.get("Statement", []) if isinstance(document, Mapping) else None
    statements = [found] if isinstance(found, Mapping) else found
    if not isinstance(statements, list) or not all(isinstance(item, Mapping) for item in statements):
        return None
    kept = [item for item in statements if item.get("Sid") != statement["Sid"]]
    denying = [item for item in kept if item.get("Effect") == "Deny"]
    for without in (None, *denying):
        rest = [item for item in kept if item is not without]
        for added in ([], [statement]):
            candidate = {**document, "Statement": [*rest, *added]}
            if candidate["Statement"] and allowed(candidate):
                return candidate
    return None


def _parsed(policy: object) -> Any:
    try:
        return json.loads(policy) if isinstance(policy, str) else policy
    except ValueError:
        return None


def topic_key(context: FixContext, finding: Finding) -> tuple[FixCall, ...]:
    """A key that is enabled and lets CloudWatch use it."""
    found = _topic_of(context)
    if found is None or finding.subject.endswith("alias/aws/sns"):
        return ()
    topic, region = found
    metadata = context.collected.topic(topic.arn).get("KeyMetadata") or {}
    key = str(metadata.get("Arn") or finding.subject)
    named = {"KeyId": key}
    if topic.key_state in {"Disabled", "PendingDeletion"}:
        disable = FixCall("kms", "DisableKey", region, named)
        enable = FixCall("kms", "EnableKey", region, named, "Enable the topic's key.", disable)
        again = FixCall("kms", "ScheduleKeyDeletion", region, named)
        cancel = FixCall("kms", "CancelKeyDeletion", region, named, "Keep the topic's key.", again)
        return (cancel, enable) if topic.key_state == "PendingDeletion" else (enable,)
    if topic.key_policy is None or topic.key_state not in {None, "Enabled"} or "alias/" in key:
        return ()
    return tuple(_key_policy(context, topic, region, key))


def _key_policy(context: FixContext, topic: Topic, region: str, key: str) -> Iterator[FixCall]:
    account, at = context.snapshot.account_id, context.snapshot.collected_at
    calls = [
        ServiceCall(CLOUDWATCH, action, key, account, context.alarm_arn, at)
        for action in ("kms:Decrypt", "kms:GenerateDataKey")
    ]
    policy = extended(
        topic.key_policy,
        _KEY_STATEMENT,
        lambda one: all(allows(_of_the_key(one), call).status is Status.PASS for call in calls),
    )
    if policy is not None:
        named = {"KeyId": key, "PolicyName": "default"}
        undo = FixCall("kms", "PutKeyPolicy", region, {**named, "Policy": json.dumps(topic.key_policy)})
        parameters = {**named, "Policy": json.dumps(policy)}
        yield FixCall("kms", "PutKeyPolicy", region, parameters, "Let CloudWatch use the topic's key.", undo)


def _of_the_key(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A key policy's Resource always means the key itself."""
    statements = [{name: value for name, value in item.items() if name != "Resource"} for item in policy["Statement"]]
    return {**policy, "Statement": statements}


def subscriber(context: FixContext) -> tuple[FixCall, ...]:
    """A confirmed subscription let through; else another topic that reaches somebody, or somebody subscribed."""
    found = _topic_of(context)
    if found is None:
        return ()
    topic, region = found
    for item in topic.subscriptions or ():
        calls = tuple(_let_through(context, topic, region, item)) if item.arn.startswith("arn:") else ()
        if calls:
            return calls
    raw, sound = context.raw_alarm(), sound_topic(context)
    if raw is not None and sound is not None:
        actions = list(raw.get("AlarmActions") or ())
        return (put_alarm(context, raw, "Notify a topic with a subscriber, too.", AlarmActions=[*actions, sound]),)
    return tuple(_subscribe(topic.subscriptions, topic.arn, region))


def _let_through(context: FixContext, topic: Topic, region: str, item: Subscription) -> Iterator[FixCall]:
    endpoint = parse_arn(item.endpoint)
    policy = (item.attributes or {}).get("FilterPolicy")
    if policy:
        named = {"SubscriptionArn": item.arn, "AttributeName": "FilterPolicy"}
        undo = FixCall("sns", "SetSubscriptionAttributes", region, {**named, "AttributeValue": policy})
        parameters = {**named, "AttributeValue": "{}"}
        why = "Let every notification through."
        yield FixCall("sns", "SetSubscriptionAttributes", region, parameters, why, undo)
    elif endpoint is not None and item.protocol == "lambda" and item.policy_collected:
        named = {"FunctionName": item.endpoint, "StatementId": "sgwatch-alarms"}
        undo = FixCall("lambda", "RemovePermission", endpoint.region, named)
        parameters = {**named, "Action": "lambda:InvokeFunction", "Principal": SNS, "SourceArn": topic.arn}
        yield FixCall("lambda", "AddPermission", endpoint.region, parameters, "Let the topic invoke it.", undo)
    elif endpoint is not None and item.protocol == "sqs" and item.policy_collected:
        yield from _let_into_queue(context, topic, item, endpoint)


def _let_into_queue(context: FixContext, topic: Topic, item: Subscription, queue: Arn) -> Iterator[FixCall]:
    statement = {
        "Sid": "sgwatch-alarms",
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "sqs:SendMessage",
        "Resource": item.endpoint,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic.arn}},
    }
    call = ServiceCall(SNS, "sqs:SendMessage", item.endpoint, context.snapshot.account_id, topic.arn)
    policy = extended(item.function_policy, statement, lambda one: allows(one, call).status is Status.PASS)
    if policy is None:
        return
    suffix = "amazonaws.com.cn" if queue.partition == "aws-cn" else "amazonaws.com"
    url = f"https://sqs.{queue.region}.{suffix}/{queue.account}/{queue.resource}"
    before = json.dumps(item.function_policy) if item.function_policy else ""
    undo = FixCall("sqs", "SetQueueAttributes", queue.region, {"QueueUrl": url, "Attributes": {"Policy": before}})
    parameters = {"QueueUrl": url, "Attributes": {"Policy": json.dumps(policy)}}
    yield FixCall("sqs", "SetQueueAttributes", queue.region, parameters, "Let the topic send to the queue.", undo)
