"""The store's web site: searches, series and product pages, for when its API does not answer.

Page numbers start at 1. A search with no results leads away to a page of its own. How many rows
a page has is for the site to decide, so a list ends where its stated total is seen, with a page
that brings nothing new, or with one shorter than any the site makes.
"""

import dataclasses
import datetime as dt
from urllib.parse import quote, urlencode

from django.conf import settings

from catalog.marketplaces import MARKETPLACES
from scraping.outcomes import Absent, Failed, Throttled
from scraping.pages import Answer, Page, UnreadableAnswerError
from scraping.site.reading import parse
from scraping.sources.base import Pass, Progress, Query
from stalkerr import retry_after

PAGE_SIZE = 50  # asked for; the site's own choice is SMALLEST_PAGE
SMALLEST_PAGE = 20
LISTING_CAP = 500
_SEARCHES = {
    "author": "searchAuthor",
    "narrator": "searchNarrator",
    "publisher": "searchProvider",
    "genre": "node",
    "keyword": "keywords",
}
# Keeps a visitor from abroad on the site that was asked for.
_STAY_HERE = {"ipRedirectOverride": "true", "overrideBaseCountry": "true"}
_THROTTLES = (429, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (404, 410)


class AudibleHtml:
    """Reads queries of every kind from the pages that people see."""

    def parse(self, body: bytes, marketplace: str) -> Page:
        return parse(body, marketplace)

    def start(self, query: Query) -> Pass:
        asins = (query.text,) if query.kind == "asin" else query.asins
        todo = tuple(dict.fromkeys(asins))
        return Pass(todo=todo, done=query.kind == "batch" and not todo)

    def url(self, query: Query, reading: Pass) -> str:
        parameters = dict(_STAY_HERE)
        if reading.todo:
            path = "pd/" + quote(reading.todo[0], safe="")
        else:
            path = "series/" + quote(query.text, safe="") if query.kind == "series" else "search"
            parameters |= {"page": str(reading.step + 1), "pageSize": str(PAGE_SIZE)}
        if query.kind in _SEARCHES:
            parameters |= {_SEARCHES[query.kind]: query.text, "sort": "pubdate-desc-rank"}
        asked = urlencode(sorted(parameters.items()), quote_via=quote)
        return f"{_base_url(query.marketplace)}/{path}?{asked}"

    def step(
        self, query: Query, reading: Pass, answer: Answer | Failed, *, now: dt.datetime
    ) -> Progress | Absent | Throttled | Failed:
        series = query.text if query.kind == "series" else None
        verdict = judge(answer, query.marketplace, now, series=series)
        if isinstance(verdict, Throttled | Failed):
            return verdict
        if isinstance(verdict, Absent):
            return _deny(query, reading)
        if reading.todo:
            return Progress(verdict, _advance_products(reading, verdict))
        return Progress(verdict, _advance_list(reading, verdict))


def judge(
    answer: Answer | Failed, marketplace: str, now: dt.datetime, *, series: str | None = None
) -> Page | Absent | Throttled | Failed:
    """What an answer amounts to; Absent (of nothing named) where there is no such page."""
    if isinstance(answer, Failed):
        return answer
    if answer.status in _THROTTLES:
        asked_for = answer.headers.get("retry-after")
        return Throttled(retry_after.parse(asked_for, now, settings.STORE_RETRY_AFTER_MAX))
    if answer.status in _GONE:
        return Absent(())
    if answer.status in _REDIRECTS:
        return _led_away(answer.headers.get("location", ""))
    if answer.status != 200:
        return Failed(f"the site answered {answer.status}", blind=True)
    try:
        return parse(answer.body, marketplace, series=series)
    except UnreadableAnswerError as error:
        return Failed(f"the site answered {answer.status}: {error}", blind=True)


def _led_away(address: str) -> Page | Absent | Failed:
    """A search without results and a product without a page each have an address to lead to."""
    if "no-search-results" in address:
        return Page()
    if "pderror" in address:
        return Absent(())
    return Failed("the site leads elsewhere", blind=True)


def _deny(query: Query, reading: Pass) -> Progress | Absent | Failed:
    """There is no such page: of a product, of a series, or even of the list that was asked for."""
    if query.kind == "batch":
        page = Page(stubs=reading.todo[:1], raw_count=1)
        return Progress(page, _advance_products(reading, page))
    if query.kind in ("asin", "series") and reading.step == 0:
        return Absent((query.text,))
    return Failed("the site has no such list", blind=True)


def _base_url(marketplace: str) -> str:
    if settings.STORE_URL:
        return f"{settings.STORE_URL.rstrip('/')}/{marketplace}"
    return f"https://www.{MARKETPLACES[marketplace].site}"


def _advance_products(reading: Pass, page: Page) -> Pass:
    asked, todo = reading.todo[:1], reading.todo[1:]
    unanswered = tuple(asin for asin in asked if asin not in page.asins)
    noted = _note(reading, page)
    missing = reading.missing + unanswered
    return dataclasses.replace(noted, todo=todo, missing=missing, done=not todo)


def _advance_list(reading: Pass, page: Page) -> Pass:
    noted = _note(reading, page)
    total = page.total_results if page.total_results is not None else reading.total_results
    is_last = noted.seen == reading.seen or page.raw_count < SMALLEST_PAGE
    has_all = total is not None and len(noted.seen) >= total
    at_cap = len(noted.seen) >= LISTING_CAP
    return dataclasses.replace(
        noted,
        total_results=total,
        capped=at_cap and not (is_last or has_all),
        done=is_last or has_all or at_cap,
    )


def _note(reading: Pass, page: Page) -> Pass:
    seen = tuple(dict.fromkeys((*reading.seen, *page.listed)))
    return dataclasses.replace(reading, step=reading.step + 1, seen=seen)
