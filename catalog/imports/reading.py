"""A file of somebody's: what kind it is, and its rows. Pure."""

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from catalog.imports.document import Table, document
from catalog.imports.row import ROWS_MAX, Row, UnreadableError
from catalog.imports.tables import read_table
from catalog.imports.trees import read_json, read_outline

UNKNOWN: Final = (
    "We don't know this kind of file. We read the exports of Goodreads, StoryGraph, audible-cli, "
    "Libation, Audiobookshelf and Stalkerr itself, and OPML."
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file is, and what it holds."""

    kind: str
    rows: tuple[Row, ...]


def read(data: bytes, *, limit: int) -> Reading:
    """Read a file of whatever kind, of `limit` bytes at most; raises UnreadableError."""
    found = _read(document(data, limit=limit))
    if found is None:
        raise UnreadableError(UNKNOWN)
    kind, listed = found
    rows = tuple(islice(listed, ROWS_MAX + 1))
    if len(rows) > ROWS_MAX:
        raise UnreadableError(f"This file has more than {ROWS_MAX} rows; please send it in parts.")
    if not rows:
        raise UnreadableError("There is nothing in this file to import.")
    return Reading(kind, rows)


def _read(content: Any) -> Any:
    if isinstance(content, Table):
        return read_table(content)
    return read_json(content) if isinstance(content, dict | list) else read_outline(content)
