"""The only folding there is: match keys, search and sources all compare text through here."""

import re
import unicodedata
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise

# Letters that carry their accent inside, so that decomposing them does not show it.
_INNER_ACCENTS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
# What PostgreSQL refuses (NUL, lone surrogates) or nobody can see; joiners stay, some scripts
# are spelt with them.
_UNWANTED = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+"
)
_NO_WORD_ASCII = re.compile(r"[^a-z0-9]+")
# Kana with its long mark, kanji with its repetition mark: written without spaces.
_UNSPACED = re.compile(
    "([々〆\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]+)"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_HIGHEST_POSITION = 1_000_000
# Longer ones, cut here, still tell books and people apart; an index takes 2,700 bytes a key.
KEY_MAX = 200  # characters


def clean(text: str) -> str:
    """`text` as it may be stored and shown: composed, on one line, nothing invisible."""
    if text.isascii() and text.isprintable():
        is_spaced = " " in (text[:1], text[-1:]) or "  " in text
        return " ".join(text.split()) if is_spaced else text
    return " ".join(unicodedata.normalize("NFC", _UNWANTED.sub("", text)).split())


def fold(text: str) -> str:
    """`text` without case, accents and punctuation, its words one space apart; for comparing.

    Kana keep their voicing marks (ガ is another sound than カ), so only the accents of
    Latin, Greek and Cyrillic go.
    """
    if text.isascii():
        return _NO_WORD_ASCII.sub(" ", text.lower()).strip()
    folded = fold_letters(_UNWANTED.sub("", text))
    return " ".join("".join(c if _in_word(c) else " " for c in folded).split())


def fold_letters(text: str) -> str:
    """`text` without case and accents, its punctuation where it was; for rules that need brackets."""
    if text.isascii():
        return text.lower()
    lower = unicodedata.normalize("NFKC", text).casefold()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", lower))
    return unicodedata.normalize("NFKC", bare.translate(_INNER_ACCENTS))


def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def name_key(name: str) -> str:
    """A folded name as it is compared and indexed: no longer than an index takes."""
    return fold(name)[:KEY_MAX].rstrip()


def words(text: str) -> list[str]:
    """The folded words in order; a run of kana and kanji gives its pairs of neighbours.

    A lone character of such a run is a word of its own, and so meets no longer run.
    """
    return [word[:KEY_MAX] for chunk in fold(text).split() for word in _split_unspaced(chunk)]


def _split_unspaced(chunk: str) -> list[str]:
    found: list[str] = []
    for part in filter(None, _UNSPACED.split(chunk)):
        unspaced = len(part) > 1 and _UNSPACED.fullmatch(part)
        found += (a + b for a, b in pairwise(part)) if unspaced else [part]
    return found


def is_unspaced(text: str) -> bool:
    """Whether some of it is written without spaces, so that words in it have no ends."""
    return _UNSPACED.search(text) is not None


def sequence_position(text: str) -> Decimal | None:
    """The first number in a place in a series ("1-3", "Book 1"), or None; at most 999999.999."""
    number = _NUMBER.search(unicodedata.normalize("NFKC", text))
    if number is None:
        return None
    position = Decimal(number[0])
    if position >= _HIGHEST_POSITION:
        return None
    return position.quantize(Decimal("0.001"), ROUND_DOWN)
