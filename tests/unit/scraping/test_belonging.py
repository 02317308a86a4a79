"""Which answers to a fuzzy search are what was asked for."""

from typing import Any

import pytest

from catalog.listing import CreditLine, Listing
from scraping.belonging import belonging

NOBODY: frozenset[str] = frozenset()


def listing(**facts: Any) -> Listing:
    return Listing(marketplace="us", asin="B0TEST0001", url="", **{"title": "Glass Tide", **facts})


def credit(name: str, role: str = "author", asin: str | None = None) -> tuple[CreditLine, ...]:
    return (CreditLine(name, asin, role),)


@pytest.mark.parametrize(
    ("kind", "query", "shown", "is_kept"),
    [
        ("author", "ada lund", {"credits": credit("Ada Lund")}, True),
        ("author", "ada lund", {"credits": credit("ADA  LUND")}, True),
        ("author", "ada lund", {"credits": credit("Ada Lund", asin="B0OTHER001")}, True),
        ("author", "ada lund", {"credits": credit("Ada Lund", "translator")}, True),
        ("author", "ada lund", {"credits": credit("Bea Lund")}, False),
        ("author", "ada lund", {"credits": ()}, False),
        ("narrator", "tom voice", {"credits": credit("Tom Voice", "narrator")}, True),
        ("narrator", "tom voice", {"credits": credit("Tim Voice", "narrator")}, False),
        ("publisher", "salt audio", {"publisher": "Salt Audio"}, True),
        ("publisher", "salt audio", {"publisher": "Salt Audio Deutschland"}, False),
        ("publisher", "salt audio", {}, False),
        ("genre", "18580606011", {"genres": (("18580606011", "Fantasy"),)}, True),
        ("genre", "18580606011", {"genres": (("18580607011", "Romance"),)}, False),
        ("keyword", "glass tide", {}, True),
        ("keyword", "glass moon", {}, False),
        ("keyword", "tide glass", {"title": "Of Tides", "subtitle": "Glass, Tide"}, True),
        ("keyword", "ada", {"credits": credit("Ada Lund")}, False),
        ("series", "B0SERIES01", {}, True),
        ("asin", "B0TEST0001", {}, True),
        ("due", "", {}, True),
    ],
)
def test_it_keeps_what_was_asked_for(
    kind: str,
    query: str,
    shown: dict[str, object],
    is_kept: bool,
) -> None:
    kept = belonging([listing(**shown)], kind=kind, query=query, wanted=NOBODY)
    assert bool(kept) == is_kept


def test_a_person_known_by_id_goes_by_any_name() -> None:
    """Proves the guard `wanted`: a spelling that nobody watches would hide the book."""
    shown = [listing(credits=credit("Ada M. Lund", asin="B0AUTHOR01"))]
    wanted = frozenset({"author:B0AUTHOR01", "author~ada lund"})
    assert belonging(shown, kind="author", query="ada lund", wanted=wanted) == shown
    assert belonging(shown, kind="author", query="ada lund", wanted=NOBODY) == []


def test_one_rare_word_of_a_keyword_watch_is_not_enough() -> None:
    shown = [listing(title="Glass")]
    wanted = frozenset({"word:glass"})
    assert belonging(shown, kind="keyword", query="glass moon", wanted=wanted) == []
