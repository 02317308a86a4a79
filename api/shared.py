"""Who has the link of a list: whoever knows it may look, as long as it is shared."""

from typing import Final

from django.http import Http404, HttpRequest
from rest_framework.request import Request

from api.throttling import limit
from catalog.models import Watch, WatchList

READS: Final = "240/h"  # of one list, however many look at it
GUESSES: Final = "100/h"  # wrong links, per address
# The address holds what permits: it is not kept, not passed on, not indexed.
UNSEEN: Final = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def opened(request: HttpRequest | Request, token: str) -> WatchList:
    """The list of a link; raises Http404, as if nothing were there, or TooManyError."""
    found = WatchList.objects.opened_by(token).first()
    if found is None:
        limit(request, group="list guess", rate=GUESSES)
        raise Http404
    limit(request, group="shared list", rate=READS, who=str(found.pk))
    return found


def watched(watch_list: WatchList) -> list[Watch]:
    """What is in a list, by kind and name."""
    watches = Watch.objects.filter(in_lists__watch_list=watch_list, ended_at=None)
    return list(watches.only("kind", "query").order_by("kind", "query", "id"))
