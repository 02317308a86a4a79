"""Sees every request, whoever answers it: its id, its line in the log, its share of the figures.

It stands around the edge lane and Django both. What it can't know itself (the route, who is signed
in) whoever answers writes down for it: `seen_in(scope)`. Neither the log nor a label ever holds a path.
"""

import logging
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from structlog.contextvars import bind_contextvars, unbind_contextvars

from api.edge.protocol import Application, Message, Receive, Scope, Send
from stalkerr import figures, telemetry, tracing
from stalkerr.logging import say_plainly

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NOWHERE: Final = "(none)"  # no route: 404, or refused before one was looked for
FILES: Final = "static/<file>"
_SEEN: Final = "stalkerr.seen"  # of a request's ASGI scope: who asks can't write there
_HEADER: Final = b"x-request-id"
_PLAIN: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

_log = logging.getLogger("stalkerr.requests")


@dataclass(slots=True)
class Seen:
    """What whoever answers says of a request."""

    lane: str = "django"
    route: str = NOWHERE
    user_id: int | None = None
    status: int = 500  # where nothing was answered


class Witness:
    """An ASGI application around all others."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        seen = scope[_SEEN] = Seen()
        request_id = id_of(scope)
        mark = (_HEADER, request_id.encode())

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message = {**message, "headers": [*message["headers"], mark]}
            await send(message)

        begun = time.perf_counter()
        trace_id = tracing.known(request_id) or tracing.new_id()
        bind_contextvars(request_id=request_id, trace_id=trace_id)
        try:
            await self._application(scope, receive, send_marked)
        finally:
            taken = time.perf_counter() - begun
            note(scope["method"], seen, taken, request_id=request_id, trace_id=trace_id)
            unbind_contextvars("request_id", "trace_id")


def id_of(scope: Scope) -> str:
    """The id that came along where it is short and plain, else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _PLAIN.fullmatch(value):
            return str(value.decode())
    return tracing.new_id()


def seen_in(scope: Scope) -> Seen:
    """Where to say of a request what only its answerer knows."""
    found = scope.get(_SEEN)
    return found if isinstance(found, Seen) else Seen()


def note_django(request: HttpRequest) -> None:
    """Django's share; who asks is not looked up for it, only said where it is known by now."""
    seen = seen_in(getattr(request, "scope", {}))
    match = request.resolver_match
    if match is not None:
        seen.route = match.route or "/"
    elif request.path.startswith(settings.STATIC_URL):
        seen.route = FILES
    seen.user_id = _user_id(request)


def _user_id(request: Any) -> int | None:
    for name in ("_cached_user", "_acached_user", "user"):
        user = vars(request).get(name)
        # A lazy one that nobody looked at would be looked up now.
        if user is not None and getattr(user, "_wrapped", user) is user and user.pk:
            return int(user.pk)
    return None


def note(method: str, seen: Seen, seconds: float, **ids: str) -> None:
    """Count a request, and write its line."""
    known = method if method in METHODS else "(other)"
    requests, took = _meters(seen.lane, known, seen.route, f"{seen.status // 100}xx")
    requests.inc()
    took.observe(seconds)
    said: dict[str, telemetry.Value] = {
        "method": known,
        "route": seen.route,
        "status": seen.status,
    }
    telemetry.tell(f"{known} {seen.route}", seconds, said, failed=seen.status >= 500)
    taken = round(seconds, 6)
    say_plainly(
        _log, "request", **said, process_time=taken, user_id=seen.user_id, lane=seen.lane, **ids
    )


@lru_cache(4096)
def _meters(lane: str, method: str, route: str, status: str) -> tuple[Any, Any]:
    return (
        figures.REQUESTS.labels(lane, method, route, status),
        figures.REQUEST_SECONDS.labels(method, route, status),
    )
