"""Which work a new audiobook is born into, whoever else is at it at the same moment."""

import dataclasses
import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.listing import Listing, SeriesPlace
from catalog.models import Audiobook, Work
from catalog.services import record_listings
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_audiobook, make_listing

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
TIDE: dict[str, Any] = {"title": "Glass Tide", "runtime_minutes": 600}


def record(now: dt.datetime, *page: Listing) -> None:
    record_listings(listings=page, fetched_at=now, now=now)


def book(now: dt.datetime, **facts: Any) -> Audiobook:
    return make_audiobook(now=now, **(TIDE | facts))


@pytest.mark.parametrize(
    ("facts", "works"),
    [
        ({"marketplace": "uk"}, 1),
        ({"marketplace": "uk", "runtime_minutes": None}, 1),
        ({"out_in": 900}, 1),
        ({"marketplace": "uk", "authors": ["Somebody Else"]}, 2),
        ({"runtime_minutes": None}, 2),
        ({"marketplace": "de", "language": "german"}, 2),
        ({"marketplace": "uk", "format_type": "abridged"}, 2),
    ],
)
def test_a_new_edition_joins_the_work_that_it_surely_is_of(
    facts: dict[str, Any], works: int, now: dt.datetime
) -> None:
    book(now)
    book(now, **facts)
    assert Work.objects.count() == works
    assert not Audiobook.objects.filter(work_due=True).exists()


def test_editions_on_one_page_are_born_into_one_work(now: dt.datetime) -> None:
    cases: list[dict[str, Any]] = [{}, {"marketplace": "uk"}, {"title": "Another"}]
    us, uk, other = (make_listing(**(TIDE | facts)) for facts in cases)
    record(now, other, uk, us)
    assert Work.objects.count() == 2
    assert set(Work.objects.values_list("title", flat=True)) == {"Glass Tide", "Another"}


def test_an_edition_that_two_works_fit_joins_neither(now: dt.datetime) -> None:
    """Two books of one title and author: it can't tell which, and silence would lose news."""
    first, second = book(now, runtime_minutes=300), book(now, runtime_minutes=600)
    third = book(now, marketplace="uk", runtime_minutes=None)
    assert len({first.work_id, second.work_id, third.work_id}) == 3


def test_an_edition_that_another_of_the_work_contradicts_stays_apart(now: dt.datetime) -> None:
    first = book(now)
    book(now, marketplace="uk", runtime_minutes=None)
    again = book(now, marketplace="uk")
    assert again.work_id != first.work_id


def test_a_sku_outweighs_a_title(now: dt.datetime) -> None:
    book(now, sku="BK_ADBL_000001")
    german = book(
        now, marketplace="de", sku="BK_ADBL_000001DE", title="Glasflut", language="german"
    )
    assert Work.objects.get() == german.work


def test_who_shows_two_works_to_be_one_calls_for_a_look(now: dt.datetime) -> None:
    first = book(now, sku="BK_ADBL_000001", title="One")
    book(now, isbn="9781774248188", title="Two")
    third = book(now, marketplace="uk", sku="BK_ADBL_000001", isbn="9781774248188")
    assert (third.work, third.work_due) == (first.work, True)


@pytest.mark.parametrize(
    ("facts", "traits"),
    [
        ({}, ["reissue"]),
        ({"narrators": ["Somebody Else"]}, []),
        ({"narrators": []}, []),
        ({"marketplace": "uk"}, []),
        ({"out_in": -2000}, []),
    ],
)
def test_a_recording_sold_again_under_another_asin_is_a_reissue(
    facts: dict[str, Any], traits: list[str], now: dt.datetime
) -> None:
    old = book(now, out_in=-1000)
    new = book(now, **facts)
    assert new.work == old.work
    assert new.traits == traits
    assert old.traits == []


def test_a_reissue_stays_one_when_its_facts_change(now: dt.datetime) -> None:
    book(now, out_in=-1000)
    new = book(now)
    book(now + DAY, asin=new.asin, subtitle="A Tale")
    new.refresh_from_db()
    assert (new.subtitle, new.traits) == ("A Tale", ["reissue"])


def test_a_reissue_on_one_page_with_what_it_sells_again_is_seen_as_one(now: dt.datetime) -> None:
    old = make_listing(**TIDE, asin="B0ZZZZZZZZ", release_date=now.date() - 1000 * DAY)
    new = make_listing(**TIDE, asin="B0AAAAAAAA", release_date=now.date() + 10 * DAY)
    record(now, new, old)
    assert Audiobook.objects.get(traits=["reissue"]).asin == "B0AAAAAAAA"


@pytest.mark.parametrize(
    "changed",
    [{"runtime_minutes": 640}, {"title": "Glass Tides"}, {"isbn": "9781774248188"}],
)
def test_other_facts_of_identity_call_for_a_look_and_move_nothing(
    changed: dict[str, Any], now: dt.datetime
) -> None:
    listing = make_listing(**TIDE)
    record(now, listing)
    work = Audiobook.objects.get().work
    record(now + DAY, dataclasses.replace(listing, subtitle="A Tale"))
    assert not Audiobook.objects.get().work_due
    record(now + 2 * DAY, dataclasses.replace(listing, **changed))
    found = Audiobook.objects.get()
    assert (found.work_due, found.work) == (True, work)


def test_new_editions_may_join_what_a_person_put_together(now: dt.datetime) -> None:
    first, second = book(now), book(now, title="Other")
    Audiobook.objects.update(work=first.work, work_pinned=True)
    assert book(now, marketplace="uk").work_id == first.work_id
    assert book(now, marketplace="uk", title="Other").work_id == first.work_id
    assert second.work_id != first.work_id


def statements(page: list[Listing], now: dt.datetime) -> int:
    with CaptureQueriesContext(connection) as queries:
        record(now, *page)
    return len(queries)


def test_editions_of_many_works_are_found_at_the_cost_of_one(now: dt.datetime) -> None:
    """For 1, 10 and 50 listings: editions of known works, new titles, and both unchanged."""

    def page(code: str, size: int) -> list[Listing]:
        return [
            make_listing(
                marketplace=code,
                title=f"Title {size} {number}",
                authors=[f"Author {size} {number}"],
                asin=f"B{code.upper()}{size:03d}{number:04d}",
                series=[SeriesPlace(f"B0{size:04d}{number:04d}", f"S {size} {number}", "1")],
            )
            for number in range(size)
        ]

    counts: dict[str, set[int]] = {"us": set(), "uk": set(), "unchanged": set()}
    for size in (1, 10, 50):
        counts["us"].add(statements(page("us", size), now))
        counts["uk"].add(statements(page("uk", size), now))
        counts["unchanged"].add(statements(page("uk", size), now + DAY))
    assert Work.objects.count() == 61
    assert {name: len(found) for name, found in counts.items()} == dict.fromkeys(counts, 1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_find_two_editions_at_once_end_with_one_work() -> None:
    """Proves the guard lock of names: without it neither sees the other's work."""
    now = dt.datetime.now(dt.UTC)
    us = make_listing(**TIDE, sku="BK_ADBL_000001")
    uk = make_listing(**TIDE, sku="BK_ADBL_000001", marketplace="uk")
    first = Paused(lambda: record(now, us))
    second = start_and_see_it_wait(lambda: record(now, uk))
    first.finish()
    second.join()
    assert (Audiobook.objects.count(), Work.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_many_workers_that_meet_editions_of_the_same_books_wait_in_no_ring() -> None:
    now = dt.datetime.now(dt.UTC)
    pages = [
        [
            make_listing(
                **(TIDE | {"title": f"Book {n}"}), marketplace=code, asin=f"B{code}0{n:06d}"
            )
            for n in range(30)
        ]
        for code in ("us", "uk", "au", "ca")
    ]
    pages[1].reverse()
    pages[3].reverse()
    start = threading.Barrier(len(pages))
    failures: list[BaseException] = []

    def work(page: list[Listing]) -> None:
        try:
            start.wait()
            record(now, *page)
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
    assert (Audiobook.objects.count(), Work.objects.count()) == (120, 30)
