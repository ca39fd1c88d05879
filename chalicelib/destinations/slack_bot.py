"""A Slack channel, by a bot's token: one message for each security group while it is news, the rest in its thread.

Scopes: chat:write, and channels:history (groups:history for a private channel) to look for what an attempt that
was not finished may have posted. https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import DeliveryError, Receipt, RevisionTable
from chalicelib.destinations.delivery_ids import delivery_id, safe_id
from chalicelib.destinations.http_door import HttpDoor, error_for, is_success
from chalicelib.destinations.rule_states import event_time
from chalicelib.destinations.slack_message import Presentation, payload
from chalicelib.destinations.slack_threads import Thread, begin, decode, encode
from chalicelib.named_tuple import NamedTuple
from chalicelib.state.errors import StateError, VersionConflict

# Longer than one alert takes: up to four calls to Slack.
LEASE_SECONDS = 60.0
KEPT_SECONDS = 3 * 86_400
EVENT_TYPE = "sgwatch_alert"
# Answered with "ok": false though trying again may help. https://docs.slack.dev/reference/methods/chat.postMessage#errors
_RETRIED = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "rate_limited", "request_timeout", "service_unavailable"}
)
_GONE = frozenset({"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"})
_REMEDIES = {
    "not_in_channel": "invite the bot to the channel",
    "channel_not_found": "the channel's id is wrong, or the bot is not in that private channel",
    "is_archived": "unarchive the channel or set another",
    "invalid_auth": "the token is wrong; copy the bot token again",
    "account_inactive": "the bot was removed; install the app again",
    "token_revoked": "the token was revoked; install the app again",
    "missing_scope": "the app needs chat:write, and channels:history or groups:history",
}
_HISTORY_BYTES = 2_000_000


class SlackRefusedError(DeliveryError):
    """Slack answered ``"ok": false``; ``word`` is its own word for why."""

    def __init__(self, word: str) -> None:
        remedy = f" ({_REMEDIES[word]})" if word in _REMEDIES else ""
        super().__init__(f"it answered {word or 'no'}{remedy}", permanent=word not in _RETRIED)
        self.word = word


class Channel(NamedTuple):
    """One channel of a workspace, through the Web API."""

    api_url: str
    token: str
    id: str
    http: HttpDoor

    def __repr__(self) -> str:
        return f"Channel(id={self.id!r})"

    def post(self, message: Mapping[str, Any], delivery: str, thread_ts: str = "", *, to_channel: bool = False) -> str:
        """Post a message, or a reply in a thread; its ``ts``."""
        body = {**message, "metadata": {"event_type": EVENT_TYPE, "event_payload": {"id": delivery}}}
        if thread_ts:
            body |= {"thread_ts": thread_ts, "reply_broadcast": to_channel}
        return str(self._call("chat.postMessage", body)["ts"])

    def update(self, ts: str, message: Mapping[str, Any]) -> None:
        """Replace a message."""
        self._call("chat.update", {**message, "ts": ts})

    def find(self, deliveries: Container[str], since: datetime, thread_ts: str = "") -> Mapping[str, Any] | None:
        """What was posted for one of some deliveries, in a thread or in the channel; None where it is not there."""
        body: dict[str, Any] = {
            "oldest": f"{since.timestamp():.6f}",
            "limit": 200,
            "include_all_metadata": True,
        }
        method = "conversations.history"
        if thread_ts:
            body, method = {**body, "ts": thread_ts}, "conversations.replies"
        for message in self._call(method, body).get("messages", ()):
            metadata = message.get("metadata") or {}
            if (metadata.get("event_payload") or {}).get("id") in deliveries:
                found: Mapping[str, Any] = message
                return found
        return None

    def _call(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json; charset=utf-8"}
        most = _HISTORY_BYTES if method.startswith("conversations.") else None
        response = self.http.post_json(f"{self.api_url}/{method}", {"channel": self.id, **body}, headers, most)
        if not is_success(response.status):
            raise error_for(response)
        try:
            answer = json.loads(response.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise DeliveryError("it answered no JSON, so something else than Slack answers there", permanent=True)
        if answer.get("ok") is not True:
            word = str(answer.get("error", ""))
            raise SlackRefusedError(word if re.fullmatch(r"[a-z]+(_[a-z]+){0,6}", word) else "")
        return answer


class SlackBot(NamedTuple):
    """Posts alerts to a channel; without the state table each is a message of its own."""

    name: str
    channel: Channel
    present: Callable[[Alert], Presentation]
    table: RevisionTable | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is its message's ``ts``.

        Raises:
            DeliveryError: it was not delivered.
        """
        group = alert.security_group
        if self.table is None or group is None or not group.id:
            return Receipt(self.channel.post(self._message(alert), delivery_id(alert)))
        try:
            lease = _Lease.take(self.table, self._keys(alert, group.id), delivery_id(alert), self.now)
        except StateError:
            # On any fault of the state: send.
            return Receipt(self.channel.post(self._message(alert), delivery_id(alert)))
        return self._in_thread(alert, lease)

    def _keys(self, alert: Alert, group_id: str) -> tuple[str, str]:
        return f"slack#{self.name}#{self.channel.id}", safe_id(
            f"{alert.account.id or ''}-{alert.region or ''}-{group_id}"
        )

    def _message(self, alert: Alert) -> dict[str, Any]:
        return payload(alert, self.present(alert))

    def _in_thread(self, alert: Alert, lease: _Lease) -> Receipt:
        delivery = delivery_id(alert)
        thread = lease.thread
        try:
            if delivery not in thread.posted:
                thread = self._posted(alert, thread, again=lease.was_begun)
                lease.write(thread)
            if thread.stale:
                thread = self._updated(thread)
        except DeliveryError as error:
            # What an attempt before this one may have posted is still to be looked for.
            if not error.maybe_taken and not lease.was_begun:
                thread = thread.ended(delivery)
            raise
        finally:
            lease.release(thread)
        return Receipt(thread.ts)

    def _posted(self, alert: Alert, thread: Thread, *, again: bool) -> Thread:
        """The thread with the alert in it: what an unfinished attempt posted is found, not posted again."""
        delivery, now = delivery_id(alert), self.now()
        since = datetime.fromtimestamp(max(0.0, now.timestamp() - 86_400), UTC)
        if not thread.is_news(now):
            thread = self._adopted(alert, thread, since)
        if thread.is_news(now):
            try:
                if not again or self.channel.find((delivery,), since, thread.ts) is None:
                    self.channel.post(self._message(alert), delivery, thread.ts, to_channel=thread.is_worse(alert))
                return thread.with_alert(alert, delivery)
            except SlackRefusedError as error:
                if error.word not in _GONE:
                    raise
        message = self._message(alert)
        found = self.channel.find((delivery,), since) if again else None
        ts = str(found["ts"]) if found else self.channel.post(message, delivery)
        return begin(alert, delivery, ts, message, now)

    def _adopted(self, alert: Alert, thread: Thread, since: datetime) -> Thread:
        """The thread that another alert's unfinished attempt opened, where it did: this alert belongs into it."""
        others = [each for each in thread.pending if each != delivery_id(alert)]
        found = self.channel.find(others, since) if others else None
        if found is None or found.get("thread_ts", found["ts"]) != found["ts"]:
            return thread
        root = {"text": found.get("text", ""), "blocks": found.get("blocks", [])}
        return Thread(str(found["ts"]), self.now().timestamp(), event_time(alert), root, pending=thread.pending)

    def _updated(self, thread: Thread) -> Thread:
        try:
            self.channel.update(thread.ts, thread.message())
        except SlackRefusedError as error:
            if error.word not in _GONE:
                raise
        return thread._replace(stale=False)


class _Lease:
    """One group's thread, the caller's to change until it is released or its time is over."""

    def __init__(
        self, table: RevisionTable, keys: tuple[str, str], thread: Thread, revision: int, until: float
    ) -> None:
        self._table, self._keys, self._revision, self._until = table, keys, revision, until
        self.thread = thread
        self.was_begun = False

    @classmethod
    def take(cls, table: RevisionTable, keys: tuple[str, str], delivery: str, now: Callable[[], datetime]) -> _Lease:
        """The lease of a group's thread, with the delivery noted as begun.

        Raises:
            DeliveryError: somebody else has it.
            StateError: the table cannot be asked.
        """
        item = table.get(*keys) or {}
        moment = now().timestamp()
        # A time from the future is not believed beyond what a lease lasts.
        left = min(float(item.get("leased_until", 0)) - moment, LEASE_SECONDS)
        if left > 0:
            raise DeliveryError(
                "another alert on this group is being posted", permanent=False, retry_after=min(left, 2)
            )
        thread = decode(str(item.get("thread", ""))) or Thread()
        lease = cls(table, keys, thread.begun(delivery), int(item.get("revision", 0)), moment + LEASE_SECONDS)
        lease.was_begun = delivery in thread.pending
        try:
            lease.put(lease.thread, leased=True)
        except VersionConflict as error:
            reason = "another alert on this group is being posted"
            raise DeliveryError(reason, permanent=False, retry_after=1) from error
        return lease

    def write(self, thread: Thread) -> None:
        """Note what was posted; a table that fails here costs at most a search for it."""
        try:
            self.put(thread, leased=True)
        except (StateError, VersionConflict):
            return

    def release(self, thread: Thread) -> None:
        """Give the thread back as it is now; where the table fails, the lease ends by itself."""
        try:
            self.put(thread, leased=False)
        except (StateError, VersionConflict):
            return

    def put(self, thread: Thread, *, leased: bool) -> None:
        """Write the thread; raises VersionConflict and StateError."""
        pk, sk = self._keys
        expires = int(thread.begun_at or self._until) + KEPT_SECONDS
        item = {"pk": pk, "sk": sk, "revision": self._revision + 1, "thread": encode(thread)}
        self._table.put_revision(
            {**item, "leased_until": self._until if leased else 0.0, "expires_at": expires}, self._revision
        )
        self._revision += 1
