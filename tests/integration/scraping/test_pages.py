"""The store's pages: read where its API has long been silent, to fill gaps, and by choice."""

import datetime as dt
from dataclasses import replace

import pytest
from pytest_django import Settings

from accounts.models import User
from catalog.listing import CreditLine
from catalog.models import Audiobook, ReleaseEvent, Watch
from catalog.services import record_listings
from scraping import politeness
from scraping.emulator.server import Emulator
from scraping.models import Target, Visit
from tests.factories import make_listing, make_watch
from tests.integration.scraping.conftest import AUTHOR
from tests.visits import HOUR, Clock, CutShort, visit_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def silent_api(watch: Watch, emulator: Emulator, clock: Clock, settings: Settings) -> Emulator:
    """The API has failed twice, and any time is long."""
    settings.STORE_PAGES_AFTER = dt.timedelta()
    settings.STORE_BREAKER_FAILURES = 1000
    emulator.break_("error500", "us", only="api")
    return emulator


def asked(emulator: Emulator, part: str) -> int:
    return sum(part in request["url"] for request in emulator.requests)


def test_where_the_api_has_long_been_silent_pages_bring_the_news(
    silent_api: Emulator, clock: Clock
) -> None:
    asin = silent_api.announce("us", AUTHOR, sparse=False)
    assert visit_all(clock) == ["announced"]
    book = Audiobook.objects.get(asin=asin)
    assert book.provenance == "audible_html"
    assert Visit.objects.latest("id").source == "audible_html"
    silent_api.heal("us")
    assert visit_all(clock) == []
    book.refresh_from_db()
    assert book.provenance == "audible_api"


def test_pages_are_not_read_as_soon_as_the_api_stumbles(
    silent_api: Emulator, clock: Clock, settings: Settings
) -> None:
    settings.STORE_PAGES_AFTER = HOUR
    silent_api.announce("us", AUTHOR)
    assert visit_all(clock) == []
    assert asked(silent_api, "/search") == 0


def test_behind_an_open_breaker_pages_are_read_and_the_api_is_left_alone(
    silent_api: Emulator, clock: Clock, settings: Settings
) -> None:
    settings.STORE_BREAKER_FAILURES = 1
    visit_all(clock)
    before = asked(silent_api, "/1.0/")
    silent_api.announce("us", AUTHOR)
    assert visit_all(clock) == ["announced"]
    assert asked(silent_api, "/1.0/") == before


def test_a_date_that_moved_on_a_page_is_news_while_the_api_is_silent(
    watch: Watch, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    asin = emulator.announce("us", AUTHOR, "Glass Tide", sparse=False)
    visit_all(clock)
    before = Audiobook.objects.get(asin=asin)
    settings.STORE_PAGES_AFTER = dt.timedelta()
    emulator.break_("error500", "us", only="api")
    day = emulator.today("us") + dt.timedelta(days=77)
    emulator.move_date("us", asin, day)
    assert visit_all(clock) == ["date_moved"]
    after = Audiobook.objects.get(asin=asin)
    assert (after.release_date, after.provenance) == (day, "audible_api")
    assert (after.title, after.publisher, after.sku) == (
        before.title,
        before.publisher,
        before.sku,
    )
    emulator.heal("us")
    assert visit_all(clock) == []


def test_pages_alone_withdraw_nothing(
    silent_api: Emulator, clock: Clock, settings: Settings
) -> None:
    """Proves the guard of the first source: what stands in for it proves no absence."""
    asin = silent_api.announce("us", AUTHOR, sparse=False)
    visit_all(clock)
    silent_api.withdraw("us", asin)
    for _ in range(3):
        assert visit_all(clock, settings.ABSENCE_DELAY) == []
    silent_api.heal("us")
    politeness._redis().flushdb()
    assert visit_all(clock, settings.ABSENCE_DELAY) == []
    assert visit_all(clock, settings.ABSENCE_DELAY) == ["withdrawn"]


def test_pages_are_read_first_where_the_deployment_says_so(
    alice: User, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    settings.STORE_SOURCES = ["us=audible_html"]
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    asin = emulator.announce("us", AUTHOR, "Glass Tide")
    assert visit_all(clock) == ["announced"]
    emulator.withdraw("us", asin)
    assert visit_all(clock, settings.ABSENCE_DELAY) == []
    assert visit_all(clock, settings.ABSENCE_DELAY) == ["withdrawn"]
    assert asked(emulator, "/1.0/") == 0


def test_the_page_of_a_title_without_a_date_is_read_once_a_week(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    asin = emulator.announce("us", AUTHOR, dated=False)
    visit_all(clock)
    visit_all(clock)
    assert asked(emulator, f"/pd/{asin}") == 1
    visit_all(clock, dt.timedelta(days=8))
    assert asked(emulator, f"/pd/{asin}") == 2


def test_api_facts_win_over_page_facts_and_pages_fill_the_gaps(now: dt.datetime) -> None:
    """Proves the guard fill: a page would undo what the API says."""
    day = now.date() + dt.timedelta(days=30)
    api = make_listing(title="Glass Tide", release_date=day, publisher="Salt Audio")
    page = replace(
        api,
        title="Glass Tide: A Novel",
        release_date=day + dt.timedelta(days=1),
        runtime_minutes=600,
        credits=(CreditLine("Somebody Else", None, "author"),),
        provenance="audible_html",
    )
    record_listings(listings=[api], fetched_at=now, now=now)
    later = now + HOUR
    record_listings(listings=[page], fetched_at=later, now=later)
    book = Audiobook.objects.get()
    assert (book.title, book.release_date, book.publisher) == ("Glass Tide", day, "Salt Audio")
    assert (book.runtime_minutes, book.provenance) == (600, "audible_api")
    assert {credit.contributor.name for credit in book.credits.all()} == {
        "Ada Example",
        "Nora Reader",
    }
    assert list(ReleaseEvent.objects.values_list("kind", flat=True)) == ["announced"]


def test_a_page_that_says_nothing_new_writes_nothing(now: dt.datetime) -> None:
    api = make_listing(title="Glass Tide", release_date=now.date() + dt.timedelta(days=30))
    record_listings(listings=[api], fetched_at=now, now=now)
    before = Audiobook.objects.values().get()
    later = now + HOUR
    page = replace(api, language=None, provenance="audible_html")
    assert record_listings(listings=[page], fetched_at=later, now=later).changed == 0
    assert Audiobook.objects.values().get() == before
    # the API's own next answer is still an unchanged one
    assert record_listings(listings=[api], fetched_at=later + HOUR, now=later).changed == 0


def test_a_title_found_long_after_its_page_went_up_is_found_late(now: dt.datetime) -> None:
    day = now.date() + dt.timedelta(days=30)
    launched = {"late": now - dt.timedelta(days=40), "fresh": now - dt.timedelta(days=2)}
    for title, moment in launched.items():
        listing = make_listing(title=title, release_date=day, launched_at=moment)
        record_listings(listings=[listing], fetched_at=now, now=now)
    found = ReleaseEvent.objects.values_list("audiobook__title", "found_late")
    assert dict(found) == {"late": True, "fresh": False}


def test_a_date_that_a_page_got_wrong_is_put_right_when_the_api_is_back(now: dt.datetime) -> None:
    """Proves the guard is_moved: the API's facts would look unchanged, and the page's date stay."""
    day = now.date() + dt.timedelta(days=30)
    api = make_listing(release_date=day)
    page = replace(api, release_date=day + dt.timedelta(days=60), provenance="audible_html")
    for hours, listing in enumerate((api, page, api)):
        later = now + hours * HOUR
        record_listings(listings=[listing], fetched_at=later, now=later, pages_date=True)
    assert Audiobook.objects.get().release_date == day
    told = ReleaseEvent.objects.order_by("id").values_list("new_date", flat=True)
    assert list(told) == [day, day + dt.timedelta(days=60), day]


def test_pages_that_were_cut_short_go_on_where_they_were(
    silent_api: Emulator, clock: Clock
) -> None:
    """Proves the guard _resume: each visit asks the API first, and would begin the pages anew."""
    silent_api.stock("us", AUTHOR, 60)
    cut_short = CutShort(clock.now, silent_api, "searchAuthor=ada")
    visit_all(cut_short)
    target = Target.objects.get(query=AUTHOR.lower())
    assert target.unfinished_pass is not None
    clock.now = cut_short.now
    visit_all(clock, dt.timedelta(minutes=1))
    target.refresh_from_db()
    assert target.unfinished_pass is None
    assert len(target.asins) == 63
    urls = cut_short.questions()
    assert len(urls) == len(set(urls)) + 1  # only the page that was refused was asked for twice
