"""A title without what its editions add to it: notes in brackets, a series and a number. Pure."""

import re
from decimal import Decimal
from functools import lru_cache

from catalog.normalise import fold
from catalog.title_words import plain

_BRACKETED = re.compile(r"\s*[(\[{\u3010\u3014](.*?)[)\]}\u3011\u3015]")
# A note in brackets says which edition it is; with a bare number in it, it says which volume. A
# language alone is no note: "Phrases (German)" and "Phrases (French)" are two books.
_NOTES = (
    "edition editions version unabridged abridged uncut dramatized dramatised dramatization "
    "adaptation cast audiobook audiobooks audio audible original originals recording narrated "
    "narrator read remastered rerelease reissue repackaged tie illustrated novelization "
    "ausgabe fassung ungekurzt ungekurzte ungekurzter gekurzt gekurzte lesung horbuch horspiel "
    "neuausgabe neuauflage auflage ubersetzung integrale integral abregee abrege "
    "livre lu audiolivre traduction edicion abreviada completa audiolibro narrado "
    "dramatizada elenco reparto edizione versione ridotta dramma audiolivro edicao "
    "versao narrada uitgave luisterboek utgava utgave ljudbok lydbok aanikirja "
)
_NOTE_WORDS = frozenset(_NOTES.split())
_KANJI_NOTE = re.compile(
    "\u5b8c\u5168\u7248|\u65b0\u88c5\u7248|\u65b0\u7248|\u6539\u8a02\u7248|\u8a9e\u7248|\u30c9\u30e9\u30de"
    "|\u30aa\u30fc\u30c7\u30a3\u30aa|\u6717\u8aad"
)
_SPELT = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}
_VOLUME = r"(?:books?|volumes?|vol\.?|bd\.?|band|buch|teil|folge|tome|tomo|libro|livre|livro)"
_NUMBER = rf"(\d{{1,3}}(?:\.\d{{1,2}})?|{'|'.join(_SPELT)})"
# "Title: The Series, Book 5", "Title, Book 5"; in brackets "(The Series 5)", "(Book 5)".
_TAIL = re.compile(rf"(?:\s*:\s[^:]*?\b|\s-\s[^:-]*?\b|,\s*){_VOLUME}\s*#?{_NUMBER}\s*\Z")
_PLACE_IN_BRACKETS = re.compile(rf"(?:.*[\w)][,:]?\s+|.*\b{_VOLUME}\s*|)#?{_NUMBER}\Z")
_PART_OR_RANGE = re.compile(
    r"\d\s*(?:-|to|&|of|/|von|bis|de|di|sur)\s*\d|\b(?:part|parts|pt|teil|partie|parte|deel)\b"
)
_UNTITLED = re.compile(
    r"(?:untitled|unnamed|ohne titel|unbenannt|sans titre|sin titulo|senza titolo|sem titulo)\b.*"
    r"|(?:.* )?(?:tba|tbc|tbd|to be (?:announced|confirmed|determined))(?: .*)?"
    r"|\u7121\u984c.*|\u30bf\u30a4\u30c8\u30eb\u672a\u5b9a.*"
)


@lru_cache(maxsize=256)  # of a new title it is asked at its birth, and when its facts are written
def main_title(text: str) -> tuple[str, str]:
    """The folded title without edition notes and series tails, and the number such a tail gave.

    No number: "". Part numbers and ranges stay in the title: they are another book.
    """
    number = ""

    def keep(match: re.Match[str]) -> str:
        nonlocal number
        inner = match[1].strip()
        if found := _place(inner):
            number = found
            return " "
        return " " if _is_note(inner) else match[0]

    bare = " ".join(_BRACKETED.sub(keep, plain(text)).split())
    if tail := _TAIL.search(bare):
        bare, number = bare[: tail.start()], _plain_number(tail[1])
    return fold(bare) or fold(text), number


def _place(inner: str) -> str:
    """The number of a series tail in brackets; a part or a range is none."""
    found = None if _PART_OR_RANGE.search(inner) else _PLACE_IN_BRACKETS.fullmatch(inner)
    return _plain_number(found[1]) if found and found[1] in inner else ""


def _is_note(inner: str) -> bool:
    words = fold(inner).split()
    if any(word.isdigit() for word in words) or _PART_OR_RANGE.search(inner):
        return False
    return bool(_NOTE_WORDS.intersection(words) or _KANJI_NOTE.search(inner))


def _plain_number(text: str) -> str:
    return plain_number(_SPELT.get(text, text))


def plain_number(text: str) -> str:
    """A number as it is compared: "2.50" and "02.5" are "2.5"."""
    return f"{Decimal(text).normalize():f}"


def is_untitled(folded: str) -> bool:
    """Whether a folded title stands for one that is not known yet: many books have it at once."""
    return not folded or _UNTITLED.fullmatch(folded) is not None
