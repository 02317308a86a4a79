"""/lists/<token>: the page of a shared list, plain and without scripts."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from api.feeds.contents import shared_upcoming
from api.feeds.entries import Entry
from api.feeds.views import FORMATS
from api.shared import UNSEEN, opened, watched
from api.throttling import TooManyError, refusal
from catalog.marketplaces import MARKETPLACES
from notifications.messages import date_words, one_line
from stalkerr import clock

_NAMES: Final = {"rss": "RSS", "atom": "Atom", "json": "JSON", "ics": "Calendar"}


@require_safe
def shared_list(request: HttpRequest, token: str) -> HttpResponse:
    """What a list is about and what is to come of it, for whoever has its link."""
    try:
        watch_list = opened(request, token)
    except TooManyError as error:
        return _unseen(refusal(error))
    context = {
        "name": one_line(watch_list.name, 80),
        "token": token,
        "watches": [(each.kind, one_line(each.query, 200)) for each in watched(watch_list)],
        "lines": [_line(entry) for entry in shared_upcoming(watch_list, clock.now())],
        "feeds": [
            {"name": name, "extension": extension, "type": FORMATS[extension].content_type}
            for extension, name in _NAMES.items()
        ],
    }
    return _unseen(render(request, "api/list.html", context))


def _unseen(response: HttpResponse) -> HttpResponse:
    for name, value in UNSEEN.items():
        response[name] = value
    return response


def _line(entry: Entry) -> dict[str, str]:
    return {
        "title": entry.title,
        "url": entry.link,
        "authors": ", ".join(entry.authors),
        "date": date_words(entry.release_date),
        "site": MARKETPLACES[entry.marketplace].site,
    }
