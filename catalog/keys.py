"""Match keys: what an audiobook yields, what a watch asks for. Pure.

An index join of the two finds candidates (house rule: matching must not grow with the number of
watches). A `:` key names by id, a `~` key by folded name, and the name matches only credits that
carry no id. Names and words are folded in catalog/normalise.py, nowhere else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.listing import Listing
from catalog.normalise import KEY_MAX, fold, is_unspaced, name_key, words


@dataclass(frozen=True, slots=True)
class WatchMatch:
    """What a watch asks of an audiobook: any of `keys`, all of `required`, none of `excluded`."""

    keys: tuple[str, ...]
    required: tuple[str, ...]
    excluded: tuple[str, ...]
    phrase: str


def audiobook_keys(facts: Listing) -> list[str]:
    """Every key under which a watch may find this audiobook, sorted."""
    keys = {f"asin:{facts.asin}"}
    keys.update(_named("author", c.asin, c.name) for c in facts.credits if c.role == "author")
    keys.update(_named("series", place.asin, place.title) for place in facts.series)
    keys.update(f"genre:{genre_id[:KEY_MAX]}" for genre_id, _ in facts.genres)
    keys.update(f"word:{word}" for text in _titles(facts) for word in words(text))
    return sorted(keys)


def folded_titles(facts: Listing) -> str:
    """Where a phrase is looked for: each folded title on a line, between spaces."""
    return "\n".join(f" {fold(text)} " for text in _titles(facts))


def _titles(facts: Listing) -> list[str]:
    titles = [facts.title, facts.subtitle, *(place.title for place in facts.series)]
    return [text for text in titles if text]


def _named(kind: str, asin: str | None, name: str) -> str:
    return f"{kind}:{asin}" if asin else f"{kind}~{name_key(name)}"


def watch_match(
    *, kind: str, query: str, asin: str, excluded_words: Iterable[str], rarity: Mapping[str, int]
) -> WatchMatch:
    """What a watch asks for. `rarity`: in how many audiobooks each `word:` key is found."""
    excluded = tuple(sorted({f"word:{word}" for text in excluded_words for word in words(text)}))
    if kind == "keyword":
        required = word_keys(query)
        rarest = min(required, key=lambda key: (rarity.get(key, 0), -len(key), key))
        return WatchMatch((rarest,), required, excluded, _phrase(query))
    if kind == "asin":
        return WatchMatch((f"asin:{asin or query.upper()}",), (), excluded, "")
    ids = (f"{kind}:{asin}",) if asin else ()
    return WatchMatch((*ids, f"{kind}~{name_key(query)}"), (), excluded, "")


def word_keys(query: str) -> tuple[str, ...]:
    """The distinct `word:` keys of a keyword watch."""
    return tuple(dict.fromkeys(f"word:{word}" for word in words(query)))


def _phrase(query: str) -> str:
    """The folded phrase of a query in quotes, between spaces so that it matches whole words."""
    text = query.strip()
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    if not quoted:
        return ""
    phrase = fold(text)
    return phrase if is_unspaced(phrase) else f" {phrase} "


def store_query(*, kind: str, query: str, asin: str) -> tuple[str, str]:
    """What must be asked of the store for such a watch: (target kind, query)."""
    if kind == "asin":
        return "asin", (asin or query).strip().upper()
    if kind == "series" and asin:
        return "series", asin
    if kind == "author":
        return "author", " ".join(query.split()).lower()
    return "keyword", " ".join(query.replace('"', " ").split()).lower()
