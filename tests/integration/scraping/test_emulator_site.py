"""The emulated store's pages, read by the code that reads the real ones."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from catalog.listing import Listing
from catalog.marketplaces import MARKETPLACES
from scraping.emulator.kinds import KINDS
from scraping.emulator.moods import LAYOUTS
from scraping.emulator.server import Emulator
from scraping.outcomes import Absent, Failed, Throttled
from scraping.sources.base import Pass, Progress, Query
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import SOURCES

NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
AUTHOR, SERIES = "Nora Testament", "Kettles"
API, PAGES = SOURCES["audible_api"], SOURCES["audible_html"]
# What both show of a title, where it is known.
SHARED = [
    "title",
    "subtitle",
    "language",
    "release_date",
    "runtime_minutes",
    "publisher",
    "credits",
    "series",
    "genres",
    "format_type",
    "content_type",
    "delivery_type",
    "summary",
    "sku",
]
ROW = {"title", "credits", "series", "release_date", "runtime_minutes", "language"}
MODERN_ROW = {"title", "credits", "release_date", "runtime_minutes", "language", "series"}
PRODUCT_PAGE = set(SHARED) - {"subtitle", "series"}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as session:
        yield session


@pytest.fixture
def store(settings: Settings) -> Iterator[Emulator]:
    with Emulator(seed=7, now=lambda: NOW) as store:
        settings.STORE_URL = store.base_url
        yield store


def step(
    source: Any, query: Query, reading: Pass, session: requests.Session
) -> Progress | Absent | Throttled | Failed:
    answer = fetch(source.url(query, reading), session)
    outcome: Progress | Absent | Throttled | Failed = source.step(query, reading, answer, now=NOW)
    return outcome


def look(query: Query, session: requests.Session) -> Progress | Absent | Throttled | Failed:
    return step(PAGES, query, PAGES.start(query), session)


def listings(source: Any, query: Query, session: requests.Session) -> dict[str, Listing]:
    reading: Pass = source.start(query)
    found: dict[str, Listing] = {}
    while not reading.done:
        progress = step(source, query, reading, session)
        assert isinstance(progress, Progress)
        reading = progress.reading
        found |= {listing.asin: listing for listing in progress.page.listings}
    return found


def stock(store: Emulator, marketplace: str) -> None:
    """A shelf with what is hard to say: long and short, cut, foreign, by several, undated."""
    language = MARKETPLACES[marketplace].language
    for minutes in (59, 60, 61, 1444):
        store.announce(marketplace, AUTHOR, series=SERIES, runtime_minutes=minutes, sparse=False)
    for kind in set(KINDS) - {"podcast", "podcast_season", "podcast_episode", "placeholder"}:
        store.announce(marketplace, AUTHOR, series=SERIES, kind=kind, sparse=False)
    for day in ("2026-12-11", "2012-11-10", "2031-01-02"):
        store.announce(marketplace, [AUTHOR, 'Zoë "Z." Kahl & Söhne'], release_date=day)
    for foreign in ("english", "german", "japanese", "spanish"):
        if foreign != language:
            store.announce(marketplace, AUTHOR, language=foreign, narrators="Ib Falk, Jr.")
    store.announce(
        marketplace,
        AUTHOR,
        "Salt <b>& Glass",
        subtitle="A “Novel”",
        sequence="0.5",
        series="Second & Last",
        dated=False,
    )


def shown(listing: Listing, name: str) -> Any:
    value = getattr(listing, name)
    return set(value) if name in ("series", "genres") else value


def differences(api: Listing, page: Listing) -> dict[str, tuple[Any, Any]]:
    """What the page says otherwise; it may say less, but nothing the API does not."""
    pairs = {name: (shown(api, name), shown(page, name)) for name in SHARED}
    return {name: pair for name, pair in pairs.items() if pair[1] and pair[0] != pair[1]}


def silent(api: Listing, page: Listing, names: set[str]) -> set[str]:
    """What the API knows and the page does not say."""
    return {name for name in names if shown(api, name) and not shown(page, name)}


@pytest.fixture
def books(store: Emulator, session: requests.Session, marketplace: str) -> dict[str, Listing]:
    """What the API says of all the author's titles."""
    stock(store, marketplace)
    return listings(API, Query(marketplace, "author", AUTHOR), session)


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_a_search_says_what_the_api_says(
    books: dict[str, Listing], session: requests.Session, marketplace: str
) -> None:
    rows = listings(PAGES, Query(marketplace, "author", AUTHOR), session)
    assert list(rows) == list(books)
    for asin, row in rows.items():
        assert row.provenance == "audible_html"
        assert differences(books[asin], row) == {}
        assert silent(books[asin], row, ROW) == set()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_a_series_says_what_the_api_says(
    store: Emulator,
    books: dict[str, Listing],
    session: requests.Session,
    marketplace: str,
    layout: str,
) -> None:
    series = store.shelves[marketplace].find_series(SERIES)
    store.show_layout(layout)
    rows = listings(PAGES, Query(marketplace, "series", series.asin), session)
    assert set(rows) == series.children.keys()
    wanted = ROW if layout == "legacy" else MODERN_ROW
    for asin, row in rows.items():
        assert differences(books[asin], row) == {}
        dates = {"release_date"} if layout == "undated" else set()
        assert silent(books[asin], row, wanted) == dates


@pytest.mark.parametrize("layout", LAYOUTS[:2])
@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_a_products_page_says_what_the_api_says(
    store: Emulator,
    books: dict[str, Listing],
    session: requests.Session,
    marketplace: str,
    layout: str,
) -> None:
    store.show_layout(layout)
    pages = listings(PAGES, Query(marketplace, "batch", asins=tuple(books)), session)
    assert set(pages) == set(books)
    for asin, page in pages.items():
        assert differences(books[asin], page) == {}
        assert silent(books[asin], page, set(SHARED)) == set()


def test_podcasts_rows_say_no_more_than_their_title(
    store: Emulator, session: requests.Session
) -> None:
    asin = store.announce("us", AUTHOR, "Kettle Talk", kind="podcast")
    (row,) = listings(PAGES, Query("us", "author", AUTHOR), session).values()
    assert (row.asin, row.title, row.content_type) == (asin, "Kettle Talk", "Podcast")
    assert row.credits == ()


@pytest.mark.parametrize("kind", ["podcast", "podcast_season", "podcast_episode"])
@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_a_podcasts_page_says_what_the_api_says(
    store: Emulator, session: requests.Session, layout: str, kind: str
) -> None:
    asin = store.announce("us", AUTHOR, "Kettle Talk", kind=kind, sparse=False)
    store.show_layout(layout)
    query = Query("us", "asin", asin)
    api, page = (listings(source, query, session)[asin] for source in (API, PAGES))
    assert differences(api, page) == {}
    assert silent(api, page, set(SHARED)) == set()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_long_series_has_pages(store: Emulator, session: requests.Session, layout: str) -> None:
    asins = [store.announce("us", AUTHOR, series=SERIES) for _ in range(120)]
    store.show_layout(layout)
    series = store.shelves["us"].find_series(SERIES).asin
    rows = listings(PAGES, Query("us", "series", series), session)
    assert list(rows) == asins
    assert [row.series[0].sequence for row in rows.values()] == [str(n + 1) for n in range(120)]


def test_pages_may_lead_away(store: Emulator, session: requests.Session) -> None:
    asin = store.announce("us", AUTHOR)
    store.break_("led_away", "us")
    assert asin in listings(PAGES, Query("us", "author", AUTHOR), session)
    assert listings(PAGES, Query("us", "author", "Nobody Nowhere"), session) == {}
    assert look(Query("us", "asin", "B000000000"), session) == Absent(("B000000000",))
    store.break_("abroad", "us")
    for source in (API, PAGES):
        query = Query("us", "author", AUTHOR)
        outcome = step(source, query, source.start(query), session)
        assert isinstance(outcome, Failed)
        assert outcome.blind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("narrator", "Ib Falk"),
        ("publisher", "Kettle House"),
        ("genre", "90100000111"),
        ("keyword", "slow kettle"),
    ],
)
def test_searches_of_every_kind_find_it(
    store: Emulator, session: requests.Session, kind: Any, text: str
) -> None:
    asin = store.announce(
        "us",
        AUTHOR,
        "The Slow Kettle",
        narrators="Ib Falk",
        publisher="Kettle House",
        genre="90100001111",
    )
    for source in (API, PAGES):
        assert asin in listings(source, Query("us", kind, text), session)


def test_long_lists_have_pages(store: Emulator, session: requests.Session) -> None:
    asins = store.stock("us", AUTHOR, 120)
    assert set(listings(PAGES, Query("us", "author", AUTHOR), session)) == set(asins)
    urls = [entry["url"] for entry in store.requests]
    assert [("page=1" in url, "page=2" in url, "page=3" in url) for url in urls] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_what_is_not_sold_has_no_page(store: Emulator, session: requests.Session) -> None:
    gone = store.announce("us", AUTHOR)
    store.withdraw("us", gone)
    for kind, asin in (("asin", gone), ("asin", "B000000000"), ("series", "B000000000")):
        assert look(Query("us", kind, asin), session) == Absent((asin,))  # type: ignore[arg-type]
    assert listings(PAGES, Query("us", "author", AUTHOR), session) == {}


def test_series_come_in_both_layouts_by_chance(store: Emulator, session: requests.Session) -> None:
    store.announce("us", AUTHOR, series=SERIES)
    url = f"{store.base_url}/us/series/{store.shelves['us'].find_series(SERIES).asin}"
    pages = [session.get(url, timeout=5).text for _ in range(40)]
    modern = sum("adbl-product-row" in page for page in pages)
    assert 5 < modern < 30
    assert all(("productListItem" in page) != ("adbl-product-row" in page) for page in pages)


def test_pages_hold_rows_without_an_asin(store: Emulator, session: requests.Session) -> None:
    asins = store.stock("us", AUTHOR, 10)
    query = Query("us", "author", AUTHOR)
    progress = look(query, session)
    assert isinstance(progress, Progress)
    assert progress.page.raw_count == 11
    assert set(progress.page.listed) == set(asins)


@pytest.mark.parametrize("breakage", ["blank", "captcha", "truncated", "error403", "error500"])
def test_pages_break_so_that_nothing_can_be_seen(
    store: Emulator, session: requests.Session, breakage: str
) -> None:
    asin = store.announce("us", AUTHOR, series=SERIES, sparse=False)
    store.break_(breakage, "us", only="html")
    series = store.shelves["us"].find_series(SERIES).asin
    for kind, text in (("author", AUTHOR), ("asin", asin), ("series", series)):
        outcome = look(Query("us", kind, text), session)  # type: ignore[arg-type]
        assert isinstance(outcome, Failed)
        assert outcome.blind
    assert asin in listings(API, Query("us", "author", AUTHOR), session)


def test_the_api_fails_while_pages_work(store: Emulator, session: requests.Session) -> None:
    asin = store.announce("us", AUTHOR)
    store.throttle("us", only="api", retry_after=60)
    query = Query("us", "author", AUTHOR)
    assert isinstance(step(API, query, API.start(query), session), Throttled)
    assert asin in listings(PAGES, query, session)
    store.throttle("us", only="html", status=503)
    assert look(query, session) == Throttled(None)
    store.heal("us", only="html")
    assert asin in listings(PAGES, query, session)
    assert store.moods.keys() == {"us/api"}
    store.heal("us")
    assert store.moods == {}


def test_pages_may_say_less_than_they_know(store: Emulator, session: requests.Session) -> None:
    asins = store.stock("us", AUTHOR, 4)
    query = Query("us", "author", AUTHOR)
    store.break_("partial", "us")
    assert len(listings(PAGES, query, session)) == 2
    store.break_("partial_stubs", "us")
    rows = listings(PAGES, query, session)
    assert set(rows) == set(asins)
    assert [bool(row.credits) for row in rows.values()] == [True, False, True, False]
    store.break_("empty", "us")
    assert listings(PAGES, query, session) == {}
    store.break_("stubs", "us")
    assert look(Query("us", "asin", asins[0]), session) == Absent((asins[0],))
