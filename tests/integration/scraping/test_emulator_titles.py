"""Everything a store can have on its shelves, put there by the emulator's verbs."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from catalog.classify import classify
from catalog.listing import Listing, SeriesPlace
from scraping.emulator.catalogue import EmulatorError
from scraping.emulator.kinds import KINDS, ai_voice
from scraping.emulator.server import Emulator
from scraping.sources.base import Progress, Query, QueryKind
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import DEFAULT, SOURCES

NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
SOURCE = SOURCES[DEFAULT]
AUTHOR = "Nora Testament"
MARKETPLACES = ("us", "de", "es", "jp")


@pytest.fixture
def store(settings: Settings) -> Iterator[Emulator]:
    with Emulator(seed=7, marketplaces=MARKETPLACES, now=lambda: NOW) as store:
        settings.STORE_URL = store.base_url
        yield store


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as session:
        yield session


def ask(
    session: requests.Session, marketplace: str, kind: QueryKind, text: str
) -> dict[str, Listing]:
    """All that the first step of a query shows."""
    query = Query(marketplace, kind, text)
    reading = SOURCE.start(query)
    outcome = SOURCE.step(query, reading, fetch(SOURCE.url(query, reading), session), now=NOW)
    assert isinstance(outcome, Progress)
    return {listing.asin: listing for listing in outcome.page.listings}


def one(session: requests.Session, marketplace: str, asin: str) -> Listing:
    return ask(session, marketplace, "asin", asin)[asin]


def names(listing: Listing, role: str = "author") -> list[tuple[str, str | None]]:
    return [(credit.name, credit.asin) for credit in listing.credits if credit.role == role]


# -- people ---------------------------------------------------------------------------------------
def test_two_people_may_share_a_name(store: Emulator, session: requests.Session) -> None:
    known = store.announce("us", "John Smith")
    other = store.announce("us", "John Smith", author_asin="B00OTHER01")
    without = store.announce("us", "John Smith", author_asin="")
    again = store.announce("us", "John Smith")
    found = ask(session, "us", "author", "John Smith")
    asin = store.shelves["us"].people["John Smith"].asin
    assert {each: names(found[each]) for each in (known, other, without, again)} == {
        known: [("John Smith", asin)],
        other: [("John Smith", "B00OTHER01")],
        without: [("John Smith", None)],
        again: [("John Smith", asin)],
    }


def test_an_author_is_the_same_person_in_every_marketplace(
    store: Emulator, session: requests.Session
) -> None:
    asins = {code: store.announce(code, AUTHOR) for code in MARKETPLACES}
    people = {names(one(session, code, asin))[0] for code, asin in asins.items()}
    assert len(people) == 1


def test_several_authors_have_an_asin_each_or_none(
    store: Emulator, session: requests.Session
) -> None:
    both = ["Ada Lund - translator", AUTHOR]
    asin = store.announce("us", both, author_asin=["", "B00OTHER01"])
    listing = one(session, "us", asin)
    assert names(listing) == [(AUTHOR, "B00OTHER01")]
    assert names(listing, "translator") == [("Ada Lund", None)]


# -- kinds ----------------------------------------------------------------------------------------
CLASSIFIED = {
    "podcast": ("podcast", "unknown"),
    "podcast_season": ("podcast", "unknown"),
    "podcast_episode": ("podcast", "unknown"),
    "omnibus": ("omnibus", "unknown"),
    "part": ("part", "unknown"),
    "multipart": ("single", "unknown"),
    "dramatised": ("dramatised", "full_cast"),
    "full_cast": (None, "full_cast"),
    "abridged": ("abridged", "unknown"),
    "ai_voice": ("single", "ai"),
    "lecture": ("lecture", "unknown"),
    "performance": ("performance", "unknown"),
    "show": ("dramatised", "unknown"),
    "placeholder": ("series_placeholder", "unknown"),
}


@pytest.mark.parametrize("marketplace", MARKETPLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_taken_for_what_it_is(
    store: Emulator, session: requests.Session, marketplace: str, kind: str
) -> None:
    asin = store.announce(marketplace, AUTHOR, "Salt", kind=kind, series="Kettles")
    found = classify(one(session, marketplace, asin))
    wanted, voice = CLASSIFIED[kind]
    assert found.kind == wanted or wanted is None
    assert found.voice == voice


def test_every_kind_is_named_above() -> None:
    assert CLASSIFIED.keys() == KINDS.keys()


def test_an_unknown_kind_puts_up_nothing(store: Emulator) -> None:
    before = dict(store.shelves["us"].products)
    with pytest.raises(EmulatorError, match="no such kind: opera"):
        store.announce("us", AUTHOR, kind="opera")
    assert store.shelves["us"].products == before


def test_a_machine_reads_under_its_marketplaces_name(
    store: Emulator, session: requests.Session
) -> None:
    voices = {}
    for code in MARKETPLACES:
        listing = one(session, code, store.announce(code, AUTHOR, kind="ai_voice"))
        voices[code] = names(listing, "narrator")[0][0]
    assert voices == {code: ai_voice(code) for code in MARKETPLACES}
    assert len(set(voices.values())) == len(MARKETPLACES)


def test_a_podcast_holds_its_seasons_and_episodes(
    store: Emulator, session: requests.Session
) -> None:
    podcast = store.announce("us", AUTHOR, "Kettle Talk", kind="podcast")
    season = store.announce("us", AUTHOR, kind="podcast_season", parent=podcast)
    episode = store.announce("us", AUTHOR, kind="podcast_episode", parent=season)

    def relations(asin: str) -> list[tuple[str, str, str]]:
        raw = one(session, "us", asin).raw.get("relationships", [])
        return [
            (each["asin"], each["relationship_type"], each["relationship_to_product"])
            for each in raw
        ]

    assert relations(podcast) == [(season, "season", "child")]
    assert relations(season) == [(episode, "episode", "child"), (podcast, "season", "parent")]
    assert relations(episode) == [(season, "episode", "parent")]


def test_what_is_said_outright_goes_before_the_kind(
    store: Emulator, session: requests.Session
) -> None:
    asin = store.announce(
        "us", AUTHOR, kind="lecture", content_type="Radio/TV Program", format_type="abridged"
    )
    listing = one(session, "us", asin)
    assert (listing.content_type, listing.format_type) == ("Radio/TV Program", "abridged")


# -- dates ----------------------------------------------------------------------------------------
def test_a_title_can_be_found_late(store: Emulator, session: requests.Session) -> None:
    asin = store.announce("us", AUTHOR, launched_at="2025-11-02T09:30:00Z")
    listing = one(session, "us", asin)
    assert listing.launched_at == dt.datetime(2025, 11, 2, 9, 30, tzinfo=dt.UTC)
    assert listing.release_date == dt.date(2026, 4, 7)


def test_a_date_may_be_missing_or_stand_for_none(
    store: Emulator, session: requests.Session
) -> None:
    undated = one(session, "us", store.announce("us", AUTHOR, dated=False))
    placeholder = one(session, "us", store.announce("us", AUTHOR, release_date="2200-01-01"))
    assert (undated.release_date, placeholder.release_date) == (None, None)
    assert "release_date" not in undated.raw
    assert placeholder.raw["publication_datetime"] == "2200-01-01T00:00:00Z"


@pytest.mark.parametrize("given", ["soon", "2026-13-01"])
def test_a_moment_that_is_none_is_refused(store: Emulator, given: str) -> None:
    with pytest.raises(EmulatorError, match=f"not a moment: {given}"):
        store.announce("us", AUTHOR, launched_at=given)


# -- editions -------------------------------------------------------------------------------------
@pytest.fixture
def book(store: Emulator) -> str:
    return store.announce(
        "us",
        AUTHOR,
        "The Slow Kettle",
        series="Kettles",
        release_date="2026-06-01",
        isbn="9780000000001",
        sparse=False,
    )


def alike(first: Listing, second: Listing) -> set[str]:
    fields = [
        "title",
        "credits",
        "runtime_minutes",
        "isbn",
        "sku",
        "series",
        "language",
        "release_date",
    ]
    return {name for name in fields if getattr(first, name) == getattr(second, name)}


def test_a_reissue_is_the_same_recording_under_another_asin(
    store: Emulator, session: requests.Session, book: str
) -> None:
    again = store.reissue("us", book)
    found = ask(session, "us", "author", AUTHOR)
    same = {"title", "credits", "runtime_minutes", "isbn", "series", "language"}
    assert alike(found[book], found[again]) == same
    assert found[again].release_date == NOW.date()


def test_another_recording_has_another_narrator(
    store: Emulator, session: requests.Session, book: str
) -> None:
    other = store.rerecord("us", book, "Ib Falk")
    found = ask(session, "us", "author", AUTHOR)
    assert alike(found[book], found[other]) == {"title", "series", "language"}
    assert names(found[other], "narrator") == [("Ib Falk", None)]


def test_a_translation_has_a_translator(
    store: Emulator, session: requests.Session, book: str
) -> None:
    german = store.translate(
        "us", book, "german", "Der träge Kessel", translator="Ada Lund - Übersetzer"
    )
    found = ask(session, "us", "author", AUTHOR)
    assert alike(found[book], found[german]) == {"series"}
    assert names(found[german]) == names(found[book])
    assert names(found[german], "translator") == [("Ada Lund", None)]


@pytest.mark.parametrize("same_ids", [True, False])
def test_a_title_is_sold_elsewhere_under_another_asin(
    store: Emulator, session: requests.Session, book: str, *, same_ids: bool
) -> None:
    abroad = store.sell_also("us", book, "de", same_ids=same_ids)
    here, there = one(session, "us", book), one(session, "de", abroad)
    assert (abroad != book, there.marketplace) == (True, "de")
    same = {"title", "credits", "runtime_minutes", "language", "release_date"}
    assert alike(here, there) == (same | {"isbn", "sku"} if same_ids else same)
    assert [(place.title, place.sequence) for place in there.series] == [("Kettles", "1")]


def test_a_title_may_stand_in_several_series(
    store: Emulator, session: requests.Session, book: str
) -> None:
    store.place("us", book, "The Whole Kitchen", "1-3.5")
    kitchen = store.shelves["us"].find_series("The Whole Kitchen")
    assert (
        SeriesPlace(kitchen.asin, "The Whole Kitchen", "1-3.5") in one(session, "us", book).series
    )
    with pytest.raises(EmulatorError, match="no such title"):
        store.place("us", "B000000000", "Kettles")


def test_facts_change_at_once(store: Emulator, session: requests.Session, book: str) -> None:
    """Proves the guard: what was rendered is forgotten with every change."""
    assert one(session, "us", book).title == "The Slow Kettle"
    store.change("us", book, title="The Fast Kettle", publisher=None, narrators=["Ib Falk"])
    listing = one(session, "us", book)
    assert (listing.title, listing.publisher) == ("The Fast Kettle", None)
    assert names(listing, "narrator") == [("Ib Falk", None)]
    assert ask(session, "us", "author", AUTHOR)[book] == listing
    store.place("us", book, "Kettles", "7")
    assert one(session, "us", book).series[0].sequence == "7"
    with pytest.raises(EmulatorError, match="no such fact: colour"):
        store.change("us", book, colour="green")


# -- what listings find ---------------------------------------------------------------------------
def test_a_category_holds_what_is_below_it(store: Emulator, session: requests.Session) -> None:
    deep = store.announce("us", AUTHOR, genre="90100001111")
    hidden = store.announce("us", AUTHOR, genre="90100001111", leaf_only=True)
    flat = store.announce("us", AUTHOR, genre=["90100000012", "55500000011"])
    found = {
        genre: ask(session, "us", "genre", genre).keys() & {deep, hidden, flat}
        for genre in ("90100001111", "90100000111", "90100000012", "55500000011")
    }
    assert found == {
        "90100001111": {deep, hidden},
        "90100000111": {deep},
        "90100000012": {flat},
        "55500000011": {flat},
    }
    assert one(session, "us", deep).genres == (
        ("90100000011", "Lanterns & Legends"),
        ("90100000111", "Harbour Legends"),
        ("90100001111", "Drowned Bells"),
    )


@pytest.mark.parametrize("given", ["fantasy", "1,,2", ""])
def test_a_category_is_a_number(store: Emulator, session: requests.Session, given: str) -> None:
    url = f"{store.base_url}/us/1.0/catalog/products"
    answer = session.get(url, params={"category_id": given}, timeout=5)
    assert answer.status_code == 400
    assert "at 'categoryId' failed to satisfy constraint" in answer.json()["message"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("author", "Nora Testament"),
        ("narrator", "Ib Falk"),
        ("publisher", "Kettle House"),
        ("keyword", "slow kettle"),
    ],
)
def test_other_peoples_books_appear(
    store: Emulator, session: requests.Session, kind: QueryKind, text: str
) -> None:
    wanted = store.announce(
        "us", AUTHOR, "The Slow Kettle", narrators="Ib Falk", publisher="Kettle House"
    )
    other = store.announce(
        "us",
        "Zeno Testament",
        "A Kettle of Fish",
        narrators="Una Falk",
        publisher="Harbour House",
    )
    assert ask(session, "us", kind, text).keys() >= {wanted, other}


def test_categories_are_told(store: Emulator, session: requests.Session) -> None:
    url = f"{store.base_url}/us/1.0/catalog/categories"
    tree = session.get(url, timeout=5).json()["categories"]
    assert [each["id"] for each in tree] == ["90100000011", "90100000012", "90100000013"]
    assert tree[0]["children"][0]["children"][0]["name"] == "Drowned Bells"


def test_the_verbs_are_heard_over_http(store: Emulator, session: requests.Session) -> None:
    def say(verb: str, **arguments: Any) -> Any:
        answer = session.post(f"{store.base_url}/emulator/{verb}", json=arguments, timeout=5)
        assert answer.ok, answer.text
        return answer.json()["result"]

    asin = say(
        "announce",
        marketplace="us",
        author=[AUTHOR, "Ib Falk"],
        author_asin=["B00OTHER01", None],
        genre=["90100000012"],
        kind="omnibus",
        series="Kettles",
        launched_at="2026-01-01",
    )
    assert one(session, "us", asin).series[0].sequence == "1-3"
    for verb, arguments in (
        ("reissue", {}),
        ("rerecord", {"narrator": "Una Falk"}),
        ("translate", {"language": "german"}),
        ("sell_also", {"elsewhere": "de"}),
    ):
        assert say(verb, marketplace="us", asin=asin, **arguments) != asin
    say("place", marketplace="us", asin=asin, series="Kitchen")
    say("change", marketplace="us", asin=asin, title="Else")
    say("show_layout", layout="modern", marketplace="us")
    assert one(session, "us", asin).title == "Else"
