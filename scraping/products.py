"""Product records of the catalogue API, taken apart. Pure, and surprised by nothing.

One bad field costs that field, one bad product that product, never the page.
"""

import datetime as dt
import html
import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import MARKETPLACES
from catalog.normalise import clean, fold
from catalog.roles import split_role
from scraping.pages import Page, StoreError, UnreadableAnswerError

_ASIN = re.compile(r"[0-9A-Z]{10}")
_PLACEHOLDER_YEAR = 2100  # from here on a date stands for "unknown"
_LONGEST_RUNTIME = 100_000  # minutes
# What PostgreSQL's JSON refuses, NUL and halves of surrogate pairs, can only come as escapes;
# only where there are some is a walk through the record necessary.
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_BLOCK = re.compile(r"<(?=/?(?:p|br|div|li|ul|ol|h\d)\b)", re.IGNORECASE)
_DECLARATION = re.compile(r"<[!?][^>]*>?")
_TAG = re.compile(r"<[^>]*>")

Record = dict[str, Any]


def parse(body: bytes, marketplace: str) -> Page:
    """The page that an answer's body holds: of a listing, a batch, a single, or a user's list.

    Raises StoreError where the store says it refuses, UnreadableAnswerError where this is no
    answer of its catalogue. A record that says nothing but its ASIN is a stub; one that has
    people or a date but no title is a listing without a title.
    """
    records, total = _records(_load(body))
    listings: dict[str, Listing] = {}
    stubs: dict[str, None] = {}
    children: dict[str, None] = {}
    for record in filter(_is_record, records):
        asin = _asin(record.get("asin"))
        if asin is None:
            continue
        children |= dict.fromkeys(_children(record))
        if listing := _listing(record, asin, marketplace):
            listings.setdefault(asin, listing)
        else:
            stubs[asin] = None
    return Page(
        listings=tuple(listings.values()),
        stubs=tuple(asin for asin in stubs if asin not in listings),
        children=tuple(children),
        raw_count=len(records),
        total_results=total,
    )


def _load(body: bytes) -> Any:
    text = body.decode("utf-8-sig", "replace")
    try:
        loaded = json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
        return _storable(loaded) if _UNSTORABLE.search(body) else loaded
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswerError(_describe(body)) from error


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _describe(body: bytes) -> str:
    start = body.lstrip()[:1]
    if not start:
        return "an empty body"
    return "a web page instead of data" if start == b"<" else "broken JSON"


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "").encode(errors="ignore").decode()
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return value


def _records(answer: Any) -> tuple[list[Any], int | None]:
    if not isinstance(answer, dict):
        raise UnreadableAnswerError("no answer of the catalogue")
    if isinstance(answer.get("product"), dict):
        return [answer["product"]], None
    for name in ("products", "items"):
        if isinstance(answer.get(name), list):
            return answer[name], _integer(answer.get("total_results"))
    if isinstance(answer.get("message"), str):
        raise StoreError(answer["message"])
    raise UnreadableAnswerError("no answer of the catalogue")


def _listing(record: Record, asin: str, marketplace: str) -> Listing | None:
    title = _text(record.get("title"))
    credits = tuple(_credits(record))
    release_date = _date(record.get("release_date")) or _date(record.get("issue_date"))
    if title is None and not credits and release_date is None:
        return None
    return Listing(
        marketplace=marketplace,
        asin=asin,
        url=MARKETPLACES[marketplace].url_of(asin),
        title=title,
        subtitle=_text(record.get("subtitle")),
        language=_lower(record.get("language")),
        release_date=release_date,
        publication_at=_moment(record.get("publication_datetime")),
        launched_at=_moment(record.get("product_site_launch_date")),
        publisher=_text(record.get("publisher_name")),
        runtime_minutes=_runtime(record.get("runtime_length_min")),
        credits=credits,
        series=tuple(_series(record)),
        genres=tuple(_genres(record)),
        format_type=_lower(record.get("format_type")),
        content_type=_text(record.get("content_type")),
        delivery_type=_text(record.get("content_delivery_type")),
        cover_url=_cover(record.get("product_images")),
        summary=_summary(record),
        sku=_text(record.get("sku")),
        isbn=_text(record.get("isbn")),
        raw=record,
    )


def _is_record(value: Any) -> bool:
    return isinstance(value, dict)


def _dicts(value: Any) -> Iterable[Record]:
    return filter(_is_record, value) if isinstance(value, list) else ()


def _text(value: Any) -> str | None:
    return (clean(value) or None) if isinstance(value, str) else None


def _lower(value: Any) -> str | None:
    text = _text(value)
    return text.lower() if text else None


def _integer(value: Any) -> int | None:
    """A count: also where it came as 3.0 or as "3"."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    return int(value) if is_whole and 0 <= value < 10**9 else None


def _runtime(value: Any) -> int | None:
    minutes = _integer(value)
    return minutes if minutes and minutes < _LONGEST_RUNTIME else None


def _asin(value: Any) -> str | None:
    asin = value.strip().upper() if isinstance(value, str) else ""
    return asin if _ASIN.fullmatch(asin) else None


def _date(value: Any) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day and day.year < _PLACEHOLDER_YEAR else None


def _moment(value: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None:
            return None
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year < _PLACEHOLDER_YEAR else None


def _credits(record: Record) -> Iterable[CreditLine]:
    known = set()
    for field, default in (("authors", "author"), ("narrators", "narrator")):
        for person in _dicts(record.get(field)):
            name, role = split_role(_text(person.get("name")) or "", default)
            asin, key = _asin(person.get("asin")), fold(name)
            if key and (identity := (asin or key, role)) not in known:
                known.add(identity)
                yield CreditLine(name, asin, role)


def _series(record: Record) -> Iterable[SeriesPlace]:
    """From both views of it; the second fills in what the first left out."""
    parents = (
        relation
        for relation in _dicts(record.get("relationships"))
        if _relates(relation, "series", "parent")
    )
    places: dict[str, SeriesPlace] = {}
    for entry in (*_dicts(record.get("series")), *parents):
        asin, title = _asin(entry.get("asin")), _text(entry.get("title")) or ""
        key, sequence = asin or fold(title), _text(entry.get("sequence"))
        if key:
            earlier = places.get(key, SeriesPlace(asin, "", None))
            places[key] = SeriesPlace(asin, earlier.title or title, earlier.sequence or sequence)
    return places.values()


def _children(record: Record) -> Iterable[str]:
    for relation in _dicts(record.get("relationships")):
        asin = _asin(relation.get("asin"))
        if asin and _relates(relation, "series", "child"):
            yield asin


def _relates(relation: Record, kind: str, other: str) -> bool:
    return (
        relation.get("relationship_type") == kind
        and relation.get("relationship_to_product") == other
    )


def _genres(record: Record) -> Iterable[tuple[str, str]]:
    genres: dict[str, str] = {}
    for ladder in _dicts(record.get("category_ladders")):
        if ladder.get("root", "Genres") == "Genres":
            for rung in _dicts(ladder.get("ladder")):
                genre_id, name = _text(rung.get("id")), _text(rung.get("name"))
                if genre_id and name:
                    genres.setdefault(genre_id, name)
    return genres.items()


def _cover(images: Any) -> str | None:
    """The largest: images are keyed by their width."""
    if not isinstance(images, dict):
        return None
    covers = {
        _integer(width) or 0: url
        for width, url in images.items()
        if isinstance(url, str) and url.startswith(("https://", "http://"))
    }
    return clean(covers[max(covers)]) if covers else None


def _summary(record: Record) -> str | None:
    names = ("publisher_summary", "extended_product_description", "merchandising_summary")
    marked_up = next(filter(None, (_text(record.get(name)) for name in names)), None)
    return (clean(_plain(marked_up)) or None) if marked_up else None


@lru_cache(maxsize=1024)  # pages are read again and again, and soup is most of reading them
def _plain(marked_up: str) -> str:
    if "<" not in marked_up:
        return html.unescape(marked_up)
    spaced = _BLOCK.sub(" <", _DECLARATION.sub(" ", marked_up))
    try:
        return BeautifulSoup(spaced, "lxml").get_text()
    except ParserRejectedMarkup:
        return html.unescape(_TAG.sub(" ", spaced))
