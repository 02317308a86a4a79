"""What a page of listings does to the catalogue, and what of it is news."""

import dataclasses
import datetime as dt
import random
import string
import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import store_date
from catalog.models import (
    Audiobook,
    Contributor,
    Credit,
    ReleaseEvent,
    Series,
    SeriesEntry,
    WatchKey,
    Work,
)
from catalog.services import mark_out_by_date, publish_events, record_absent, record_listings
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_asin, make_audiobook, make_listing, make_watch
from tests.people import make_user

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def record(listing: Listing, now: dt.datetime) -> list[str]:
    """Record one listing; the kinds of its news."""
    recorded = record_listings(listings=[listing], fetched_at=now, now=now)
    events = ReleaseEvent.objects.filter(id__in=recorded.event_ids).order_by("revision")
    return list(events.values_list("kind", flat=True))


def upcoming(now: dt.datetime, days: int = 30, **facts: object) -> Listing:
    return make_listing(release_date=store_date("us", now) + days * DAY, **facts)  # type: ignore[arg-type]


def test_a_title_first_seen_before_its_day_is_announced_with_people_series_and_keys(
    now: dt.datetime,
) -> None:
    listing = upcoming(
        now,
        title="Glass Tide",
        authors=["Ada Example"],
        series=[SeriesPlace("B0SERIES01", "Tides", "2")],
    )
    assert record(listing, now) == ["announced"]
    audiobook = Audiobook.objects.get(asin=listing.asin)
    assert audiobook.work.title == "Glass Tide"
    assert {(c.role, c.contributor.name) for c in audiobook.credits.all()} == {
        ("author", "Ada Example"),
        ("narrator", "Nora Reader"),
    }
    entry = SeriesEntry.objects.get(audiobook=audiobook)
    assert (entry.series.asin, entry.sequence, str(entry.position)) == ("B0SERIES01", "2", "2.000")
    assert {"author~ada example", "series:B0SERIES01", "word:glass", "word:tide"} <= set(
        audiobook.match_keys
    )
    assert Audiobook.objects.search("ada tide").get() == audiobook


def test_the_same_page_twice_is_news_once(now: dt.datetime) -> None:
    listing = upcoming(now)
    assert record(listing, now) == ["announced"]
    assert record(listing, now + HOUR) == []
    assert ReleaseEvent.objects.count() == 1


def test_an_unchanged_page_writes_only_when_it_was_checked(now: dt.datetime) -> None:
    page = [upcoming(now) for _ in range(50)]
    record_listings(listings=page, fetched_at=now, now=now)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        record_listings(listings=page, fetched_at=now + HOUR, now=now + HOUR)
    writes = [
        q["sql"] for q in queries if q["sql"].lstrip().startswith(("INSERT", "UPDATE", "DELETE"))
    ]
    assert len(writes) == 1
    assert "audiobook_checks" in writes[0]


def test_the_number_of_statements_does_not_depend_on_the_number_of_listings(
    now: dt.datetime,
) -> None:
    counts = []
    for size in (1, 50):
        page = [
            upcoming(
                now,
                authors=[f"{size} {n}"],
                series=[SeriesPlace(make_asin(), f"S {size} {n}", "1")],
            )
            for n in range(size)
        ]
        with CaptureQueriesContext(connection) as queries:
            record_listings(listings=page, fetched_at=now, now=now)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 25


def test_facts_older_than_what_is_held_change_nothing(now: dt.datetime) -> None:
    new = upcoming(now, title="As it is now")
    record(new, now)
    old = dataclasses.replace(new, title="As it was", release_date=new.release_date + DAY)  # type: ignore[operator, arg-type]
    assert record(old, now - HOUR) == []
    assert Audiobook.objects.get().title == "As it is now"


def test_a_field_that_a_listing_lacks_clears_nothing(now: dt.datetime) -> None:
    full = upcoming(now, subtitle="A Tale", series=[SeriesPlace("B0SERIES01", "Tides", "2")])
    record(full, now)
    bare = Listing("us", full.asin, full.url, title=full.title, release_date=full.release_date)
    assert record(bare, now + HOUR) == []
    audiobook = Audiobook.objects.get()
    assert audiobook.subtitle == "A Tale"
    assert audiobook.credits.count() == 2
    assert audiobook.places.get().sequence == "2"


def test_filling_in_a_sparse_pre_order_is_not_news_but_other_narrators_are(
    now: dt.datetime,
) -> None:
    listing = upcoming(now, narrators=[])
    record(listing, now)
    filled = dataclasses.replace(
        listing,
        runtime_minutes=600,
        credits=(*listing.credits, CreditLine("Tom", None, "narrator")),
    )
    assert record(filled, now + HOUR) == []
    changed = dataclasses.replace(
        listing, credits=(*listing.credits, CreditLine("Tim", None, "narrator"))
    )
    assert record(changed, now + 2 * HOUR) == ["detail_changed"]
    assert set(
        Credit.objects.filter(role="narrator").values_list("contributor__name", flat=True)
    ) == {"Tim"}


def test_a_date_that_moved_is_news_with_both_dates(now: dt.datetime) -> None:
    listing = upcoming(now)
    record(listing, now)
    moved = dataclasses.replace(listing, release_date=listing.release_date + 60 * DAY)  # type: ignore[operator, arg-type]
    assert record(moved, now + HOUR) == ["date_moved"]
    event = ReleaseEvent.objects.get(kind="date_moved")
    assert (event.old_date, event.new_date) == (listing.release_date, moved.release_date)


@pytest.mark.parametrize(
    ("days", "kinds", "late"),
    [(0, ["out_now"], False), (-14, ["out_now"], True), (-15, [], None), (1, ["announced"], False)],
)
def test_what_a_first_sight_is_worth_depends_on_the_day(
    days: int, kinds: list[str], late: bool | None, now: dt.datetime
) -> None:
    assert record(upcoming(now, days), now) == kinds
    assert [event.found_late for event in ReleaseEvent.objects.all()] == [late] * len(kinds)


def test_the_store_confirms_that_a_title_is_out_on_its_day(now: dt.datetime) -> None:
    listing = upcoming(now, days=1)
    record(listing, now)
    assert record(listing, now + DAY) == ["out_now"]
    assert record(listing, now + 2 * DAY) == []
    assert not ReleaseEvent.objects.get(kind="out_now").unconfirmed


def test_at_noon_of_its_day_a_title_is_out_unconfirmed(now: dt.datetime) -> None:
    audiobook = make_audiobook(now=now, out_in=1)
    day = audiobook.release_date
    assert day is not None
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC) + 8 * HOUR
    assert mark_out_by_date(now=midnight + 3 * HOUR) == []
    assert len(mark_out_by_date(now=midnight + 13 * HOUR)) == 1
    assert mark_out_by_date(now=midnight + 14 * HOUR) == []
    assert ReleaseEvent.objects.get(kind="out_now").unconfirmed
    assert record(make_listing(asin=audiobook.asin, release_date=day), midnight + 15 * HOUR) == []


def test_two_looks_withdraw_one_does_not_and_a_sight_restores(now: dt.datetime) -> None:
    listing = upcoming(now)
    record(listing, now)

    def deny(moment: dt.datetime) -> int:
        return len(
            record_absent(marketplace="us", asins=[listing.asin], now=moment, delay=6 * HOUR)
        )

    assert deny(now + HOUR) == 0
    assert deny(now + 5 * HOUR) == 0
    assert deny(now + 8 * HOUR) == 1
    assert deny(now + 20 * HOUR) == 0
    assert record(listing, now + 21 * HOUR) == ["restored"]
    assert Audiobook.objects.get().withdrawn_at is None


def test_a_sight_between_two_looks_starts_them_anew(now: dt.datetime) -> None:
    listing = upcoming(now)
    record(listing, now)
    for hours in (1, 8, 15):
        denied = record_absent(
            marketplace="us", asins=[listing.asin], now=now + hours * HOUR, delay=6 * HOUR
        )
        assert denied == []
        record(listing, now + (hours + 1) * HOUR)


def test_the_same_asin_in_two_marketplaces_is_one_work(now: dt.datetime) -> None:
    us = upcoming(now)
    uk = dataclasses.replace(us, marketplace="uk")
    record(us, now)
    record(uk, now)
    assert Work.objects.count() == 1


def test_people_are_one_by_id_and_otherwise_one_by_folded_name(now: dt.datetime) -> None:
    def by(name: str, asin: str | None) -> Listing:
        return dataclasses.replace(upcoming(now), credits=(CreditLine(name, asin, "author"),))

    page = [by("José Exámple", None), by("jose example", None), by("Jose Example", "B00PERSON1")]
    page += [by("J. Example", "B00PERSON1")]
    record_listings(listings=page, fetched_at=now, now=now)
    people = Contributor.objects.values_list("asin", flat=True)
    assert sorted(people, key=str) == ["B00PERSON1", None]


def test_events_are_numbered_in_the_order_they_became_visible(now: dt.datetime) -> None:
    for _ in range(3):
        make_audiobook(now=now)
    assert publish_events() == 3
    make_audiobook(now=now)
    assert publish_events() == 1
    events = ReleaseEvent.objects.order_by("id").values_list("published_seq", flat=True)
    assert list(events) == [1, 2, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_many_workers_that_meet_the_same_new_titles_write_each_down_once() -> None:
    now = dt.datetime.now(dt.UTC)
    pages = [[upcoming(now, authors=[f"Author {n % 7}"]) for n in range(40)]]
    pages += [list(reversed(pages[0])), pages[0][10:30], pages[0][::2]]
    start = threading.Barrier(len(pages))
    failures: list[BaseException] = []

    def work(page: list[Listing]) -> None:
        try:
            start.wait()
            record_listings(listings=page, fetched_at=now, now=now)
        except BaseException as error:  # noqa: BLE001 (handed to the test)
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[page]) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Audiobook.objects.count() == Work.objects.count() == 40
    assert ReleaseEvent.objects.filter(kind="announced").count() == 40


_NAME = "".join(random.Random(1).choices(string.ascii_letters, k=9000))
_MANY_WORDS = " ".join(f"word{number:07d}" for number in range(100_000))


@pytest.mark.parametrize(
    "facts",
    [
        {"title": _NAME},
        {"title": _MANY_WORDS},
        {"authors": [_NAME]},
        {"authors": [_MANY_WORDS]},
        {"narrators": [_NAME]},
        {"series": [SeriesPlace("B0SERIES01", _NAME, None)]},
        {"series": [SeriesPlace(None, _NAME, None)]},
        {"genres": [(_NAME, "A genre")]},
    ],
)
def test_a_text_of_any_length_costs_no_page(facts: dict[str, Any], now: dt.datetime) -> None:
    """Proves the guard KEY_MAX: without it an index would refuse the page, visit after visit."""
    assert record(upcoming(now, **facts), now) == ["announced"]


def test_facts_older_than_the_last_sight_of_them_change_nothing(now: dt.datetime) -> None:
    """Proves the guard last_checked_at: unchanged facts leave no other trace of when they were."""
    listing = upcoming(now)
    record(listing, now)
    record(listing, now + 2 * HOUR)
    other = dataclasses.replace(listing, title="Another title")
    assert record(other, now + HOUR) == []
    assert Audiobook.objects.get().title == listing.title


def _by(name: str, listing: Listing) -> Listing:
    return dataclasses.replace(listing, credits=(CreditLine(name, "B00PERSON1", "author"),))


def test_a_watch_learns_the_id_of_somebody_known_under_another_name(
    alice: User, now: dt.datetime
) -> None:
    record(_by("Ada Example", upcoming(now)), now)
    watch = make_watch(alice, "エイダ", now=now, marketplaces=["jp"])
    assert not watch.keys.filter(key="author:B00PERSON1").exists()
    record(_by("エイダ", upcoming(now, marketplace="jp")), now + HOUR)
    assert watch.keys.filter(key="author:B00PERSON1").exists()


def test_a_watch_learns_the_id_of_a_series_whose_title_comes_late(
    alice: User, now: dt.datetime
) -> None:
    record(upcoming(now, series=[SeriesPlace("B0SERIES01", "", None)]), now)
    watch = make_watch(alice, "The Saga", kind="series", now=now)
    record(upcoming(now, series=[SeriesPlace("B0SERIES01", "The Saga", None)]), now + HOUR)
    assert watch.keys.filter(key="series:B0SERIES01").exists()


@pytest.mark.django_db(transaction=True)
def test_a_watch_made_while_an_id_comes_in_learns_it() -> None:
    """Proves the guard lock of names: without it neither would see the other, and it never would."""
    now = dt.datetime.now(dt.UTC)
    alice = make_user("alice")
    page = Paused(lambda: record(_by("Ada Example", upcoming(now)), now))
    making = start_and_see_it_wait(lambda: make_watch(alice, "Ada Example", now=now))
    page.finish()
    making.join()
    assert WatchKey.objects.filter(key="author:B00PERSON1").exists()


@pytest.mark.django_db(transaction=True)
def test_two_stores_that_show_one_new_asin_at_once_show_one_work() -> None:
    """Proves the guard lock of new ASINs: without it there would be two works, told twice."""
    now = dt.datetime.now(dt.UTC)
    us, uk = (upcoming(now, marketplace=code, asin="B0SAMEASIN") for code in ("us", "uk"))
    first = Paused(lambda: record(us, now))
    second = start_and_see_it_wait(lambda: record(uk, now))
    first.finish()
    second.join()
    assert (Audiobook.objects.count(), Work.objects.count()) == (2, 1)


def test_a_watch_of_many_words_asks_how_rare_they_are_at_once(
    alice: User, now: dt.datetime, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_audiobook(now=now, title="The Glass Tide")
    words = " ".join(f"word{number}" for number in range(40))
    with django_assert_max_num_queries(20):
        watch = make_watch(alice, f"the glass {words}", kind="keyword", now=now)
    assert watch.keys.get().key.startswith("word:word")


def test_a_series_that_had_no_title_gets_one(now: dt.datetime) -> None:
    asin = make_asin()
    for title, hours in (("", 0), ("The Long Winter", 1), ("", 2)):
        place = SeriesPlace("B0SERIES77", title, "1")
        later = now + hours * dt.timedelta(hours=1)
        listing = make_listing(asin=asin, series=[place], runtime_minutes=600 + hours)
        record_listings(listings=[listing], fetched_at=later, now=later)
    assert Series.objects.get().title == "The Long Winter"


@pytest.mark.parametrize(
    ("met", "said"),
    [("Kellys Magic", "Kelly's Magic"), ("Die Koenigsmoerder", "Die Königsmörder")],
)
def test_a_series_known_by_its_address_gets_its_title_for_good(
    met: str, said: str, now: dt.datetime
) -> None:
    """Proves the guard that keeps a title which says more than the address of its page."""
    asin = make_asin()
    for title, hours in ((met, 0), (said, 1), (met, 2), ("Another Winter", 3)):
        place = SeriesPlace("B0SERIES78", title, "1")
        later = now + hours * dt.timedelta(hours=1)
        listing = make_listing(asin=asin, series=[place], runtime_minutes=600 + hours)
        record_listings(listings=[listing], fetched_at=later, now=later)
    assert Series.objects.get().title == said


def test_what_only_keeps_a_place_is_announced_once_there_is_a_book(now: dt.datetime) -> None:
    place = make_listing(narrators=(), undated=True)
    assert record(place, now) == []
    assert not Audiobook.objects.exists()
    dated = dataclasses.replace(place, undated=False, release_date=now.date() + 30 * DAY)
    assert record(dated, now + HOUR) == ["announced"]
    # taken back: no date, and no longer due
    assert record(place, now + 2 * HOUR) == ["detail_changed"]
    assert Audiobook.objects.get().release_date is None
    assert mark_out_by_date(now=now + 40 * DAY) == []
    assert record(dated, now + 3 * HOUR) == ["date_moved"]
