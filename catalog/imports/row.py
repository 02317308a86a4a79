"""What every file comes to, whoever wrote it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from catalog.marketplaces import MARKETPLACES
from catalog.normalise import clean
from catalog.roles import split_role

ROWS_MAX: Final = 20_000
TEXT_MAX: Final = 300  # characters of a name or a title; the rest of a longer one is cut
NAMES_MAX: Final = 20  # of one row

_ASIN = re.compile(r"[A-Z0-9]{10}")
_ISBN = re.compile(r"\d{9}[\dX]|97[89]\d{10}")
_NO_ISBN = re.compile(r"[^0-9X]")
# "Ada Lund, Bo Ek", but not "Ada Lund, Jr.".
_BETWEEN_NAMES = re.compile(r"\s*[,;]\s+(?!(?:[JS]r|Ph\.?D|M\.?D|Esq|I{2,3}|IV)\b)")


class UnreadableError(Exception):
    """This file can't be imported; says why in one sentence, for its owner."""


@dataclass(frozen=True, slots=True)
class Name:
    """An author or a series, with its ASIN where the file has it."""

    text: str
    asin: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A title in somebody's file. With `watch_kind` it is a watch by itself, and `title` its query."""

    title: str = ""
    authors: tuple[Name, ...] = ()
    series: tuple[Name, ...] = ()
    isbn: str = ""
    asin: str = ""
    marketplace: str = ""
    is_heard: bool = False  # heard or read already, or in the library
    watch_kind: str = ""


def text_of(value: Any) -> str:
    """A value as a line of text; nothing for what is no text."""
    return clean(str(value)[: TEXT_MAX * 2])[:TEXT_MAX] if isinstance(value, str | int) else ""


def asin_of(value: Any) -> str:
    """An ASIN; empty for anything else."""
    asin = text_of(value).upper()
    return asin if _ASIN.fullmatch(asin) else ""


def isbn_of(value: Any) -> str:
    """An ISBN of either length, without dashes and without what a spreadsheet puts around it."""
    isbn = _NO_ISBN.sub("", text_of(value).upper())
    return isbn if _ISBN.fullmatch(isbn) else ""


def marketplace_of(value: Any) -> str:
    """A marketplace's code; empty for anything else."""
    code = text_of(value).lower()
    return code if code in MARKETPLACES else ""


def names_in(value: Any) -> tuple[Name, ...]:
    """Authors in one text, without translators and the like."""
    return authors(Name(text) for text in _BETWEEN_NAMES.split(text_of(value)))


def names_of(values: Any, key: str = "name") -> tuple[Name, ...]:
    """Names in a JSON list of texts or of objects, whose ASINs come along."""
    found = values if isinstance(values, list) else []
    return tuple(
        Name(text_of(each.get(key)), asin_of(each.get("asin")))
        if isinstance(each, dict)
        else Name(text_of(each))
        for each in found[:NAMES_MAX]
    )


def authors(names: Iterable[Name]) -> tuple[Name, ...]:
    """Those of the names that are authors'; none twice."""
    found: dict[str, Name] = {}
    for name in names:
        text, role = split_role(name.text, "author")
        if text and role == "author":
            found.setdefault(text, Name(text, name.asin))
    return tuple(found.values())[:NAMES_MAX]


def says_yes(value: Any) -> bool:
    """Whether a cell or a JSON value says so."""
    return value is True or text_of(value).lower() in ("true", "yes", "1")
