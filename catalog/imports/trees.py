"""JSON and outlines of other programs, and our own. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from catalog.imports.row import (
    NAMES_MAX,
    Name,
    Row,
    asin_of,
    authors,
    isbn_of,
    names_in,
    names_of,
    text_of,
)
from catalog.imports.tables import audible as audible_row
from catalog.imports.tables import libation as libation_row

NAMESPACE: Final = "urn:stalkerr:watch"  # of what our own outlines say of a watch
KINDS: Final = ("author", "series", "narrator", "publisher", "genre", "keyword", "asin")

Rows = Iterator[Row]
# "Tides #3" in Audiobookshelf's short form, also of several series.
_NUMBERED = re.compile(r"\s+#[\d.\-]+\s*(?:,\s+|$)")
_LIBATION: Final = {  # the names in its JSON, and those of its table
    "audibleproductid": "audible product id",
    "authornames": "authors",
    "seriesnames": "series names",
    "seriesorder": "series order",
}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _first(value: Any) -> dict[str, Any]:
    return next(iter(_objects(value)), {})


def ancestor(data: Any) -> Rows | None:
    """`audiobooks.json` of the program that this one descends from: titles under their authors."""
    listed = data.get("audiobooks") if isinstance(data, dict) else None
    by_author = listed.get("author") if isinstance(listed, dict) else None
    return _of_authors(by_author) if isinstance(by_author, dict) else None


def _of_authors(by_author: dict[str, Any]) -> Rows:
    for name, titles in by_author.items():
        for entry in _objects(titles) or [{}]:
            series = text_of(entry.get("series"))
            yield Row(
                title=text_of(entry.get("title")),
                authors=names_in(name),
                series=(Name(series),) if series else (),
            )


def own(data: Any) -> Rows | None:
    """Our own export: its watches."""
    if not isinstance(data, dict) or "stalkerr_export" not in data:
        return None
    return (
        _watch(each.get("kind"), each.get("query"), each.get("asin"))
        for each in _objects(data.get("watches"))
    )


def _watch(kind: Any, query: Any, asin: Any) -> Row:
    return Row(watch_kind=text_of(kind), title=text_of(query), asin=asin_of(asin))


def libation(data: Any) -> Rows | None:
    """Libation's JSON: the columns of its table under other names."""
    if "AudibleProductId" not in _first(data):
        return None
    return (libation_row(_as_table(each)) for each in _objects(data))


def _as_table(entry: dict[str, Any]) -> dict[str, Any]:
    lower = {name.lower(): value for name, value in entry.items()}
    return {_LIBATION.get(name, name): value for name, value in lower.items()}


def audible(data: Any) -> Rows | None:
    """A library or a wish list as Audible's API answers, or as audible-cli writes it."""
    is_answer = isinstance(data, dict)
    for key, is_heard in (("items", True), ("products", False)):
        entries = data.get(key) if is_answer else data
        if "asin" in _first(entries) and "media" not in _first(entries):
            return (_audible(each, is_heard) for each in _objects(entries))
    return None


def _audible(entry: dict[str, Any], is_heard: bool) -> Row:  # noqa: FBT001 (of a table of two)
    if isinstance(entry.get("authors"), str) or "series_title" in entry:
        return audible_row(entry)
    return Row(
        title=text_of(entry.get("title")),
        authors=authors(names_of(entry.get("authors"))),
        series=tuple(name for name in names_of(entry.get("series"), "title") if name.text),
        isbn=isbn_of(entry.get("isbn")),
        asin=asin_of(entry.get("asin")),
        is_heard=is_heard,
    )


def audiobookshelf(data: Any) -> Rows | None:
    """Audiobookshelf: a library's items as its API answers, or one title's metadata.json."""
    entries = data.get("results", [data]) if isinstance(data, dict) else data
    items = [each for each in map(_metadata, _objects(entries)) if each]
    return map(_of_shelf, items) if items else None


def _metadata(item: dict[str, Any]) -> dict[str, Any]:
    media = item.get("media")
    found = media.get("metadata") if isinstance(media, dict) else item.get("metadata", item)
    if not isinstance(found, dict):
        return {}
    is_whole = "title" in found and "narrators" in {*found, *item}
    return found if is_whole or "authorName" in found else {}


def _of_shelf(metadata: dict[str, Any]) -> Row:
    return Row(
        title=text_of(metadata.get("title")),
        authors=authors(names_of(metadata.get("authors"))) or names_in(metadata.get("authorName")),
        series=_shelf_series(metadata),
        isbn=isbn_of(metadata.get("isbn")),
        asin=asin_of(metadata.get("asin")),
        is_heard=True,
    )


def _shelf_series(metadata: dict[str, Any]) -> tuple[Name, ...]:
    said = [name.text for name in names_of(metadata.get("series"))]
    texts = said or _NUMBERED.split(text_of(metadata.get("seriesName")))
    bare = (_NUMBERED.sub("", text).strip() for text in texts[:NAMES_MAX])
    return tuple(Name(text) for text in bare if text)


READERS: Final[tuple[tuple[str, Callable[[Any], Rows | None]], ...]] = (
    ("stalkerr", own),
    ("ancestor", ancestor),
    ("libation", libation),
    ("audible", audible),
    ("audiobookshelf", audiobookshelf),
)


def read_json(data: Any) -> tuple[str, Rows] | None:
    """The kind of a JSON file, and its rows; None where nobody writes such files."""
    for kind, read in READERS:
        if (rows := read(data)) is not None:
            return kind, rows
    return None


def read_outline(root: Any) -> tuple[str, Rows] | None:
    """An OPML file; None for any other XML."""
    return ("opml", _outlines(root)) if root.tag == "opml" else None


def _outlines(root: Any) -> Rows:
    """The leaves: our own say their kind; else a heading above may, and an author is likeliest."""
    for leaf in root.iter("outline"):
        if not len(leaf):
            text = text_of(leaf.get("text") or leaf.get("title"))
            asin = leaf.get(f"{{{NAMESPACE}}}asin")
            yield Row(watch_kind=_kind(leaf), title=text, asin=asin_of(asin))


def _kind(leaf: Any) -> str:
    if leaf.get("xmlUrl"):
        return "feed"
    parent = leaf.getparent()
    heading = text_of(parent.get("text")) if parent is not None else ""
    said = (
        leaf.get(f"{{{NAMESPACE}}}kind"),
        (leaf.get("category") or "").strip("/"),
        leaf.get("type"),
        heading,
    )
    words = [text_of(word).lower().rstrip("s") for word in said]
    known = [kind for word in words for kind in KINDS if word and word == kind.rstrip("s")]
    return known[0] if known else "author"
