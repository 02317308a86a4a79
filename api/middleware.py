"""What happens to every request and answer: who asks is settled, what is left is said, and how
browsers are to treat it.
"""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Final, cast
from urllib.parse import SplitResult

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from api.edge.witness import note_django
from api.forwarded import settle_peer
from api.headers import headers_of, may_ask
from api.throttling import tell_count
from stalkerr.patience import budget

Answer = Callable[[HttpRequest], HttpResponseBase]
LaterAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def safe(get_response: Answer | LaterAnswer) -> Answer | LaterAnswer:
    """Around all others, so that their answers carry the headers too: refusals, static files, bugs."""
    if iscoroutinefunction(get_response):
        later = cast(LaterAnswer, get_response)

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            return _with_headers(request, await later(request))

        return answer_later

    now = cast(Answer, get_response)

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _with_headers(request, now(request))

    return answer


def _with_headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    note_django(request)
    headers = headers_of(
        path=request.path,
        content_type=response.get("Content-Type", ""),
        is_secure=request.is_secure(),
    )
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response


@sync_and_async_middleware
def limits_told(get_response: Answer | LaterAnswer) -> Answer | LaterAnswer:
    """The first to read a request, so that nothing believes what a stranger says of itself."""
    if iscoroutinefunction(get_response):
        later = cast(LaterAnswer, get_response)

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            settle_peer(request)
            return tell_count(request, await later(request))

        return answer_later

    now = cast(Answer, get_response)

    def answer(request: HttpRequest) -> HttpResponseBase:
        settle_peer(request)
        return tell_count(request, now(request))

    return answer


class ExactOrigins(CorsMiddleware):
    """CORS for origins as they are listed; the library also takes `HTTPS://…`, paths and tabs."""

    def origin_found_in_white_lists(self, origin: str, _url: SplitResult) -> bool:
        return may_ask(origin)


# What may take long for reasons of its own: files, and pages for staff.
UNHURRIED: Final = ("/admin/", "/api/export", "/api/imports", "/api/watches/replay")


@sync_and_async_middleware
def hurried(get_response: Answer | LaterAnswer) -> Answer | LaterAnswer:
    """No request waits for the database for longer than DATABASE_BUDGET: then it is a 503."""
    if iscoroutinefunction(get_response):
        later = cast(LaterAnswer, get_response)

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            with budget(_seconds(request)):
                return await later(request)

        return answer_later

    now = cast(Answer, get_response)

    def answer(request: HttpRequest) -> HttpResponseBase:
        with budget(_seconds(request)):
            return now(request)

    return answer


def _seconds(request: HttpRequest) -> float:
    return 0.0 if request.path.startswith(UNHURRIED) else settings.DATABASE_BUDGET
