"""Tables of other programs: Goodreads, StoryGraph, audible-cli, Libation. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from catalog.imports.document import Table
from catalog.imports.row import (
    Name,
    Row,
    asin_of,
    isbn_of,
    marketplace_of,
    names_in,
    says_yes,
    text_of,
)

Cells = Mapping[str, Any]

# "Glass Tide (Tides, #3)", also of two series: "(Tides, #3; The Coast, #1)".
_PLACES = re.compile(r"\s*\(([^()]*#[^()]*)\)\s*$")
_PLACE = re.compile(r"^(.+?),?\s*#\s*[\d.]")
# "3 : Tides, 1 : The Coast", as Libation has it; a number may be missing.
_ORDER = re.compile(r"(?:^|,\s+)[^\s:,]*\s*:\s+")


def places_in_title(title: str) -> tuple[str, tuple[Name, ...]]:
    """A title as Goodreads writes it, apart from the series it names."""
    behind = _PLACES.search(title)
    if behind is None:
        return title, ()
    found = [_PLACE.match(place.strip()) for place in behind[1].split(";")]
    series = tuple(Name(place[1].strip()) for place in found if place)
    return (title[: behind.start()], series) if series else (title, ())


def goodreads(cells: Cells) -> Row:
    """A row of Goodreads' export. Its further authors are left out: most are translators."""
    title, series = places_in_title(text_of(cells["title"]))
    shelf = text_of(cells["exclusive shelf"]).lower()
    return Row(
        title=title,
        authors=names_in(cells["author"]),
        series=series,
        isbn=isbn_of(cells.get("isbn13")) or isbn_of(cells.get("isbn")),
        is_heard=shelf == "read",
    )


def storygraph(cells: Cells) -> Row:
    """A row of StoryGraph's export; what has no ISBN has an id of theirs in its place."""
    status = text_of(cells["read status"]).lower()
    return Row(
        title=text_of(cells["title"]),
        authors=names_in(cells["authors"]),
        isbn=isbn_of(cells.get("isbn/uid")),
        asin=asin_of(cells.get("isbn/uid")),
        is_heard=status == "read" or says_yes(cells.get("owned?")),
    )


def audible(cells: Cells) -> Row:
    """A row of `audible library export`, as a table or as JSON."""
    series = text_of(cells.get("series_title"))
    return Row(
        title=text_of(cells.get("title")),
        authors=names_in(cells.get("authors")),
        series=(Name(series),) if series else (),
        asin=asin_of(cells.get("asin")),
        is_heard=True,
    )


def libation(cells: Cells) -> Row:
    """A row of Libation's export."""
    return Row(
        title=text_of(cells.get("title")),
        authors=names_in(cells.get("authors")),
        series=_ordered(cells.get("series order")) or _named(cells.get("series names")),
        asin=asin_of(cells.get("audible product id")),
        marketplace=marketplace_of(cells.get("locale")),
        is_heard=True,
    )


def _ordered(value: Any) -> tuple[Name, ...]:
    _, *names = _ORDER.split(text_of(value))
    return tuple(Name(name.strip()) for name in names if name.strip())


def _named(value: Any) -> tuple[Name, ...]:
    name = text_of(value)
    return (Name(name),) if name else ()


# The kind of file, the columns by which it is known, and how its rows are read.
TABLES: Final[tuple[tuple[str, frozenset[str], Callable[[Cells], Row]], ...]] = (
    ("goodreads", frozenset({"title", "author", "exclusive shelf"}), goodreads),
    ("storygraph", frozenset({"title", "authors", "read status"}), storygraph),
    ("libation", frozenset({"audible product id", "title", "authors"}), libation),
    ("audible", frozenset({"asin", "title", "authors"}), audible),
)


def read_table(table: Table) -> tuple[str, Iterator[Row]] | None:
    """The kind of a table, and its rows; None where nobody's columns are there."""
    for kind, columns, read in TABLES:
        if columns <= set(table.columns):
            return kind, map(read, table.rows())
    return None
