"""The emulated store, asked over real HTTP by the code that asks the real one."""

import datetime as dt
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_django import Settings

from catalog.listing import Listing
from catalog.marketplaces import MARKETPLACES
from catalog.normalise import fold
from scraping.emulator.catalogue import EmulatorError
from scraping.emulator.desk import VERBS
from scraping.emulator.kinds import KINDS as KINDS_OF_TITLE
from scraping.emulator.moods import BREAKAGES, LAYOUTS
from scraping.emulator.server import Emulator
from scraping.outcomes import Absent, Failed, Throttled
from scraping.pages import Page
from scraping.sources.base import Pass, Progress, Query, QueryKind
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import DEFAULT, SOURCES

NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
TODAY = NOW.date()
SOURCE = SOURCES[DEFAULT]
Read = tuple[list[Page], Pass]


def open_emulator(**options: Any) -> Emulator:
    return Emulator(
        **{"seed": 7, "marketplaces": ("us", "de", "jp"), "now": lambda: NOW, **options}
    )


@pytest.fixture
def emulator(settings: Settings) -> Iterator[Emulator]:
    with open_emulator() as emulator:
        settings.STORE_URL = emulator.base_url
        yield emulator


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as session:
        yield session


def look(query: Query, session: requests.Session) -> Progress | Absent | Throttled | Failed:
    """One step."""
    return step(query, SOURCE.start(query), session)


def step(
    query: Query, reading: Pass, session: requests.Session
) -> Progress | Absent | Throttled | Failed:
    return SOURCE.step(query, reading, fetch(SOURCE.url(query, reading), session), now=NOW)


def read(query: Query, session: requests.Session) -> Read:
    """All steps, which must work."""
    reading, pages = SOURCE.start(query), []
    while not reading.done:
        progress = step(query, reading, session)
        assert isinstance(progress, Progress)
        reading = progress.reading
        pages.append(progress.page)
    return pages, reading


def listings(query: Query, session: requests.Session) -> dict[str, Listing]:
    pages, _ = read(query, session)
    return {listing.asin: listing for page in pages for listing in page.listings}


def one(marketplace: str, asin: str, session: requests.Session) -> Listing:
    return listings(Query(marketplace, "asin", asin), session)[asin]


def test_the_same_seed_gives_the_same_store() -> None:
    first, again, other = (open_emulator(seed=seed).state() for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_every_marketplace_is_stocked_in_its_language(
    settings: Settings, session: requests.Session
) -> None:
    with open_emulator(marketplaces=tuple(MARKETPLACES)) as emulator:
        settings.STORE_URL = emulator.base_url
        for code, marketplace in MARKETPLACES.items():
            asins = tuple(emulator.shelves[code].products)[:50]
            found = listings(Query(code, "batch", asins=asins), session)
            languages = [listing.language for listing in found.values()]
            assert set(found) == set(asins)
            assert len(asins) / 2 < languages.count(marketplace.language) < len(asins)


def test_what_it_answers_is_read_without_loss(
    emulator: Emulator, session: requests.Session
) -> None:
    for product in emulator.shelves["us"].products.values():
        listing = one("us", product.asin, session)
        assert listing.title == product.title
        assert listing.release_date == product.release_date
        assert listing.publication_at is not None
        assert listing.publication_at.date() == product.release_date
        assert listing.launched_at is not None
        assert listing.launched_at.date() <= product.release_date
        assert listing.runtime_minutes == product.runtime_minutes
        assert len(listing.credits) == len(product.authors) + len(product.narrators)
        assert [place.asin for place in listing.series] == [
            series.asin for series, _ in emulator.shelves["us"].series_of(product.asin)
        ]


def test_nothing_real_is_on_its_shelves(emulator: Emulator, session: requests.Session) -> None:
    listing = one("us", next(iter(emulator.shelves["us"].products)), session)
    assert listing.cover_url is not None
    assert listing.cover_url.startswith("https://covers.example/")


def test_a_pre_order_knows_little_until_it_is_filled_in(
    emulator: Emulator, session: requests.Session
) -> None:
    asin = emulator.announce("us", "Nora Testament", "The Slow Kettle", series="Kettles")
    sparse = one("us", asin, session)
    raw = set(sparse.raw)
    assert sparse.release_date == TODAY + dt.timedelta(days=30)
    assert raw.isdisjoint(
        {"narrators", "runtime_length_min", "product_images", "publisher_summary"}
    )
    assert None not in sparse.raw.values()
    emulator.fill_in("us", asin)
    whole = one("us", asin, session)
    assert {"narrators", "runtime_length_min", "product_images", "publisher_summary"} < set(
        whole.raw
    )
    assert (whole.title, whole.release_date) == (sparse.title, sparse.release_date)


def test_an_announced_title_is_first_in_its_authors_listing(
    emulator: Emulator, session: requests.Session
) -> None:
    author = next(iter(emulator.shelves["us"].people))
    day = TODAY + dt.timedelta(days=900)
    asin = emulator.announce("us", author, release_date=day.isoformat())
    found = listings(Query("us", "author", author), session)
    assert next(iter(found)) == asin
    dates = [listing.release_date for listing in found.values() if listing.release_date]
    assert dates == sorted(dates, reverse=True)
    credited = {credit.name: credit.asin for credit in found[asin].credits}
    assert credited == {author: emulator.shelves["us"].people[author].asin}


def test_an_author_is_found_fuzzily(emulator: Emulator, session: requests.Session) -> None:
    wanted = emulator.announce("us", "Nora Testament")
    namesake = emulator.announce("us", "Zeno Testament")
    assert set(listings(Query("us", "author", "nora testament"), session)) == {wanted, namesake}


@pytest.mark.parametrize("marketplace", ["us", "de", "jp"])
def test_a_title_is_found_by_its_words(
    emulator: Emulator, session: requests.Session, marketplace: str
) -> None:
    title = {"us": "The Slow Kettle", "de": "Der träge Kessel", "jp": "遅い薬缶の夢"}[marketplace]
    asin = emulator.announce(marketplace, "Nora Testament", title)
    other = emulator.announce(marketplace, "Nora Testament", "Else")
    found = listings(Query(marketplace, "keyword", fold(title)), session)
    assert asin in found
    assert other not in found


def test_dates_move_and_titles_come_out(emulator: Emulator, session: requests.Session) -> None:
    asin = emulator.announce("jp", "Nora Testament", release_date="2026-06-01")
    emulator.move_date("jp", asin, "2026-07-15")
    assert one("jp", asin, session).release_date == dt.date(2026, 7, 15)
    emulator.release("jp", asin)
    out = one("jp", asin, session)
    assert out.release_date == TODAY  # 21:00 in Tokyo
    assert out.runtime_minutes
    assert any(credit.role == "narrator" for credit in out.credits)


def test_today_is_the_marketplaces_own(emulator: Emulator) -> None:
    emulator.pass_time(4 * 3600)
    assert (emulator.today("us"), emulator.today("jp")) == (TODAY, TODAY + dt.timedelta(days=1))


def test_a_withdrawn_title_is_a_stub_alone_and_in_no_listing(
    emulator: Emulator, session: requests.Session
) -> None:
    asin = emulator.announce("us", "Nora Testament", series="Kettles")
    series = emulator.shelves["us"].find_series("Kettles").asin
    emulator.withdraw("us", asin)
    assert look(Query("us", "asin", asin), session) == Absent((asin,))
    assert read(Query("us", "author", "Nora Testament"), session)[0] == [Page(total_results=0)]
    pages, reading = read(Query("us", "series", series), session)
    assert (pages[0].children, pages[1].stubs, reading.complete) == ((asin,), (asin,), True)
    emulator.restore("us", asin)
    assert asin in listings(Query("us", "author", "Nora Testament"), session)


def test_what_is_sold_elsewhere_is_a_stub_here(
    emulator: Emulator, session: requests.Session
) -> None:
    asin = emulator.announce("de", "Nora Testament")
    assert look(Query("us", "asin", asin), session) == Absent((asin,))
    emulator.announce("us", "Nora Testament", asin=asin)
    assert one("us", asin, session).marketplace == "us"


def test_a_series_is_walked_in_batches(emulator: Emulator, session: requests.Session) -> None:
    asins = [emulator.announce("us", "Nora Testament", series="Kettles") for _ in range(120)]
    series = emulator.shelves["us"].find_series("Kettles").asin
    pages, reading = read(Query("us", "series", series), session)
    assert pages[0].listings[0].is_series_object
    assert pages[0].listings[0].release_date is None
    assert [len(page.listings) for page in pages] == [1, 50, 50, 20]
    assert set(reading.seen) == {series, *asins}
    places = {listing.series[0].sequence for page in pages[1:] for listing in page.listings}
    assert places == {str(number) for number in range(1, 121)}


def test_a_listing_stops_at_the_cap(emulator: Emulator, session: requests.Session) -> None:
    emulator.stock("us", "Nora Testament", 620)
    pages, reading = read(Query("us", "author", "Nora Testament"), session)
    assert (len(pages), len(reading.seen), reading.complete) == (10, 500, True)
    assert (reading.total_results or 0) > 620  # overstated


def test_pages_beyond_the_cap_repeat_the_last_one(
    emulator: Emulator, session: requests.Session
) -> None:
    emulator.stock("us", "Nora Testament", 620)
    query = Query("us", "author", "Nora Testament")
    last, beyond = (step(query, Pass(step=number), session) for number in (9, 10))
    assert isinstance(last, Progress)
    assert isinstance(beyond, Progress)
    assert last.page.listed == beyond.page.listed


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("num_results=51", "at 'numResults' failed to satisfy constraint"),
        ("num_results=many", "at 'numResults' failed to satisfy constraint"),
        ("page=-1", "at 'page' failed to satisfy constraint"),
        ("products_sort_by=%2BReleaseDate", "at 'productsSortBy' failed to satisfy constraint"),
        ("response_groups=media,moods", "Invalid response group(s) requested: moods"),
        ("asins=" + ",".join(["B000000001"] * 51), "at 'asins' failed to satisfy constraint"),
    ],
)
def test_it_refuses_in_the_stores_words(
    emulator: Emulator, session: requests.Session, question: str, message: str
) -> None:
    answer = session.get(f"{emulator.base_url}/us/1.0/catalog/products?{question}", timeout=5)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_a_parameter_it_does_not_know_is_ignored(
    emulator: Emulator, session: requests.Session
) -> None:
    url = f"{emulator.base_url}/us/1.0/catalog/products"
    answer = session.get(url, params={"asin": "B000000001", "num_results": "50"}, timeout=5).json()
    assert len(answer["products"]) == 50


def test_an_unknown_response_group_is_done_without(
    emulator: Emulator, session: requests.Session, settings: Settings
) -> None:
    settings.STORE_RESPONSE_GROUPS = ["product_attrs", "moods"]
    asin = emulator.announce("us", "Nora Testament", "The Slow Kettle")
    pages, reading = read(Query("us", "author", "Nora Testament"), session)
    assert reading.plain
    assert pages[-1].listed == (asin,)
    assert [credit.name for credit in pages[-1].listings[0].credits] == ["Nora Testament"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("options", "wait"),
    [
        ({}, None),
        ({"retry_after": 90}, dt.timedelta(seconds=90)),
        ({"retry_after": 90, "as_date": True}, dt.timedelta(seconds=90)),
        ({"retry_after": "in a while"}, None),
    ],
)
def test_it_throttles(
    emulator: Emulator,
    session: requests.Session,
    status: int,
    options: dict[str, Any],
    wait: dt.timedelta | None,
) -> None:
    emulator.throttle("us", status=status, requests=2, **options)
    query = Query("us", "author", "Nora Testament")
    assert [look(query, session) for _ in range(2)] == [Throttled(wait)] * 2
    assert isinstance(look(query, session), Progress)


KINDS: list[QueryKind] = ["author", "asin"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("breakage", ["blank", "captcha", "truncated", "error500"])
def test_it_breaks_so_that_nothing_can_be_seen(
    emulator: Emulator, session: requests.Session, breakage: str, kind: QueryKind
) -> None:
    asin = emulator.announce("us", "Nora Testament")
    query = Query("us", kind, {"author": "Nora Testament", "asin": asin}[kind])
    emulator.break_(breakage)
    outcome = look(query, session)
    assert isinstance(outcome, Failed)
    assert outcome.blind
    emulator.heal()
    assert isinstance(look(query, session), Progress)


def test_it_can_pretend_to_have_nothing(emulator: Emulator, session: requests.Session) -> None:
    emulator.announce("us", "Nora Testament")
    emulator.break_("empty")
    outcome = look(Query("us", "author", "Nora Testament"), session)
    assert isinstance(outcome, Progress)
    assert outcome.page == Page(total_results=0)


def test_it_can_deny_everything(emulator: Emulator, session: requests.Session) -> None:
    asin = emulator.announce("us", "Nora Testament")
    emulator.break_("stubs")
    assert look(Query("us", "asin", asin), session) == Absent((asin,))
    outcome = look(Query("us", "batch", asins=(asin,)), session)
    assert isinstance(outcome, Progress)
    assert (outcome.page.listings, outcome.page.stubs) == ((), (asin,))
    listed = look(Query("us", "author", "Nora Testament"), session)
    assert listed == Failed("the store lists nothing but stubs", blind=True)


def test_a_slow_store_is_left(
    emulator: Emulator, session: requests.Session, settings: Settings
) -> None:
    settings.STORE_TIMEOUT = dt.timedelta(seconds=0.2)
    emulator.break_("slow", "us")
    outcome = look(Query("us", "author", "Nora Testament"), session)
    assert outcome == Failed("no answer: ReadTimeout", blind=True)
    assert isinstance(look(Query("de", "author", "Nora Testament"), session), Progress)


def test_moods_are_those_of_one_marketplace(emulator: Emulator, session: requests.Session) -> None:
    emulator.throttle("de")
    assert isinstance(look(Query("us", "author", "Nora Testament"), session), Progress)
    assert isinstance(look(Query("de", "author", "Nora Testament"), session), Throttled)


def test_it_keeps_a_log_of_what_was_asked(emulator: Emulator, session: requests.Session) -> None:
    look(Query("jp", "author", "Nora Testament"), session)
    log = session.get(f"{emulator.base_url}/emulator/requests", timeout=5).json()
    assert [entry["marketplace"] for entry in log] == ["jp"]
    assert "author=Nora%20Testament" in log[0]["url"]
    assert log == list(emulator.requests)


def test_its_verbs_are_heard_over_http(emulator: Emulator, session: requests.Session) -> None:
    def say(verb: str, **arguments: Any) -> Any:
        return session.post(f"{emulator.base_url}/emulator/{verb}", json=arguments, timeout=5)

    told = {"marketplace": "us", "author": "Nora Testament", "title": "The Slow Kettle"}
    asin = say("announce", **told, release_date="2026-09-01", series="Kettles").json()["result"]
    assert one("us", asin, session).release_date == dt.date(2026, 9, 1)
    for verb in ("fill_in", "release", "withdraw"):
        assert say(verb, marketplace="us", asin=asin).ok
    assert look(Query("us", "asin", asin), session) == Absent((asin,))
    assert say("restore", marketplace="us", asin=asin).ok
    assert say("move_date", marketplace="us", asin=asin, release_date="2026-12-01").ok
    assert say("break", kind="captcha").ok
    assert isinstance(look(Query("us", "asin", asin), session), Failed)
    assert say("heal").ok
    state = session.get(f"{emulator.base_url}/emulator/state", timeout=5).json()
    (shown,) = [each for each in state["marketplaces"]["us"]["products"] if each["asin"] == asin]
    assert shown["release_date"] == "2026-12-01"
    assert [
        say(verb, **arguments).status_code
        for verb, arguments in [
            ("dance", {}),
            ("release", {"marketplace": "us", "asin": "B000000000"}),
            ("release", {"marketplace": "mars", "asin": asin}),
            ("release", {"colour": "green"}),
            ("break", {"kind": "politely"}),
            ("move_date", {"marketplace": "us", "asin": asin, "release_date": "soon"}),
        ]
    ] == [404, 400, 400, 400, 400, 400]


def test_a_verb_that_makes_no_sense_says_so(emulator: Emulator) -> None:
    with pytest.raises(EmulatorError, match="no such title in us: B000000000"):
        emulator.withdraw("us", "B000000000")


def test_answers_say_how_long_they_hold(emulator: Emulator, session: requests.Session) -> None:
    answer = fetch(f"{emulator.base_url}/us/1.0/catalog/products", session)
    assert not isinstance(answer, Failed)
    assert answer.headers["cache-control"] == "private, max-age=1800"


def test_its_page_names_every_verb_kind_mood_and_layout() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/reference/emulator.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    assert {*VERBS, *KINDS_OF_TITLE, *BREAKAGES, *LAYOUTS} <= named


def test_it_runs_on_its_own() -> None:
    command = [sys.executable, "-m", "scraping.emulator", "--port", "0", "--marketplaces", "us"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().split()[5]
            with urllib.request.urlopen(f"{base_url}/emulator/state", timeout=5) as state:  # noqa: S310
                assert list(json.load(state)["marketplaces"]) == ["us"]
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0


def test_a_taken_port_is_one_clear_sentence(emulator: Emulator) -> None:
    port = emulator.base_url.rsplit(":", 1)[1]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "scraping.emulator", "--port", port],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stopped_store_cannot_be_reached(session: requests.Session) -> None:
    with open_emulator() as emulator:
        url = f"{emulator.base_url}/us/1.0/catalog/products"
    assert fetch(url, session) == Failed("no answer: ConnectionError", blind=True)
