"""What audiobooks yield and watches ask for."""

import pytest

from catalog.keys import audiobook_keys, folded_titles, store_queries, watch_match
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
        CreditLine("Ned Reader", "B00PERSON2", "narrator"),
        CreditLine("Full Cast", None, "narrator"),
    ),
    publisher="Lantern & Söhne",
    series=(SeriesPlace("B0SERIES01", "Tides", "2"),),
    genres=(("18580606011", "Fantasy"),),
)


def test_an_authors_name_is_a_key_only_without_an_id_a_narrators_always_and_a_casts_never() -> None:
    assert set(audiobook_keys(LISTING)) == {
        "asin:B000000001",
        "author:B00PERSON1",
        "author~jose noname",
        "narrator~nora reader",
        "narrator~ned reader",
        "narrator:B00PERSON2",
        "publisher~lantern sohne",
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
    ("kind", "query", "asin", "aliases", "expected"),
    [
        ("author", "Ada Exámple", "", [], {"author~ada example"}),
        (
            "author",
            "Ada Example",
            "B00PERSON1",
            ["B00PERSON9", "B00PERSON1"],
            {"author:B00PERSON1", "author:B00PERSON9", "author~ada example"},
        ),
        ("narrator", "Nora READER", "", [], {"narrator~nora reader"}),
        ("publisher", "Lantern & Sohne", "", [], {"publisher~lantern sohne"}),
        ("genre", "18580606011", "", [], {"genre:18580606011"}),
        ("series", "Tides", "B0SERIES01", [], {"series:B0SERIES01", "series~tides"}),
        ("asin", "b000000001", "", [], {"asin:B000000001"}),
    ],
)
def test_a_watch_asks_by_ids_and_by_name(
    kind: str, query: str, asin: str, aliases: list[str], expected: set[str]
) -> None:
    match = watch_match(
        kind=kind, query=query, asin=asin, aliases=aliases, excluded_words=[], rarity={}
    )
    assert set(match.keys) == expected
    assert len(match.keys) == len(expected)


@pytest.mark.parametrize(
    ("kind", "query", "asin", "names", "series", "expected"),
    [
        ("author", "  Ada   Example ", "", [], None, [("author", "ada example")]),
        ("author", "Ada Example", "B00PERSON1", ["Ada EXAMPLE"], None, [("author", "ada example")]),
        (
            "author",
            "Ada Example",
            "B00PERSON1",
            ["Ada Example", "Pen Name"],
            None,
            [("author", "ada example"), ("author", "pen name")],
        ),
        ("narrator", "Nora Reader", "", [], None, [("narrator", "nora reader")]),
        ("publisher", "Lantern & Söhne", "", [], None, [("publisher", "lantern & söhne")]),
        ("genre", "18580606011", "", [], None, [("genre", "18580606011")]),
        ("series", "Tides", "B0SERIES01", [], None, [("series", "B0SERIES01")]),
        ("series", "Tides", "B0SERIES01", [], ["B0SERIES02"], [("series", "B0SERIES02")]),
        ("series", "Tides", "B0SERIES01", [], [], [("keyword", "tides")]),
        ("series", "Tides", "", [], None, [("keyword", "tides")]),
        ("keyword", '"Glass Tide"', "", [], None, [("keyword", "glass tide")]),
        ("asin", "b000000001", "", [], None, [("asin", "B000000001")]),
    ],
)
def test_watches_that_need_the_same_ask_the_same(
    kind: str,
    query: str,
    asin: str,
    names: list[str],
    series: list[str] | None,
    expected: list[tuple[str, str]],
) -> None:
    asked = store_queries(kind=kind, query=query, asin=asin, names=names, series=series)
    assert asked == expected
