"""The store's catalogue API, asked without signing in: listings, single products, batches.

Page numbers start at 0. A listing shows about 500 different products at most, then repeats its
last page; `total_results` overstates. So a listing ends with the page that brings nothing new.
"""

import dataclasses
import datetime as dt
from urllib.parse import quote, urlencode

from django.conf import settings

from catalog.marketplaces import MARKETPLACES
from scraping.outcomes import Absent, Failed, Throttled
from scraping.pages import Answer, Page, StoreError, UnreadableAnswerError
from scraping.products import parse
from scraping.sources.base import Pass, Progress, Query
from stalkerr import retry_after

PAGE_SIZE = 50  # the store's maximum, for pages and batches alike
LISTING_CAP = 500
# Known to every version of the store: what to ask for when it refuses one of the configured.
FALLBACK_GROUPS = (
    "contributors",
    "media",
    "product_attrs",
    "product_desc",
    "relationships",
    "series",
)
_PARAMETERS = {
    "author": "author",
    "narrator": "narrator",
    "publisher": "publisher",
    "genre": "category_id",
    "keyword": "keywords",
}
_THROTTLES = (429, 503, 504)


class GroupsRefused(Exception):  # noqa: N818 (an answer, not a fault)
    """The store does not know one of the response groups."""


class AudibleApi:
    """Reads queries of every kind from `/1.0/catalog/products`."""

    def parse(self, body: bytes, marketplace: str) -> Page:
        return parse(body, marketplace)

    def start(self, query: Query) -> Pass:
        return Pass(todo=tuple(dict.fromkeys(query.asins)), done=_is_empty_batch(query))

    def url(self, query: Query, reading: Pass) -> str:
        groups = FALLBACK_GROUPS if reading.plain else settings.STORE_RESPONSE_GROUPS
        parameters = {"response_groups": ",".join(groups)}
        path = ""
        if query.kind in _PARAMETERS:
            parameters |= {
                _PARAMETERS[query.kind]: query.text,
                "products_sort_by": "-ReleaseDate",
                "num_results": str(PAGE_SIZE),
                "page": str(reading.step),
            }
        elif _asks_for_one(query, reading):
            path = "/" + quote(query.text, safe="")
        else:
            parameters |= {
                "asins": ",".join(reading.todo[:PAGE_SIZE]),
                "num_results": str(PAGE_SIZE),
            }
        asked = urlencode(sorted(parameters.items()), safe=",", quote_via=quote)
        return f"{_base_url(query.marketplace)}/1.0/catalog/products{path}?{asked}"

    def step(
        self, query: Query, reading: Pass, answer: Answer | Failed, *, now: dt.datetime
    ) -> Progress | Absent | Throttled | Failed:
        try:
            verdict = judge(answer, query.marketplace, now)
        except GroupsRefused as refused:
            if reading.plain:
                return Failed(str(refused))
            return Progress(Page(), dataclasses.replace(reading, plain=True))
        if not isinstance(verdict, Page):
            return verdict
        if _asks_for_one(query, reading) and not verdict.listings and verdict.stubs:
            return Absent(verdict.stubs)
        if query.kind in _PARAMETERS and verdict.stubs and not verdict.listings:
            # Not its end: what follows a page of these would be news once they are whole again.
            return Failed("the store lists nothing but stubs", blind=True)
        return Progress(verdict, _advance(query, reading, verdict))


def judge(answer: Answer | Failed, marketplace: str, now: dt.datetime) -> Page | Throttled | Failed:
    """What an answer amounts to.

    Raises GroupsRefused where asking for less would help.
    """
    if isinstance(answer, Failed):
        return answer
    if answer.status in _THROTTLES:
        asked_for = answer.headers.get("retry-after")
        return Throttled(retry_after.parse(asked_for, now, settings.STORE_RETRY_AFTER_MAX))
    if answer.status not in (200, 400):
        return Failed(f"the store answered {answer.status}", blind=True)
    try:
        return parse(answer.body, marketplace)
    except UnreadableAnswerError as error:
        return Failed(f"the store answered {answer.status}: {error}", blind=True)
    except StoreError as error:
        if "Invalid response group" in str(error):
            raise GroupsRefused(str(error)) from error
        return Failed(f"the store refused the question: {error}")


def _base_url(marketplace: str) -> str:
    if settings.STORE_URL:
        return f"{settings.STORE_URL.rstrip('/')}/{marketplace}"
    return f"https://{MARKETPLACES[marketplace].host}"


def _is_empty_batch(query: Query) -> bool:
    return query.kind == "batch" and not query.asins


def _asks_for_one(query: Query, reading: Pass) -> bool:
    return query.kind == "asin" or (query.kind == "series" and reading.step == 0)


def _advance(query: Query, reading: Pass, page: Page) -> Pass:
    if query.kind in _PARAMETERS:
        return _advance_listing(reading, page)
    if not _asks_for_one(query, reading):
        return _advance_batch(reading, page)
    todo = page.children if query.kind == "series" else ()
    return dataclasses.replace(
        _note(reading, page),
        todo=todo,
        missing=() if query.text in page.asins else (query.text,),
        done=not todo,
    )


def _advance_listing(reading: Pass, page: Page) -> Pass:
    noted = _note(reading, page)
    brought_nothing = noted.seen == reading.seen
    at_cap = noted.step * PAGE_SIZE >= LISTING_CAP
    return dataclasses.replace(
        noted,
        total_results=page.total_results,
        capped=at_cap and not brought_nothing and page.raw_count == PAGE_SIZE,
        done=brought_nothing or at_cap or page.raw_count < PAGE_SIZE,
    )


def _advance_batch(reading: Pass, page: Page) -> Pass:
    asked, todo = reading.todo[:PAGE_SIZE], reading.todo[PAGE_SIZE:]
    unanswered = tuple(asin for asin in asked if asin not in page.asins)
    return dataclasses.replace(
        _note(reading, page),
        todo=todo,
        missing=reading.missing + unanswered,
        done=not todo,
    )


def _note(reading: Pass, page: Page) -> Pass:
    seen = tuple(dict.fromkeys((*reading.seen, *page.listed)))
    return dataclasses.replace(reading, step=reading.step + 1, seen=seen)
