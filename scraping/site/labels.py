"""Labelled lines of the pages, without their labels: people, series, formats, counts."""

import re
from collections.abc import Iterable, Iterator

from catalog.listing import CreditLine
from catalog.normalise import clean, fold
from catalog.roles import split_role
from scraping import fields

_LABEL = re.compile(r"^[^:：]{1,40}[:：]\s*")  # noqa: RUF001 (the Japanese page's colon)
_BETWEEN_NAMES = re.compile(r"\s*[,、，;；]\s*")  # noqa: RUF001
# What a comma may cut off a name.
_BELONGS_TO_NAME = frozenset(
    map(fold, ("Jr.", "Sr.", "II", "III", "IV", "PhD", "Ph.D.", "M.D.", "MD", "Esq."))
)
# Labels that came without a colon, nobody yet, and the end of a list that was cut.
_NOBODY = frozenset(
    map(
        fold,
        (
            *("by", "written by", "author", "authors", "narrated by", "narrator", "read by"),
            *("von", "geschrieben von", "gesprochen von", "de", "escrito por", "narrado por"),
            *("di", "scritto da", "letto da", "lu par", "著者", "ナレーター"),
            *("and", "and others", "und andere", "y otros", "et autres", "e altri", "e outros"),
            *("その他", "to be announced", "tba"),
        ),
    )
)
_PLACE_WORD = re.compile(
    r"^(?:books?|libros?|libri|livros?|livres?|b[uü]ch(?:er)?|titel|titres?|titol[oi]|t[ií]tulos?|"
    r"b[aä]nde?|teile?|tomes?|tomos?|volumen?|volumes?|volumi|folgen?|parts?|partes?|parties?|parti|"
    r"n[uú]m[eé]ro|n\.?\s?[ºo°]|第|#|(?:bks?|vols?|bd|nr)\.?)\s*(?=\.?\d)",
    re.IGNORECASE,
)
_JAPANESE_COUNTER = re.compile(r"(?<=\d)\s*(?:巻|冊|話|作目|部)$")
_RANGE = re.compile(r"(?<=\d)\s*[–—〜~‐-]\s*(?=\.?\d)")  # noqa: RUF001
_DECIMAL_COMMA = re.compile(r"^(\d+),(\d)$")
# Folded words for the forms a recording can have; what is cut short names the whole as well.
_FORMATS = (
    ("unabridged", "unabridged ungekurzt integra integral integrale integralna 完全版 完全 unabr"),
    ("abridged", "abridged gekurzt resumida abreviada abregee ridotta abrege 短縮版 要約版"),
)
_ORIGINAL = re.compile(
    r"original recording|originalaufnahme|original aufnahme|grabacion original|"
    r"enregistrement original|registrazione originale|gravacao original|オリジナル"
)
_NUMBER = re.compile(r"\d+(?:[.,'’\s\u00a0\u202f]\d{3})*(?!\d)")  # noqa: RUF001


def without_label(text: str) -> str:
    """What stands behind the first colon, or all where there is none."""
    return clean(_LABEL.sub("", clean(text), count=1))


def credit_lines(people: Iterable[tuple[str, str | None]], default: str) -> Iterator[CreditLine]:
    """Credits of (name, ASIN), roles apart, each person and role once."""
    known = set()
    for text, asin in people:
        name, role = split_role(fields.text(text) or "", default)
        key = fold(name)
        if key and key not in _NOBODY and (identity := (asin or key, role)) not in known:
            known.add(identity)
            yield CreditLine(name, asin, role)


def names_in(text: str) -> list[str]:
    """The names of a list that has no links: "By: Ada Lund, Ib Falk, Jr."."""
    names: list[str] = []
    for name in _BETWEEN_NAMES.split(without_label(text)):
        if names and fold(name) in _BELONGS_TO_NAME:
            names[-1] += f", {name}"
        elif name:
            names.append(name)
    return names


def sequence_in(text: str | None) -> str | None:
    """A place in a series as the API says it: "1" of "Book 1", "1-3" of "Libros 1-3".

    What is no number with a word for book before it stays as it is.
    """
    place = clean(text or "").strip(" ,;、:(")
    place = place if "(" in place else place.rstrip(") ,;、:")
    place = _JAPANESE_COUNTER.sub("", _PLACE_WORD.sub("", place))
    place = _RANGE.sub("-", place)
    return _DECIMAL_COMMA.sub(r"\1.\2", place) or None


def split_place(text: str) -> tuple[str, str | None]:
    """Title and place of a series named without a link: "Tides, Book 1"."""
    title, comma, place = text.rpartition(", ")
    sequence = sequence_in(place)
    if comma and sequence and sequence[0].isdigit():
        return title, sequence
    return text, None


def format_in(text: str | None) -> str | None:
    """`format_type` of such words as "Unabridged Audiobook" or "Versión íntegra"."""
    folded = fold(text or "")
    if _ORIGINAL.search(folded):
        return "original_recording"
    words = folded.split()
    for form, beginnings in _FORMATS:
        if any(word.startswith(beginning) for word in words for beginning in beginnings.split()):
            return form
    return None


def count_in(text: str) -> int | None:
    """The total of "1 - 20 of over 2,000 results": the largest number there."""
    digits = (re.sub(r"\D", "", number) for number in _NUMBER.findall(text))
    counts = [int(number) for number in digits if len(number) < 10]
    return max(counts, default=None)
