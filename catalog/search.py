"""What a person types, as PostgreSQL's words for it; folded and split like all that is searched.

Any text will do: of what was typed only letters and digits are left. The last word may be the
beginning of one, for whoever is still typing.
"""

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import F, FloatField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from catalog.normalise import words

# Among as many hits, a short title is nearer to what was meant than a long one.
_BY_LENGTH = Value(1)
# What the beginning of a word counts for, beside a whole one.
_BEGUN = Value(0.1, FloatField())


def every_word(text: str) -> SearchQuery | None:
    """All words of `text`; None if it has none."""
    *whole, last = _quoted(text) or [""]
    return _query(" & ".join([*whole, f"{last}:*"])) if last else None


def nearness(text: str) -> Combinable:
    """How near an audiobook comes to `text`: whole words above beginnings, titles above people."""
    found = _quoted(text)
    begun = " | ".join(f"{last}:*" for last in found[-1:])
    return _rank(" | ".join(found)) + _rank(begun) * _BEGUN


def _rank(raw: str) -> Combinable:
    rank = SearchRank(F("search_vector"), _query(raw), normalization=_BY_LENGTH)
    return Cast(rank, FloatField())  # a cursor can repeat it to the last digit


def _quoted(text: str) -> list[str]:
    return [f"'{word}'" for word in words(text)]


def _query(raw: str) -> SearchQuery:
    return SearchQuery(raw, config="simple", search_type="raw")
