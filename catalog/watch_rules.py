"""What a watch may ask for: pure, the same rules for every door it comes in by."""

import re
from collections.abc import Sequence

from catalog.classify import HIDEABLE
from catalog.keys import is_nobody
from catalog.languages import language
from catalog.normalise import clean, words

TEXT_MAX = 200  # characters of a query, a word, a language
LIST_MAX = 50  # excluded words, languages, aliases
ANY = "any"  # as a language: every one

_ASIN = re.compile(r"[A-Z0-9]{10}")
_CATEGORY = re.compile(r"[0-9]{1,20}")
_NO_ASIN = "This is not an ASIN: ten capitals and digits."


def tidy_query(kind: str, query: str) -> str:
    """`query` as it is stored: on one line, an ASIN in capitals."""
    tidied = clean(query)
    return tidied.upper() if kind == "asin" else tidied


def tidy_languages(languages: Sequence[str]) -> list[str]:
    """`languages` as audiobooks have theirs ("Deutsch" is german), each once."""
    return list(dict.fromkeys(language(each) or clean(each).lower() for each in languages))


def watch_errors(
    *,
    kind: str,
    query: str,
    asin: str,
    aliases: Sequence[str],
    hidden: Sequence[str],
    excluded_words: Sequence[str],
) -> dict[str, str]:
    """A sentence for each field of a watch that can't be meant so; empty if all is well."""
    errors = {
        "query": _query_error(kind, query),
        "asin": _asin_error(kind, query, asin),
        "aliases": _aliases_error(kind, aliases),
    }
    if unknown := sorted(set(hidden) - set(HIDEABLE)):
        errors["hidden"] = f"“{unknown[0]}” can't be hidden; these can: {', '.join(HIDEABLE)}."
    if not all(words(word) for word in excluded_words):
        errors["excluded_words"] = "Each of these needs a letter or a digit."
    return {field: sentence for field, sentence in errors.items() if sentence}


def _query_error(kind: str, query: str) -> str:
    if len(query) > TEXT_MAX:
        return f"This may have {TEXT_MAX} characters at most."
    if kind == "asin":
        return "" if _ASIN.fullmatch(query) else _NO_ASIN
    if kind == "genre":
        return "" if _CATEGORY.fullmatch(query) else "This is not a category's id: digits only."
    if kind == "narrator" and is_nobody(query):
        return "Stores write this where they name nobody: it can't be watched."
    return "" if words(query) else "There is no word in this to look for."


def _asin_error(kind: str, query: str, asin: str) -> str:
    if not asin or (kind == "asin" and asin == query):
        return ""
    if not _ASIN.fullmatch(asin):
        return _NO_ASIN
    if kind == "asin":
        return "This differs from the query; leave it out."
    return "" if kind in ("author", "series") else "Only an author or a series has one."


def _aliases_error(kind: str, aliases: Sequence[str]) -> str:
    if not all(_ASIN.fullmatch(alias) for alias in aliases):
        return "Each of these must be an ASIN: ten capitals and digits."
    return "" if kind == "author" or not aliases else "Only an author has aliases."
