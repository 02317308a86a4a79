"""What happens to every request and answer: who asks is settled, what is left is said."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from api.forwarded import settle_peer
from api.throttling import tell_count

Answer = Callable[[HttpRequest], HttpResponseBase]
LaterAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def limits_told(get_response: Answer | LaterAnswer) -> Answer | LaterAnswer:
    """First of all, so that nothing after it believes what a stranger says of itself."""
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
