"""Services that alerts are sent to, played on loopback with their documented limits and errors.

One module per service. Each has ``KINDS``, the kinds of destination (chalicelib/settings/kinds.py) that it
plays, ``PREFIX``, the path under which it answers, and ``receive(request, inbox)``, which answers as the service
does and puts what arrived into the inbox. Another service is one more module in ``SERVICES``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.receivers import discord, google_chat, jsm, pagerduty, recipes, slack, sns_http, teams, webhook
from localcloud.receivers.http import Reply, Request, limiter_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localcloud.inbox import Inbox

SERVICES = (slack, teams, google_chat, discord, pagerduty, jsm, webhook, recipes, sns_http)
# The kinds that are AWS services, which the local AWS itself takes.
BY_AWS = ("sns", "event_bus", "security_hub")


def application(inbox: Inbox) -> Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The WSGI application of every receiver."""
    limits = limiter_scope()

    def serve(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request.of(environ, limits)
        for service in SERVICES:
            if request.path.startswith(service.PREFIX):
                reply: Reply = service.receive(request, inbox)
                return reply.send(start_response)
        return Reply(404, "no receiver at this path").send(start_response)

    return serve
