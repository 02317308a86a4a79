"""/feeds/private/<token>…: what somebody's watches find, for whoever knows the address."""

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.models import FeedToken
from api.feeds.contents import private_scope
from api.feeds.views import answer
from api.throttling import TooManyError, limit, refusal
from stalkerr import clock

READS: Final = "240/h"  # of one feed, however many programs read it
GUESSES: Final = "100/h"  # wrong tokens, per address
# The address holds what permits: it is not kept, not passed on, not indexed.
_HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


@require_safe
def private(request: HttpRequest, token: str, extension: str) -> HttpResponseBase:
    """The feed that the token opens; without one it is as if nothing were there."""
    feed = FeedToken.objects.opened_by(token).first()
    try:
        if feed is None:
            limit(request, group="feed guess", rate=GUESSES)
            raise Http404
        limit(request, group="private feed", rate=READS, who=str(feed.pk))
    except TooManyError as error:
        return _unseen(refusal(error))
    scope = private_scope(feed, clock.now())
    filled = scope.filled(as_calendar=extension == "ics")
    # By tag alone: what watches find also changes by their owner's edits, which have no date here.
    return answer(request, filled, extension, dict(_HEADERS))


def _unseen(response: HttpResponse) -> HttpResponse:
    for name, value in _HEADERS.items():
        response[name] = value
    return response
