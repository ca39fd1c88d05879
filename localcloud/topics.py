"""SNS as it delivers: subscriptions that must be confirmed, e-mail and HTTP into the inbox, functions.

moto confirms every subscription at once and posts to HTTP endpoints from inside the call that publishes.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from moto.sns.models import Subscription, sns_backends

from localcloud.aws_error import AwsError
from localcloud.eventbridge import may_invoke

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest
    from localcloud.functions.deliveries import Deliveries
    from localcloud.inbox import Inbox

PENDING = "PendingConfirmation"
CONFIRMED_BY_A_PERSON = frozenset({"http", "https", "email", "email-json"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
TIMEOUT_SECONDS = 5


@dataclass(slots=True)
class Topics:
    """Stands between moto's topics and the world. Requests go to loopback addresses only."""

    inbox: Inbox
    deliveries: Deliveries
    lock: threading.RLock
    page: Callable[[], str]
    _tokens: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    _original: Any = None

    def install(self) -> None:
        """Take the place of moto's delivery to subscribers."""
        self._original = Subscription.publish
        original, deliver = self._original, self._deliver

        def publish(subscription: Any, message: str, message_id: str, **more: Any) -> None:
            if subscription.protocol == "sqs":
                original(subscription, message, message_id, **more)
            else:
                deliver(subscription, message, message_id, more)

        Subscription.publish = publish

    def uninstall(self) -> None:
        """Give moto its own delivery back."""
        if self._original is not None:
            Subscription.publish = self._original

    def subscribed(self, call: ApiRequest, account_id: str, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """After Subscribe: a subscription that a person must confirm is pending and a link is sent."""
        arn, protocol = result["SubscriptionArn"], call.params.get("Protocol", "")
        backend = sns_backends[account_id][call.region]
        subscription = backend.subscriptions.get(arn)
        if subscription is None or protocol not in CONFIRMED_BY_A_PERSON:
            self._count(backend)
            return result
        token = secrets.token_hex(32)
        self._tokens[token] = (account_id, call.region, arn)
        subscription.arn = PENDING
        subscription.attributes["PendingConfirmation"] = "true"
        self._count(backend)
        self._ask(subscription, token)
        return result if call.params.get("ReturnSubscriptionArn") else {"SubscriptionArn": "pending confirmation"}

    def recount(self, call: ApiRequest, account_id: str, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """After Unsubscribe."""
        self._count(sns_backends[account_id][call.region])
        return result

    def confirm_call(self, call: ApiRequest, _: str) -> Mapping[str, Any]:
        """The ConfirmSubscription call."""
        arn = self.confirm(str(call.params.get("Token")))
        if arn is None:
            raise AwsError("InvalidParameter", "Invalid parameter: Token")
        return {"SubscriptionArn": arn}

    def confirm(self, token: str) -> str | None:
        """Confirm a subscription by its token; its ARN, or None where the token is not known."""
        with self.lock:
            account_id, region, arn = self._tokens.get(token, ("", "", ""))
            subscription = sns_backends[account_id][region].subscriptions.get(arn) if arn else None
            if subscription is None:
                return None
            subscription.arn = arn
            subscription.attributes["PendingConfirmation"] = "false"
            self._count(sns_backends[account_id][region])
            return arn

    def _count(self, backend: Any) -> None:
        for topic in backend.topics.values():
            own = [item for item in backend.subscriptions.values() if item.topic.arn == topic.arn]
            topic.subscriptions_pending = sum(item.arn == PENDING for item in own)
            topic.subscriptions_confimed = len(own) - topic.subscriptions_pending

    def _ask(self, subscription: Any, token: str) -> None:
        link = f"{self.page()}/confirm?token={token}"
        topic = subscription.topic.arn
        text = f"You have chosen to subscribe to the topic {topic}. To confirm this subscription, visit the link."
        document = {
            "Type": "SubscriptionConfirmation",
            "MessageId": str(uuid.uuid4()),
            "Token": token,
            "TopicArn": topic,
            "Message": text,
            "SubscribeURL": link,
            "Timestamp": _now(),
        }
        if subscription.protocol.startswith("http"):
            self.deliveries.start(lambda: self._post(subscription.endpoint, document, "SubscriptionConfirmation"))
        else:
            self.inbox.add(
                "email",
                subscription.endpoint,
                document,
                title="AWS Notification - Subscription Confirmation",
                text=text,
                link=link,
            )

    def _deliver(self, subscription: Any, message: str, message_id: str, more: Mapping[str, Any]) -> None:
        attributes = more.get("message_attributes")
        matcher = subscription._filter_policy_matcher  # noqa: SLF001  # moto offers no other way to ask
        if subscription.arn == PENDING or (matcher is not None and not matcher.matches(attributes, message)):
            return
        if more.get("message_structure") == "json":
            by_protocol = json.loads(message)
            message = by_protocol.get(subscription.protocol, by_protocol.get("default", ""))
        document = {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": subscription.topic.arn,
            "Subject": more.get("subject"),
            "Message": message,
            "Timestamp": _now(),
            "MessageAttributes": attributes or {},
        }
        self.deliveries.start(lambda: self._hand_over(subscription, document))

    def _hand_over(self, subscription: Any, document: dict[str, Any]) -> None:
        if subscription.protocol == "lambda":
            function = self.deliveries.pool.find(subscription.endpoint)
            if function is not None and may_invoke(function, "sns.amazonaws.com", subscription.topic.arn):
                self.deliveries.send(function, json.dumps(_lambda_event(subscription, document)).encode())
        elif subscription.protocol.startswith("http"):
            raw = subscription.attributes.get("RawMessageDelivery") in (True, "true")
            self._post(subscription.endpoint, document["Message"] if raw else document, "Notification")
        else:
            severity = (document["MessageAttributes"].get("severity") or {}).get("Value")
            self.inbox.add(
                "email",
                subscription.endpoint,
                document,
                title=document["Subject"] or "AWS Notification Message",
                text=document["Message"],
                severity=severity,
            )

    def _post(self, url: str, document: Any, kind: str) -> None:
        if urlsplit(url).hostname not in LOOPBACK_HOSTS:
            self.inbox.add("sns", url, document, accepted=False, note="kept here: only loopback is sent to")
            return
        body = document if isinstance(document, str) else json.dumps(document)
        headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}
        try:
            requests.post(url, data=body.encode(), headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            self.inbox.add("sns", url, document, accepted=False, note=type(error).__name__)


def _lambda_event(subscription: Any, document: dict[str, Any]) -> dict[str, Any]:
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn}
    return {"Records": [{**record, "Sns": document}]}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
