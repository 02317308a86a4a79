"""/feeds/lists/<token>…: what a shared list is about, for whoever has its link."""

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from api.feeds.contents import shared_scope
from api.feeds.views import answer
from api.shared import UNSEEN, opened
from api.throttling import TooManyError, refusal
from stalkerr import clock


@require_safe
def shared(request: HttpRequest, token: str, extension: str) -> HttpResponseBase:
    """The feed of the list that the link opens; without one it is as if nothing were there."""
    try:
        watch_list = opened(request, token)
    except TooManyError as error:
        refused = refusal(error)
        for name, value in UNSEEN.items():
            refused[name] = value
        return refused
    filled = shared_scope(watch_list, clock.now()).filled(as_calendar=extension == "ics")
    return answer(request, filled, extension, dict(UNSEEN))
