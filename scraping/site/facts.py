"""Facts: fields of a Listing by name, from wherever on a page they stand."""

import html
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bs4 import Tag
from bs4.element import NavigableString

from catalog.languages import language
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import MARKETPLACES
from catalog.normalise import fold
from scraping import fields
from scraping.site.dates import parse_date
from scraping.site.labels import (
    credit_lines,
    format_in,
    names_in,
    sequence_in,
    split_place,
    without_label,
)
from scraping.site.links import author_asin, category_id, product_asin, series_asin
from scraping.site.runtimes import parse_minutes

Facts = dict[str, Any]
People = list[tuple[str, str | None]]  # names as shown, with ASINs where they link to one
PROVENANCE = "audible_html"
_MOST_NODES = 5_000  # of one line: the largest casts have a few hundred names


def merged(*found: Facts) -> Facts:
    """Every field from the first that has it."""
    facts: Facts = {}
    for each in found:
        facts |= {name: value for name, value in each.items() if value and not facts.get(name)}
    return facts


def listing(facts: Facts, asin: str, marketplace: str) -> Listing | None:
    """The record that these make; None where they say nothing of a title, a person or a day."""
    authors, narrators = facts.get("authors", ()), facts.get("narrators", ())
    credits = (*credit_lines(authors, "author"), *credit_lines(narrators, "narrator"))
    if not (facts.get("title") or credits or facts.get("release_date")):
        return None
    rest = {name: value for name, value in facts.items() if name not in ("authors", "narrators")}
    return Listing(
        marketplace=marketplace,
        asin=asin,
        url=MARKETPLACES[marketplace].url_of(asin),
        credits=_once(credits),
        provenance=PROVENANCE,
        **rest,
    )


def _once(credits: Iterable[CreditLine]) -> tuple[CreditLine, ...]:
    """One line for a person and role, also where they are listed among authors and narrators."""
    lines: dict[tuple[str, str], CreditLine] = {}
    for line in credits:
        lines.setdefault((line.asin or fold(line.name), line.role), line)
    return tuple(lines.values())


def labelled(name: str, label: Tag, marketplace: str) -> Facts:
    """What the line of class `name` + "Label" says."""
    match name:
        case "author" | "narrator":
            return {f"{name}s": people(label)}
        case "series":
            return {"series": series_places(label)}
        case "categories":
            return {"genres": genres((link.get_text(), link.get("href")) for link in _links(label))}
    text = without_label(label.get_text(" "))
    match name:
        case "runtime":
            return {"runtime_minutes": parse_minutes(text)}
        case "releaseDate":
            return {"release_date": parse_date(text, marketplace)}
        case "language":
            return {"language": language(text)}
        case "publisher":
            return {"publisher": fields.text(text)}
    return {}


def from_metadata(record: Facts, marketplace: str) -> Facts:
    """Of the JSON inside `adbl-product-metadata` and `adbl-product-row`."""
    publisher = record.get("publisher")
    return {
        "authors": _linked_people(record.get("authors")),
        "narrators": _linked_people(record.get("narrators")),
        "series": _linked_series(record.get("series")),
        "genres": genres(
            (_shown(each.get("name")), each.get("url")) for each in dicts(record, "categories")
        ),
        "runtime_minutes": parse_minutes(record.get("duration")),
        "release_date": parse_date(_string(record.get("releaseDate")), marketplace),
        "language": language(_string(record.get("language"))),
        "publisher": _shown(publisher.get("name") if isinstance(publisher, dict) else publisher),
        "format_type": format_in(_string(record.get("format"))),
    }


def people(label: Tag) -> People:
    """Of a line such as "By: <a>Ada Lund</a>, Ib Falk"."""
    found: People = []
    for link, text in _runs(label):
        if link is None:
            found += ((name, None) for name in names_in(text))
        else:
            found.append((text, author_asin(_href(link))))
    return found


def series_places(label: Tag) -> tuple[SeriesPlace, ...]:
    """Of a line such as "Series: <a>Tides</a>, Book 1, <a>Isles</a>"."""
    places: list[SeriesPlace] = []
    for link, text in _runs(label):
        if link is not None:
            places.append(SeriesPlace(_named_series(_href(link)), fields.text(text) or "", None))
        elif places:
            last = places[-1]
            places[-1] = SeriesPlace(last.asin, last.title, last.sequence or sequence_in(text))
    if not places and (title := without_label(label.get_text(" "))):
        places.append(SeriesPlace(None, *split_place(title)))
    return tuple(place for place in places if place.asin or fold(place.title))


def _named_series(address: str) -> str | None:
    """Of a link in a series line; the pages of older years lead to series as to products."""
    return series_asin(address) or product_asin(address)


def genres(linked: Iterable[tuple[Any, Any]]) -> tuple[tuple[str, str], ...]:
    """(id, name) of links to categories, first seen first."""
    found: dict[str, str] = {}
    for name, address in linked:
        genre_id, text = category_id(_string(address)), fields.text(name)
        if genre_id and text:
            found.setdefault(genre_id, text)
    return tuple(found.items())


def _runs(label: Tag) -> Iterator[tuple[Tag | None, str]]:
    """The links of a line and the texts between them, in order."""
    for node in islice(label.descendants, _MOST_NODES):
        if isinstance(node, Tag) and node.name == "a":
            yield node, node.get_text()
        elif isinstance(node, NavigableString) and node.find_parent("a") is None and node.strip():
            yield None, str(node)


def _links(label: Tag) -> list[Tag]:
    return list(label.find_all("a"))


def _href(link: Tag) -> str:
    return _string(link.get("href"))


def _linked_people(value: Any) -> People:
    entries = value if isinstance(value, list) else [value]
    people = [
        (_shown(each.get("name")), author_asin(_string(each.get("url"))))
        if isinstance(each, dict)
        else (_shown(each), None)
        for each in entries
    ]
    return [(name, asin) for name, asin in people if name]


def _linked_series(value: Any) -> tuple[SeriesPlace, ...]:
    places = (
        SeriesPlace(
            series_asin(_string(each.get("url"))),
            _shown(each.get("name")),
            sequence_in(_string(each.get("part"))),
        )
        for each in dicts({"series": value}, "series")
    )
    return tuple(place for place in places if place.asin or fold(place.title))


def dicts(record: Facts, name: str) -> list[Facts]:
    """The records under a name, where there may be one or a list of them."""
    value = record.get(name)
    entries = value if isinstance(value, list) else [value]
    return [each for each in entries if isinstance(each, dict)]


def _shown(value: Any) -> str:
    """A name, which may be escaped as for a page though it stands in data; empty for no text."""
    return fields.text(html.unescape(_string(value))) or ""


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
