"""Single values of a store's records, whichever source read them. Pure.

What makes no sense is None.
"""

import datetime as dt
import html
import re
from functools import lru_cache
from typing import Any

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

from catalog.normalise import clean

_ASIN = re.compile(r"[0-9A-Z]{10}")
PLACEHOLDER_YEAR = 2100  # from here on a date stands for "unknown"
_LONGEST_RUNTIME = 100_000  # minutes
_SHORT = 200  # characters of a text worth remembering
_BLOCK = re.compile(r"<(?=/?(?:p|br|div|li|ul|ol|h\d)\b)", re.IGNORECASE)
# Possessive throughout: no markup makes these slow.
_ATTRIBUTES = r"""(?:\s++[\w:-]++(?:=(?:"[^<>"]*+"|'[^<>']*+'|[\w./:-]++))?)*+\s*+/?>"""
_BLOCK_TAG = re.compile(r"</?(?:p|br|div|li|ul|ol|h[1-6])" + _ATTRIBUTES, re.IGNORECASE)
_PLAIN_TAG = re.compile(
    r"</?(?:b|i|em|strong|u|span|a|sup|sub|small|big|font|q|blockquote|center|hr|cite|s)"
    + _ATTRIBUTES,
    re.IGNORECASE,
)
_DECLARATION = re.compile(r"<[!?][^>]*>?")
_TAG = re.compile(r"<[^>]*>")


def text(value: Any) -> str | None:
    """As it may be stored and shown; None where nothing is left."""
    if not isinstance(value, str):
        return None
    # Names, genres and titles stand on page after page: cleaning them is half of reading one.
    return (_clean_again(value) if len(value) <= _SHORT else clean(value)) or None


_clean_again = lru_cache(maxsize=16_384)(clean)


def lower(value: Any) -> str | None:
    """Such a text in lower case, for words that are compared."""
    cleaned = text(value)
    return cleaned.lower() if cleaned else None


def integer(value: Any) -> int | None:
    """A count: also where it came as 3.0 or as "3"."""
    if type(value) is int:
        return value if 0 <= value < 10**9 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    return int(value) if is_whole and 0 <= value < 10**9 else None


def runtime(value: Any) -> int | None:
    """Minutes; 0 stands for "unknown"."""
    minutes = integer(value)
    return minutes if minutes and minutes < _LONGEST_RUNTIME else None


def asin(value: Any) -> str | None:
    """Ten capitals and digits: a number of the store's own or an ISBN-10."""
    if not isinstance(value, str):
        return None
    if _ASIN.fullmatch(value):
        return value
    trimmed = value.strip().upper()
    return trimmed if _ASIN.fullmatch(trimmed) else None


def iso_date(value: Any) -> dt.date | None:
    """The day a date or moment in ISO form begins with."""
    try:
        day = dt.date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day and day.year < PLACEHOLDER_YEAR else None


def is_placeholder(value: Any) -> bool:
    """Whether a date stands for "unknown"."""
    return isinstance(value, str) and value[:4].isdecimal() and int(value[:4]) >= PLACEHOLDER_YEAR


def moment(value: Any) -> dt.datetime | None:
    """A moment in ISO form, in UTC, which is also taken for what names no zone."""
    try:
        read = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is None:
            return None
        read = (read if read.tzinfo else read.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return read if read.year < PLACEHOLDER_YEAR else None


@lru_cache(maxsize=1024)
def plain_text(marked_up: str) -> str | None:
    """What a reader sees of such markup, blocks apart; None where that is nothing."""
    return clean(_without_tags(marked_up)) or None


def _without_tags(marked_up: str) -> str:
    """Summaries are nearly all plain tags; soup, most of reading a page, is kept for the rest."""
    if "<" not in marked_up:
        return html.unescape(marked_up)
    if "<" not in (bare := _PLAIN_TAG.sub("", _BLOCK_TAG.sub(" ", marked_up))):
        return html.unescape(bare)
    spaced = _BLOCK.sub(" <", _DECLARATION.sub(" ", marked_up))
    try:
        return BeautifulSoup(spaced, "lxml").get_text()
    except ParserRejectedMarkup:
        return html.unescape(_TAG.sub(" ", spaced))
