"""What the addresses on a page say: who or what they lead to."""

import re
from urllib.parse import unquote, urlsplit

from scraping import fields

_PRODUCT = re.compile(r"/(?:pd|podcasts?|episodes?)/(?:(?P<slug>[^/]+)/)?(?P<asin>[0-9A-Z]{10})/?$")
_SLUG_OF_PODCAST = re.compile(r"(?:^|-)(?:podcasts?|ポッドキャスト)(?:-\w+)?$", re.IGNORECASE)
_AUTHOR = re.compile(r"/author/(?:[^/]+/)?([0-9A-Z]{10})/?$")
_SERIES = re.compile(r"/(?:series|podcasts?/series)/(?:[^/]+/)?([0-9A-Z]{10})/?$")
_CATEGORY = re.compile(r"/cat/(?:.+/)?(\d+)/?$")


def product_asin(address: str | None) -> str | None:
    """Of `/pd/<slug>/<ASIN>` or `/pd/<ASIN>`."""
    found = _PRODUCT.search(_path(address))
    return fields.asin(found["asin"]) if found else None


def is_podcast(address: str | None) -> bool:
    """Whether the address calls what it leads to a podcast: `/pd/Moriarty-Podcast/<ASIN>`."""
    path = _path(address)
    found = _PRODUCT.search(path)
    if found is None:
        return False
    return "/pd/" not in path or bool(_SLUG_OF_PODCAST.search(unquote(found["slug"] or "")))


def author_asin(address: str | None) -> str | None:
    """Of `/author/<name>/<ASIN>`; those without a page of their own lead to a search."""
    return _first(_AUTHOR, address)


def series_asin(address: str | None) -> str | None:
    """Of `/series/<name>/<ASIN>`."""
    return _first(_SERIES, address)


def category_id(address: str | None) -> str | None:
    """Of `/cat/<name>/<name>/<number>`."""
    return _first(_CATEGORY, address)


def _first(pattern: re.Pattern[str], address: str | None) -> str | None:
    found = pattern.search(_path(address))
    return found[1] if found else None


def _path(address: str | None) -> str:
    """The path, also of an address with its host, without what is asked of it."""
    try:
        return urlsplit(address.strip()).path if address else ""
    except ValueError:
        return ""
