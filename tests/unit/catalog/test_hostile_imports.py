"""Files made to hurt: refused within a second, in one clear sentence, before they have grown."""

import io
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.imports.reading import read
from catalog.imports.row import ROWS_MAX, UnreadableError

LIMIT = 10_000_000
HEADER = "Title,Author,Exclusive Shelf\n"


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def lying_bomb() -> bytes:
    """Says that it unpacks to ten bytes."""
    data = bytearray(zipped(("library.csv", bytes(50_000_000))))
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, entry + 24, 10)
    struct.pack_into("<L", data, 22, 10)
    return bytes(data)


def locked() -> bytes:
    data = bytearray(zipped(("library.csv", HEADER.encode())))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + ']><opml><body><outline text="&a9;"/></body></opml>'
)

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: zipped(("library.csv", bytes(50_000_000))), "too large"),
    "a bomb that lies": (lying_bomb, "archive"),
    "a bomb in a bomb": (lambda: zipped(("a.zip", zipped(("b", b"c")))), "archive in an archive"),
    "many files": (lambda: zipped(*((f"{n}.csv", b"x") for n in range(3000))), "more than one"),
    "two files": (lambda: zipped(("a.csv", b"x"), ("b.csv", b"x")), "more than one"),
    "another method": (
        lambda: zipped(("library.csv", b"x" * 999), method=zipfile.ZIP_LZMA),
        "unpack it",
    ),
    "a password": (locked, "unpack it"),
    "half an archive": (lambda: zipped(("library.csv", b"x" * 999))[:80], "unpack it"),
    "a spreadsheet": (
        lambda: zipped(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")),
        "save it as CSV",
    ),
    "gzip": (lambda: b"\x1f\x8b\x08" + bytes(99), "unpack it"),
    "too large": (lambda: b"x" * (LIMIT + 1), "too large: 10000000 bytes"),
    "laughs": (lambda: LAUGHS.encode(), "DOCTYPE"),
    "laughs in UTF-16": (lambda: LAUGHS.encode("utf-16"), "DOCTYPE"),
    "a file from outside": (
        lambda: (
            b'<!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
            b'<opml><body><outline text="&x;"/></body></opml>'
        ),
        "DOCTYPE",
    ),
    "an entity nobody defined": (
        lambda: b'<opml><body><outline text="&nope;"/></body></opml>',
        "looks like XML",
    ),
    "deep XML": (lambda: b"<opml>" + b"<outline>" * 500_000, "looks like XML"),
    "a million attributes": (
        lambda: (
            b"<opml><outline "
            + b" ".join(b'a%d=""' % n for n in range(600_000))
            + b" text='x'></opml>"
        ),
        "looks like XML",
    ),
    "deep JSON": (lambda: b"[" * 5_000_000, "nested too deeply"),
    "half of JSON": (lambda: b'{"items": [', "looks like JSON"),
    "halves of characters": (lambda: b'{"items": ["\\ud800"]}', "looks like JSON"),
    "NUL": (lambda: HEADER.encode() + b"a\0b,c,d\n", "NUL"),
    "nothing but NUL": (lambda: bytes(9_000_000), "NUL"),
    "Latin-1": (lambda: HEADER.encode() + "Café,Zoë,read\n".encode("latin-1"), "not in UTF-8"),
    "half of UTF-16": (lambda: b"\xff\xfea", "not in UTF-8"),
    "a line without end": (lambda: b"x" * 9_000_000, "does not end"),
    "a cell without end": (
        lambda: HEADER.encode() + b'"' + b"x" * 9_000_000,
        "larger than field limit",
    ),
    "too many rows": (lambda: HEADER.encode() + b"a,b,c\n" * (ROWS_MAX + 1), "in parts"),
    "too many outlines": (
        lambda: b"<opml>" + b"<outline text='x'/>" * (ROWS_MAX + 1) + b"</opml>",
        "in parts",
    ),
    "nothing": (lambda: b"", "is empty"),
    "a mark alone": (lambda: b"\xef\xbb\xbf \n", "is empty"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_within_a_second(name: str) -> None:
    """Proves the guards of catalog/imports/document.py, one each."""
    make, words = HOSTILE[name]
    data = make()
    began = time.process_time()
    with pytest.raises(UnreadableError) as refusal:
        read(data, limit=LIMIT)
    assert time.process_time() - began < 1
    sentence = str(refusal.value)
    assert words in sentence
    assert (len(sentence) < 200, sentence[-1], "\n" in sentence) == (True, ".", False)


def test_a_bomb_does_not_grow() -> None:
    """Proves the guard limit of an archive: 100 MB stay packed."""
    data = zipped(("library.csv", bytes(100_000_000)))
    tracemalloc.start()
    with pytest.raises(UnreadableError):
        read(data, limit=1_000_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


def test_no_file_of_ours_is_read(tmp_path: Path) -> None:
    """Proves the guard DOCTYPE: what an entity points to is nowhere in what we say."""
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    text = f'<!DOCTYPE o SYSTEM "file://{secret}"><opml><body><outline text="x"/></body></opml>'
    with pytest.raises(UnreadableError, match="DOCTYPE"):
        read(text.encode(), limit=LIMIT)
