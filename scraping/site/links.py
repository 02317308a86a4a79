"""What the addresses on a page say: who or what they lead to."""

import re
from urllib.parse import unquote, urlsplit

from catalog.normalise import clean
from scraping import fields

_PRODUCT = re.compile(
    r"/(?:pd/(?:[^/]+/){0,3}?|(?:podcasts?|episodes?)/)"
    r"(?:(?P<slug>[^/]+)/)?(?P<asin>[0-9A-Z]{10})/?$"
)
_SLUG_OF_PODCAST = re.compile(r"(?:^|-)(?:podcasts?|ポッドキャスト)(?:-\w+)?$", re.IGNORECASE)
_AUTHOR = re.compile(r"/author/(?:[^/]+/)?([0-9A-Z]{10})/?$")
_SERIES = re.compile(r"/(?:series|podcasts?/series)/(?:[^/]+/)?([0-9A-Z]{10})/?$")
_SERIES_SLUG = re.compile(r"/(?:series|podcasts?/series)/([^/]+)/[0-9A-Z]{10}/?$")
_ASKED_SERIES = re.compile(r"/series\?(?:[^#]*&)?asin=([0-9A-Z]{10})\b")
# What the slug of every series ends with, by the language of its site.
_KIND_OF_SLUG = re.compile(
    r"-(?:Audiobooks?|Hoerbuch|Hoerbuecher|H[oö]rb[uü]cher|Livres?-Audio|Audiolibr[io]|Audiolibros"
    r"|Audiolivros?|オーディオブック|Podcasts?)$",
    re.IGNORECASE,
)
_CATEGORY = re.compile(r"/cat/(?:.+/)?(\d+)/?$")


def product_asin(address: str | None) -> str | None:
    """Of `/pd/<slug>/<ASIN>` or `/pd/<ASIN>`; once there were categories before the slug."""
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
    """Of `/series/<name>/<ASIN>`, or `/series?asin=<ASIN>` as it was before."""
    return _first(_SERIES, address) or _asked_series(address)


def series_title(address: str | None) -> str:
    """What `/series/<name>/<ASIN>` says of its title: the words, without accents and punctuation."""
    found = _SERIES_SLUG.search(_path(address))
    slug = unquote(found[1]) if found else ""
    return clean(_KIND_OF_SLUG.sub("", slug).replace("-", " "))


def _asked_series(address: str | None) -> str | None:
    found = _ASKED_SERIES.search(address or "")
    return found[1] if found else None


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
