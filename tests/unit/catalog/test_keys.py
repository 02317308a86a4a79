"""What audiobooks yield and watches ask for."""

import pytest

from catalog.keys import audiobook_keys, folded_titles, store_query, watch_match
from catalog.listing import CreditLine, Listing, SeriesPlace

LISTING = Listing(
    marketplace="us",
    asin="B000000001",
    url="",
    title="Glass Tide",
    subtitle="A Café Tale",
    credits=(
        CreditLine("Ada Example", "B00PERSON1", "author"),
        CreditLine("José Nóname", None, "author"),
        CreditLine("Nora Reader", None, "narrator"),
    ),
    series=(SeriesPlace("B0SERIES01", "Tides", "2"),),
    genres=(("18580606011", "Fantasy"),),
)


def test_a_name_is_a_key_only_where_the_credit_carries_no_id() -> None:
    assert set(audiobook_keys(LISTING)) == {
        "asin:B000000001",
        "author:B00PERSON1",
        "author~jose noname",
        "series:B0SERIES01",
        "genre:18580606011",
        *(f"word:{word}" for word in ("glass", "tide", "a", "cafe", "tale", "tides")),
    }


def test_a_keyword_watch_is_found_by_its_rarest_word() -> None:
    match = watch_match(
        kind="keyword",
        query="the glass tide",
        asin="",
        excluded_words=["Audio Drama"],
        rarity={"word:the": 900, "word:glass": 20, "word:tide": 3},
    )
    assert match.keys == ("word:tide",)
    assert set(match.required) == {"word:the", "word:glass", "word:tide"}
    assert set(match.excluded) == {"word:audio", "word:drama"}
    assert match.phrase == ""


@pytest.mark.parametrize(
    ("query", "title", "holds"),
    [
        ('"glass tide"', "Glass Tide", True),
        ('"glass tide"', "The Glass, Tide!", True),
        ('"glass tide"', "Glass Tides", False),
        ('"lass tide"', "Glass Tide", False),
        ('"転生"', "異世界転生記", True),
    ],
)
def test_a_phrase_holds_whole_words(query: str, title: str, *, holds: bool) -> None:
    match = watch_match(kind="keyword", query=query, asin="", excluded_words=[], rarity={})
    folded = folded_titles(Listing(marketplace="us", asin="B000000001", url="", title=title))
    assert (match.phrase in folded) is holds


@pytest.mark.parametrize(
    ("kind", "query", "asin", "expected"),
    [
        ("author", "  Ada   Example ", "", ("author", "ada example")),
        ("author", "Ada Example", "B00PERSON1", ("author", "ada example")),
        ("series", "Tides", "B0SERIES01", ("series", "B0SERIES01")),
        ("series", "Tides", "", ("keyword", "tides")),
        ("keyword", '"Glass Tide"', "", ("keyword", "glass tide")),
        ("asin", "b000000001", "", ("asin", "B000000001")),
    ],
)
def test_watches_that_need_the_same_ask_the_same(
    kind: str, query: str, asin: str, expected: tuple[str, str]
) -> None:
    assert store_query(kind=kind, query=query, asin=asin) == expected
