"""Which answers to a fuzzy search are what was asked for. Pure."""

from collections.abc import Callable, Iterable

from catalog.keys import audiobook_keys, word_keys
from catalog.listing import Listing
from catalog.normalise import name_key

# A search for "Ada Lund" also shows other people's books. A keyword search shows whatever the store
# finds the words in; a watch finds them in titles.


def belonging(
    listings: Iterable[Listing], *, kind: str, query: str, wanted: frozenset[str]
) -> list[Listing]:
    """Those that a target of this kind and query is about.

    `wanted`: the match keys of the watches that need it; one of them is enough.
    """
    asks = _ASKS.get(kind)
    if asks is None:  # asked for by ASIN
        return list(listings)
    return [each for each in listings if _is_wanted(each, wanted) or asks(each, query)]


def _is_wanted(listing: Listing, wanted: frozenset[str]) -> bool:
    # One rare word alone is no keyword watch: all its words are asked for below.
    keys = (key for key in audiobook_keys(listing) if not key.startswith("word:"))
    return not wanted.isdisjoint(keys)


def _credits(listing: Listing, query: str) -> bool:
    """Whoever is credited in whatever role, with or without an ASIN: a watch may yet learn it."""
    key = name_key(query)
    return any(name_key(credit.name) == key for credit in listing.credits)


def _publishes(listing: Listing, query: str) -> bool:
    return name_key(listing.publisher or "") == name_key(query)


def _is_of_genre(listing: Listing, query: str) -> bool:
    return any(genre_id == query for genre_id, _ in listing.genres)


def _has_words(listing: Listing, query: str) -> bool:
    return set(word_keys(query)) <= set(audiobook_keys(listing))


_ASKS: dict[str, Callable[[Listing, str], bool]] = {
    "author": _credits,
    "narrator": _credits,
    "publisher": _publishes,
    "genre": _is_of_genre,
    "keyword": _has_words,
}
