"""The forms in which a user's rows leave: JSON, CSV that no spreadsheet runs, OPML. Pure.

Each takes the parts one after the other, and gives pieces of text as soon as it has them.
"""

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import orjson

from api.export.parts import PARTS, Part, Row

Pages = Iterable[list[Row]]
Parts = Iterable[tuple[Part, Pages]]

NAMESPACE: Final = "urn:stalkerr:watch"  # of what an outline says beyond OPML; importing reads it
FORM_VERSION: Final = 1

# What a spreadsheet takes for the beginning of a formula, also in its wide Japanese spelling.
_FORMULA: Final = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHOLE: Final = ("profile",)  # parts of which there is one row


def as_json(parts: Parts, now: dt.datetime) -> Iterator[bytes]:
    """One object: a list for each part, and the profile."""
    head = {"stalkerr_export": FORM_VERSION, "exported_at": now}
    yield orjson.dumps(head)[:-1]
    for part, pages in parts:
        is_whole = part.name in _WHOLE
        yield f',\n"{part.name}":'.encode() + (b"" if is_whole else b"[")
        yield from _listed(pages)
        yield b"" if is_whole else b"]"
    yield b"}\n"


def _listed(pages: Pages) -> Iterator[bytes]:
    between = b"\n"
    for page in pages:
        yield between + b",\n".join(orjson.dumps(row) for row in page)
        between = b",\n"


def as_csv(parts: Parts, now: dt.datetime) -> Iterator[bytes]:
    """One table, for a spreadsheet to filter: its first column says which part a row is of."""
    columns = list(dict.fromkeys(name for part in PARTS for name in part.columns))
    # A byte order mark, or some spreadsheets read UTF-8 as something else.
    yield b"\xef\xbb\xbf" + _lines([["part", *columns]])
    for part, pages in parts:
        for page in pages:
            yield _lines([part.name, *(cell(row.get(name)) for name in columns)] for row in page)


def _lines(rows: Iterable[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def cell(value: Any) -> Any:
    """A value as a spreadsheet shows it and does not run it; numbers stay numbers."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, int | float):
        return value
    text = _text(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return "; ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def as_opml(parts: Parts, now: dt.datetime) -> Iterator[bytes]:
    """The watches as an outline, which other programs read and `POST /api/imports` takes back."""
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<opml version="2.0" xmlns:w="{NAMESPACE}">\n'
        f"<head><title>Stalkerr watches</title>"
        f"<dateCreated>{now:%a, %d %b %Y %H:%M:%S} GMT</dateCreated></head>\n<body>\n"
    ).encode()
    for part, pages in parts:
        for page in pages if part.name == "watches" else ():
            yield "".join(map(_outline, page)).encode()
    yield b"</body>\n</opml>\n"


def _outline(watch: Row) -> str:
    said = {
        "text": watch["query"],
        "category": f"/{watch['kind']}",
        "w:kind": watch["kind"],
        "w:asin": watch["asin"],
        "w:marketplaces": " ".join(watch["marketplaces"]),
    }
    words = " ".join(f"{name}={_attribute(text)}" for name, text in said.items() if text)
    return f"<outline {words}/>\n"


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("", text))
