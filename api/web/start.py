"""The start page: what is coming, and where everything is."""

import dataclasses
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from api.feeds.views import FORMATS
from api.throttling import ANONYMOUS, limited
from api.upcoming import filter_rows, people, upcoming_rows
from catalog.marketplaces import MARKETPLACES
from catalog.models import Audiobook
from notifications.messages import date_words
from stalkerr import clock

TITLES: Final = 50
_FEEDS: Final = [
    {"name": name, "extension": extension, "type": FORMATS[extension].content_type.split(";")[0]}
    for name, extension in (("RSS", "rss"), ("Atom", "atom"), ("JSON", "json"), ("calendar", "ics"))
]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One title as the page shows it."""

    title: str
    url: str
    authors: str
    date: str
    site: str


@require_safe
@limited("start", ANONYMOUS)
def start(request: HttpRequest) -> HttpResponse:
    """Upcoming titles in one plain page, without scripts; searched like /api/upcoming."""
    asked = request.GET.copy()
    for name in [name for name, value in asked.items() if not value]:
        del asked[name]  # a form sends its empty fields as well
    rows, errors = filter_rows(upcoming_rows(clock.now()), asked)
    context = {
        "lines": [_line(audiobook) for audiobook in rows[:TITLES]],
        "sentences": [sentence for sentences in errors.values() for sentence in sentences],
        "asked": asked,
        "feeds": _FEEDS,
        "feed_query": asked.urlencode(),
        "marketplaces": MARKETPLACES.values(),
    }
    return render(request, "api/start.html", context, status=400 if errors else 200)


def _line(audiobook: Audiobook) -> Line:
    marketplace = MARKETPLACES[audiobook.marketplace]
    return Line(
        title=audiobook.title,
        url=marketplace.url_of(audiobook.asin),
        authors=", ".join(people(audiobook, "author")),
        date=date_words(audiobook.release_date),
        site=marketplace.site,
    )
