"""Product records of the catalogue API, taken apart. Pure, and surprised by nothing.

One bad field costs that field, one bad product that product, never the page.
"""

import html
import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from catalog.languages import language
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import MARKETPLACES
from catalog.normalise import fold
from catalog.roles import split_role
from scraping import fields
from scraping.pages import Page, StoreError, UnreadableAnswerError

# What PostgreSQL's JSON refuses, NUL and halves of surrogate pairs, can only come as escapes;
# only where there are some is a walk through the record necessary.
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_PERSON_MAX = 200  # characters of a name worth remembering

_ONE = ("product", "item")
_MANY = ("products", "items", "similar_products")

Record = dict[str, Any]


def parse(body: bytes, marketplace: str) -> Page:
    """The page that an answer's body holds: of a listing, a batch, a single, a user's list, a screen.

    Raises StoreError where the store says it refuses, UnreadableAnswerError where this is no
    answer of its catalogue. A record that says nothing but its ASIN is a stub; one that has
    people or a date but no title is a listing without a title.
    """
    records, total = _records(_load(body))
    listings: dict[str, Listing] = {}
    stubs: dict[str, None] = {}
    children: dict[str, None] = {}
    for record in filter(_is_record, records):
        asin = fields.asin(record.get("asin"))
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
    if isinstance(answer, list):
        return _listed_records(answer), None
    if not isinstance(answer, dict):
        raise UnreadableAnswerError("no answer of the catalogue")
    for name in _ONE:
        if isinstance(answer.get(name), dict):
            return [answer[name]], None
    for name in _MANY:
        if isinstance(answer.get(name), list):
            return answer[name], fields.integer(answer.get("total_results"))
    return _other_records(answer)


def _listed_records(answers: list[Any]) -> list[Any]:
    """Of a list of products, as some programs keep a library, or of several answers."""
    if any(map(_is_product, answers)):
        return answers
    kept = [each for each in _dicts(answers) if any(each.get(name) for name in (*_ONE, *_MANY))]
    if not kept:
        raise UnreadableAnswerError("no answer of the catalogue")
    return [record for each in kept for record in _records(each)[0]]


def _other_records(answer: Record) -> tuple[list[Any], int | None]:
    """Of a bare product, or of a screen of the store's app."""
    if _is_product(answer):
        return [answer], None
    if isinstance(answer.get("message"), str):
        raise StoreError(answer["message"])
    rows, total = _screen_records(answer.get("sections"))
    if not rows:
        raise UnreadableAnswerError("no answer of the catalogue")
    return rows, total


def _is_product(value: Any) -> bool:
    return fields.asin(_dict(value).get("asin")) is not None


def _screen_records(sections: Any) -> tuple[list[Any], int | None]:
    """What such a screen shows, row by row; a title may be in two of its sections."""
    records: list[Any] = []
    total = None
    for section in _dicts(sections):
        model = _dict(section.get("model"))
        stated = _dict(_dict(model.get("header")).get("header_model")).get("product_count")
        total = fields.integer(stated) if total is None else total
        records += [row.get("product_metadata") for row in _dicts(model.get("rows"))]
    return records, total


def _listing(record: Record, asin: str, marketplace: str) -> Listing | None:
    title = _shown(record.get("title"))
    credits = tuple(_credits(record))
    release_date = fields.iso_date(record.get("release_date")) or fields.iso_date(
        record.get("issue_date")
    )
    if title is None and not credits and release_date is None:
        return None
    return Listing(
        marketplace=marketplace,
        asin=asin,
        url=MARKETPLACES[marketplace].url_of(asin),
        title=title,
        subtitle=_shown(record.get("subtitle")),
        language=language(fields.text(record.get("language")) or ""),
        release_date=release_date,
        undated=release_date is None and _says_undated(record),
        publication_at=fields.moment(record.get("publication_datetime")),
        launched_at=fields.moment(record.get("product_site_launch_date")),
        publisher=_shown(record.get("publisher_name")),
        runtime_minutes=fields.runtime(record.get("runtime_length_min")),
        credits=credits,
        series=tuple(_series(record)),
        genres=tuple(_genres(record)),
        format_type=fields.lower(record.get("format_type")),
        content_type=fields.text(record.get("content_type")),
        delivery_type=_delivery_type(record),
        cover_url=_cover(record.get("product_images")),
        summary=_summary(record),
        sku=fields.text(record.get("sku")),
        isbn=fields.text(record.get("isbn")),
        raw=record,
    )


def _says_undated(record: Record) -> bool:
    return any(fields.is_placeholder(record.get(name)) for name in ("release_date", "issue_date"))


def _is_record(value: Any) -> bool:
    return isinstance(value, dict)


def _dict(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> Iterable[Record]:
    return filter(_is_record, value) if isinstance(value, list) else ()


def _shown(value: Any) -> str | None:
    """A title or a name: some are escaped as for a web page, though they come as data."""
    shown = fields.text(value)
    return fields.text(html.unescape(shown)) if shown and "&" in shown else shown


def _delivery_type(record: Record) -> str | None:
    """What has books for children is a series, though a short answer does not say so."""
    stated = fields.text(record.get("content_delivery_type"))
    return stated or ("BookSeries" if any(_children(record)) else None)


def _credits(record: Record) -> Iterable[CreditLine]:
    known = set()
    for field, default in (("authors", "author"), ("narrators", "narrator")):
        for person in _dicts(record.get(field)):
            name, role, key = _person(_shown(person.get("name")) or "", default)
            asin = fields.asin(person.get("asin"))
            if key and (identity := (asin or key, role)) not in known:
                known.add(identity)
                yield CreditLine(name, asin, role)


def _person(credited: str, default: str) -> tuple[str, str, str]:
    """Name, role and folded name; the same people stand on page after page."""
    if len(credited) > _PERSON_MAX:
        return _read_person(credited, default)
    return _known_person(credited, default)


def _read_person(credited: str, default: str) -> tuple[str, str, str]:
    name, role = split_role(credited, default)
    return name, role, fold(name)


_known_person = lru_cache(maxsize=8192)(_read_person)


def _series(record: Record) -> Iterable[SeriesPlace]:
    """From both views of it; the second fills in what the first left out."""
    parents = (
        relation
        for relation in _dicts(record.get("relationships"))
        if _relates(relation, "series", "parent")
    )
    places: dict[str, SeriesPlace] = {}
    for entry in (*_dicts(record.get("series")), *parents):
        asin, title = fields.asin(entry.get("asin")), _shown(entry.get("title")) or ""
        key, sequence = asin or fold(title), _sequence(entry.get("sequence"))
        if key:
            earlier = places.get(key, SeriesPlace(asin, "", None))
            places[key] = SeriesPlace(asin, earlier.title or title, earlier.sequence or sequence)
    return places.values()


def _sequence(value: Any) -> str | None:
    """Text as sold; a bare number as that text."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if number else fields.text(value)


def _children(record: Record) -> Iterable[str]:
    for relation in _dicts(record.get("relationships")):
        asin = fields.asin(relation.get("asin"))
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
                genre_id, name = fields.text(rung.get("id")), fields.text(rung.get("name"))
                if genre_id and name:
                    genres.setdefault(genre_id, name)
    return genres.items()


def _cover(images: Any) -> str | None:
    """The largest: images are keyed by their width."""
    if not isinstance(images, dict):
        return None
    covers = {
        fields.integer(width) or 0: url
        for width, url in images.items()
        if isinstance(url, str) and url.startswith(("https://", "http://"))
    }
    return fields.text(covers[max(covers)]) if covers else None


def _summary(record: Record) -> str | None:
    names = ("publisher_summary", "extended_product_description", "merchandising_summary")
    marked_up = next(filter(None, (fields.text(record.get(name)) for name in names)), None)
    return fields.plain_text(marked_up) if marked_up else None
