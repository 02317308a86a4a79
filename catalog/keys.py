"""Match keys: what an audiobook yields, what a watch asks for. Pure.

An index join of the two finds candidates (house rule: matching must not grow with the number of
watches). A `:` key names by id, a `~` key by folded name. An author's or a series' name matches only
credits that carry no id; narrators and publishers seldom have ids, so their names always match.
Names and words are folded in catalog/normalise.py, nowhere else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.listing import CreditLine, Listing
from catalog.normalise import KEY_MAX, fold, is_unspaced, name_key, words
from catalog.roles import PSEUDO_NARRATORS, is_ai_voice


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
    keys.update(key for c in facts.credits if c.role == "narrator" for key in _narrator(c))
    keys.update(_named("series", place.asin, place.title) for place in facts.series)
    if publisher := name_key(facts.publisher or ""):
        keys.add(f"publisher~{publisher}")
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


def _narrator(credit: CreditLine) -> list[str]:
    if is_nobody(credit.name):
        return []
    ids = [f"narrator:{credit.asin}"] if credit.asin else []
    return [*ids, f"narrator~{name_key(credit.name)}"]


def is_nobody(name: str) -> bool:
    """Whether a narrator's name is no person's: a cast, "uncredited", a machine."""
    return name_key(name) in PSEUDO_NARRATORS or is_ai_voice(name)


def watch_match(
    *,
    kind: str,
    query: str,
    asin: str,
    excluded_words: Iterable[str],
    rarity: Mapping[str, int],
    aliases: Iterable[str] = (),
) -> WatchMatch:
    """What a watch asks for. `rarity`: in how many audiobooks each `word:` key is found."""
    excluded = tuple(sorted({f"word:{word}" for text in excluded_words for word in words(text)}))
    if kind == "keyword":
        required = word_keys(query)
        rarest = min(required, key=lambda key: (rarity.get(key, 0), -len(key), key))
        return WatchMatch((rarest,), required, excluded, _phrase(query))
    if kind == "asin":
        return WatchMatch((f"asin:{asin or query.upper()}",), (), excluded, "")
    if kind == "genre":
        return WatchMatch((f"genre:{query[:KEY_MAX]}",), (), excluded, "")
    ids = [f"{kind}:{each}" for each in dict.fromkeys((asin, *aliases)) if each]
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


def store_queries(
    *, kind: str, query: str, asin: str, names: Iterable[str] = (), series: Iterable[str] | None
) -> list[tuple[str, str]]:
    """What must be asked of one marketplace for such a watch: (target kind, query) pairs.

    `names`: under which the catalogue knows an author's ASINs. `series`: the ASINs that a series
    with this ASIN has in that marketplace; None if the catalogue has never met it.
    """
    if kind == "asin":
        return [("asin", (asin or query).strip().upper())]
    if kind == "series" and asin:
        known = [asin] if series is None else sorted(set(series))
        return [("series", each) for each in known] or [("keyword", _asked(query))]
    if kind == "author":
        spelt = {name_key(name): name for name in (*names, query)}
        return sorted(("author", _asked(name)) for name in spelt.values())
    if kind in ("narrator", "publisher", "genre"):
        return [(kind, _asked(query))]
    return [("keyword", _asked(query.replace('"', " ")))]


def _asked(query: str) -> str:
    return " ".join(query.split()).lower()
