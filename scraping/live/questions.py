"""The questions of a check: few, each a URL made as visits make theirs. Pure but for settings."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from django.conf import settings

from scraping.live.sights import Sights
from scraping.sources.audible_api import PAGE_SIZE
from scraping.sources.base import Pass, Query
from scraping.sources.registry import DEFAULT, PAGES, SOURCES

UNKNOWN_ASIN = "B000000000"
UNKNOWN_GROUP = "no_such_group"
RIGHTS = "customer_rights"


@dataclass(frozen=True, slots=True)
class Question:
    """`url` is None where an earlier answer did not say what to ask for; `lacks` says what."""

    name: str
    url: Callable[[Sights], str | None]
    source: str = DEFAULT
    lacks: str = "the author's first page could not be read"


def _listing(sights: Sights, step: int = 0) -> str:
    query = Query(sights.scope.marketplace, "author", sights.scope.author)
    return SOURCES[DEFAULT].url(query, Pass(step=step))


def _next(sights: Sights) -> str:
    return _listing(sights, 1)


def _since(sights: Sights) -> str:
    """What changed since tomorrow: nothing, if the parameter means anything."""
    tomorrow = sights.now + dt.timedelta(days=1)
    return _with(_listing(sights), products_since_timestamp=f"{tomorrow:%Y-%m-%dT%H:%M:%SZ}")


def _too_large(sights: Sights) -> str:
    return _with(_listing(sights), num_results=str(PAGE_SIZE + 1))


def _single(sights: Sights) -> str | None:
    return _of_asin(sights, sights.asin)


def _unknown(sights: Sights) -> str | None:
    return _of_asin(sights, UNKNOWN_ASIN)


def _of_asin(sights: Sights, asin: str) -> str | None:
    query = Query(sights.scope.marketplace, "asin", asin)
    return SOURCES[DEFAULT].url(query, Pass()) if asin else None


def _rights(sights: Sights) -> str | None:
    return _with_group(_single(sights), RIGHTS)


def _unknown_group(sights: Sights) -> str | None:
    return _with_group(_single(sights), UNKNOWN_GROUP)


def _with_group(url: str | None, group: str) -> str | None:
    groups = dict.fromkeys([*settings.STORE_RESPONSE_GROUPS, group])
    return url and _with(url, response_groups=",".join(groups))


def _batch(sights: Sights) -> str | None:
    return _of_batch(sights, [*sights.few, UNKNOWN_ASIN]) if sights.asin else None


def _large_batch(sights: Sights) -> str | None:
    known = list(sights.listings)[: PAGE_SIZE + 1]
    return _of_batch(sights, known) if len(known) > PAGE_SIZE else None


def _of_batch(sights: Sights, asins: list[str]) -> str:
    url = SOURCES[DEFAULT].url(Query(sights.scope.marketplace, "batch"), Pass())
    return _with(url, asins=",".join(asins))


def _series(sights: Sights) -> str | None:
    query = Query(sights.scope.marketplace, "series", sights.series)
    return SOURCES[DEFAULT].url(query, Pass()) if sights.series else None


def _search_page(sights: Sights) -> str:
    return SOURCES[PAGES].url(
        Query(sights.scope.marketplace, "author", sights.scope.author), Pass()
    )


def _product_page(sights: Sights) -> str | None:
    query = Query(sights.scope.marketplace, "asin", sights.asin)
    return SOURCES[PAGES].url(query, SOURCES[PAGES].start(query)) if sights.asin else None


def _series_page(sights: Sights) -> str | None:
    query = Query(sights.scope.marketplace, "series", sights.series)
    return SOURCES[PAGES].url(query, Pass()) if sights.series else None


def _with(url: str, **changes: str) -> str:
    """`url` with other parameters."""
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query)) | changes
    asked = urlencode(sorted(parameters.items()), safe=",", quote_via=quote)
    return parts._replace(query=asked).geturl()


_NO_SERIES = "no series was named, and the author's first pages name none"
_FEW = f"the author has no more than {PAGE_SIZE} titles"

# In this order: what later ones ask about is read off the first.
QUESTIONS = (
    Question("listing", _listing),
    Question("next", _next),
    Question("again", _listing),
    Question("since", _since),
    Question("too_large", _too_large),
    Question("single", _single),
    Question("rights", _rights),
    Question("unknown_group", _unknown_group),
    Question("unknown", _unknown),
    Question("batch", _batch),
    Question("large_batch", _large_batch, lacks=_FEW),
    Question("series", _series, lacks=_NO_SERIES),
    Question("search_page", _search_page, PAGES),
    Question("product_page", _product_page, PAGES),
    Question("series_page", _series_page, PAGES, lacks=_NO_SERIES),
)
