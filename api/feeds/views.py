"""/feeds/…: each feed as RSS, Atom, JSON Feed or iCalendar; who has the latest is told so."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from api.feeds.calendar import calendar
from api.feeds.contents import BadQuestionError, Scope, of_author, of_series, of_upcoming
from api.feeds.entries import Feed
from api.feeds.json_feed import JSON_TYPE, json_feed
from api.feeds.xml import ATOM_TYPE, RSS_TYPE, atom, rss
from api.throttling import ANONYMOUS, limited
from stalkerr import clock

ICS_TYPE: Final = "text/calendar; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
_PUBLIC: Final = {"Cache-Control": "public, max-age=300"}


class FormatConverter:
    """The end of a feed's path."""

    regex = "rss|atom|json|ics"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Format:
    content_type: str
    write: Callable[[Feed], bytes]


FORMATS: Final = {
    "rss": Format(RSS_TYPE, rss),
    "atom": Format(ATOM_TYPE, atom),
    "json": Format(JSON_TYPE, json_feed),
    "ics": Format(ICS_TYPE, calendar),
}


@require_safe
@limited("feeds", ANONYMOUS)
def upcoming(request: HttpRequest, extension: str) -> HttpResponseBase:
    """The titles still to come, filtered like /api/upcoming."""
    now = clock.now()
    try:
        scope = of_upcoming(request, now)
    except BadQuestionError as error:
        return HttpResponse(str(error), status=400, content_type=TEXT)
    return _public(request, scope, extension)


@require_safe
@limited("feeds", ANONYMOUS)
def author(request: HttpRequest, pk: int, extension: str) -> HttpResponseBase:
    """An author's titles to come, and those out lately."""
    now = clock.now()
    return _public(request, of_author(request, pk, now), extension)


@require_safe
@limited("feeds", ANONYMOUS)
def series(request: HttpRequest, pk: int, extension: str) -> HttpResponseBase:
    """A series' titles to come, and those out lately."""
    now = clock.now()
    return _public(request, of_series(request, pk, now), extension)


def _public(request: HttpRequest, scope: Scope, extension: str) -> HttpResponseBase:
    feed = scope.filled(as_calendar=extension == "ics")
    links = [f'<{settings.PUBLIC_URL}{feed.path}>; rel="self"']
    if feed.hub:
        links.append(f'<{feed.hub}>; rel="hub"')
    return answer(request, feed, extension, {**_PUBLIC, "Link": ", ".join(links)})


def answer(
    request: HttpRequest, feed: Feed, extension: str, headers: dict[str, str]
) -> HttpResponseBase:
    """The feed as that; 304 for those who have it already, by tag.

    It has no date: what leaves a feed, such as a title withdrawn, leaves no later date behind in it,
    and who asks by date would not hear of it.
    """
    written = FORMATS[extension]
    body = written.write(feed)
    etag = quote_etag(hashlib.blake2b(body, digest_size=16).hexdigest())
    response = HttpResponse(body, content_type=written.content_type, headers=headers)
    response["ETag"] = etag
    return get_conditional_response(request, etag, None, response) or response
