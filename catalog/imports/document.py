"""From bytes to a document, refusing what would cost more than it is worth. Pure.

Whatever is refused is refused before it has grown: an archive is unpacked to the limit and no
further, a file that brings definitions of its own is not parsed, a table's cells have an end.
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from lxml import etree

from catalog.imports.row import ROWS_MAX, UnreadableError

HEADER_MAX: Final = 10_000  # characters of a table's first line
_ENTRIES_MAX: Final = 20  # of an archive, with folders and what some systems add
_ENTRY: Final = b"PK\x01\x02"
_PACKED: Final = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")
_UNPACK: Final = "This is an archive that we can't open; unpack it and send what is in it."
_DEFINES = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """A table's column names, in lower case, and its rows as they come."""

    columns: tuple[str, ...]
    text: str
    delimiter: str

    def rows(self) -> Iterator[dict[str, str]]:
        """Each row by column; what is missing at its end is empty."""
        lines = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        try:
            next(lines, None)
            for count, cells in enumerate(filter(None, lines)):
                _check_count(count)
                missing = [""] * (len(self.columns) - len(cells))
                yield dict(zip(self.columns, [*cells, *missing], strict=False))
        except csv.Error as error:
            raise UnreadableError(f"This table can't be read: {error}.") from error


def _check_count(count: int) -> None:
    if count >= ROWS_MAX:
        raise UnreadableError(f"This file has more than {ROWS_MAX} rows; please send it in parts.")


def document(data: bytes, *, limit: int) -> Any:
    """A Table, an XML element, or what JSON holds; UnreadableError for anything else."""
    text = _text(_unpacked(data, limit))
    begin = text.lstrip()[:1]
    if begin == "<":
        return _outline(text)
    if begin in ("{", "["):
        return _json(text)
    return _table(text)


def _unpacked(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise UnreadableError(f"This file is too large: {limit} bytes are the limit.")
    if data.startswith(b"PK\x03\x04"):
        return _only_file(data, limit)
    if data.startswith(_PACKED):
        raise UnreadableError(_UNPACK)
    return data


def _only_file(data: bytes, limit: int) -> bytes:
    if data.count(_ENTRY) > _ENTRIES_MAX:
        raise UnreadableError("This archive holds more than one file; send the one that matters.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = _content(archive, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
        raise UnreadableError(_UNPACK) from error
    if len(content) > limit:
        raise UnreadableError(f"What is in this archive is too large: {limit} bytes are the limit.")
    if content.startswith((b"PK\x03\x04", *_PACKED)):
        raise UnreadableError("This is an archive in an archive; unpack it first.")
    return content


def _content(archive: zipfile.ZipFile, limit: int) -> bytes:
    entries = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    ]
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        raise UnreadableError("This is a spreadsheet's own format; save it as CSV and send that.")
    if len(entries) != 1:
        raise UnreadableError("This archive holds more than one file; send the one that matters.")
    (entry,) = entries
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableError(_UNPACK)  # the others may ask for memory before they give a byte
    with archive.open(entry) as file:
        return file.read(limit + 1)


def _text(data: bytes) -> str:
    """The text of the bytes: UTF-8, or UTF-16 where a mark says so."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            "This file is not in UTF-8; save it as UTF-8 and send that."
        ) from error
    if "\0" in text:
        raise UnreadableError("This file holds NUL characters: it is no text.")
    if not text.strip():
        raise UnreadableError("This file is empty.")
    return text


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(
            "This looks like JSON and is not, or is nested too deeply."
        ) from error


def _outline(text: str) -> Any:
    if _DEFINES.search(text):
        raise UnreadableError(
            "This XML brings definitions of its own (DOCTYPE), which we don't read."
        )
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableError("This looks like XML and is not, or is nested too deeply.") from error


def _table(text: str) -> Table:
    header = text.lstrip()[: HEADER_MAX + 1].splitlines()[0]
    if len(header) > HEADER_MAX:
        raise UnreadableError("This is no table that we know: its first line does not end.")
    delimiter = max(",;\t", key=header.count)
    try:
        columns = next(csv.reader([header], delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableError("This is no table that we know.") from error
    names = tuple(name.strip().lower() for name in columns)
    return Table(names, text.lstrip(), delimiter)
