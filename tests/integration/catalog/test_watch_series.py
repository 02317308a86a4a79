"""Series over marketplaces: what belongs together, and what its watches ask for and hear."""

import dataclasses
import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import store_date
from catalog.models import Series, SeriesGroup, Watch
from catalog.series_groups import Group, Pair, joined
from catalog.services import record_listings
from catalog.watching import save_watch
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_asin, make_listing, make_watch
from tests.people import make_user

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
US, DE, UK = "B0TIDESUS1", "B0TIDESDE2", "B0TIDESUK3"
ADA, BEA = "B00ADAONE1", "B00BEATWO2"


def volume(
    now: dt.datetime,
    marketplace: str,
    series: str,
    *,
    title: str = "Tides",
    author: str | None = ADA,
    asin: str = "",
) -> Listing:
    """A title to come in a series."""
    listing = make_listing(
        marketplace=marketplace,
        asin=asin,
        series=[SeriesPlace(series, title, "1")],
        release_date=store_date(marketplace, now) + 30 * DAY,
    )
    return dataclasses.replace(listing, credits=(CreditLine("Ada Example", author, "author"),))


def record(*listings: Listing, now: dt.datetime) -> None:
    record_listings(listings=listings, fetched_at=now, now=now)


def groups() -> set[frozenset[str]]:
    """The ASINs of each group."""
    return {
        frozenset(group.series_set.values_list("asin", flat=True))
        for group in SeriesGroup.objects.all()
    }


def keys_of(watch: Watch) -> set[str]:
    return set(watch.keys.values_list("key", flat=True))


def asked_of(watch: Watch) -> set[tuple[str, str, str]]:
    return set(watch.queries.values_list("marketplace", "kind", "query"))


# -- groups --------------------------------------------------------------------------------------


def test_series_of_one_title_and_author_are_one_over_marketplaces(now: dt.datetime) -> None:
    record(volume(now, "us", US), now=now)
    assert groups() == set()
    record(volume(now, "de", DE), now=now)
    assert groups() == {frozenset({US, DE})}
    record(volume(now, "uk", UK), now=now)
    assert groups() == {frozenset({US, DE, UK})}
    assert SeriesGroup.objects.get().title == "Tides"


def test_series_on_one_page_are_grouped_too(now: dt.datetime) -> None:
    record(
        *(volume(now, code, asin) for code, asin in [("us", US), ("de", DE), ("uk", UK)]), now=now
    )
    assert groups() == {frozenset({US, DE, UK})}


def test_a_work_in_common_is_enough(now: dt.datetime) -> None:
    asin = make_asin()
    record(volume(now, "us", US, author=None, asin=asin), now=now)
    record(volume(now, "de", DE, author=None, asin=asin), now=now)
    assert groups() == {frozenset({US, DE})}


@pytest.mark.parametrize(
    ("title", "author"), [("Tides", BEA), ("Tides", None), ("Other Tides", ADA)]
)
def test_series_that_only_look_alike_stay_apart(
    title: str, author: str | None, now: dt.datetime
) -> None:
    record(volume(now, "us", US), volume(now, "de", DE, title=title, author=author), now=now)
    assert groups() == set()


def test_an_author_that_becomes_known_later_joins_series_then(now: dt.datetime) -> None:
    record(volume(now, "us", US), now=now)
    late = volume(now, "de", DE, author=None)
    record(late, now=now)
    assert groups() == set()
    known = dataclasses.replace(late, credits=(CreditLine("Ada Example", ADA, "author"),))
    record(known, now=now + HOUR)
    assert groups() == {frozenset({US, DE})}


def test_who_belongs_to_two_groups_makes_them_one(now: dt.datetime) -> None:
    record(volume(now, "us", US), volume(now, "uk", UK), now=now)
    record(volume(now, "de", DE, author=BEA), volume(now, "fr", "B0TIDESFR4", author=BEA), now=now)
    assert len(groups()) == 2
    both = volume(now, "it", "B0TIDESIT5")
    credits = tuple(CreditLine(f"N {asin}", asin, "author") for asin in (ADA, BEA))
    record(dataclasses.replace(both, credits=credits), now=now)
    assert groups() == {frozenset({US, UK, DE, "B0TIDESFR4", "B0TIDESIT5"})}
    assert not Series.objects.filter(group=None).exists()


def test_pairs_with_a_series_or_a_group_in_common_are_one_group() -> None:
    pairs = [
        Pair((1, 2), frozenset(), "a"),
        Pair((3, 4), frozenset({9}), "b"),
        Pair((5, 6), frozenset({9}), "b"),
        Pair((2, 7), frozenset(), "a"),
        Pair((8, 10), frozenset(), "c"),
    ]
    assert {(group.ids, group.groups) for group in joined(pairs)} == {
        (frozenset({1, 2, 7}), frozenset()),
        (frozenset({3, 4, 5, 6}), frozenset({9})),
        (frozenset({8, 10}), frozenset()),
    }
    assert joined([]) == []
    assert isinstance(joined(pairs)[0], Group)


@pytest.mark.django_db(transaction=True)
def test_two_pages_that_bring_a_series_each_group_them() -> None:
    """Proves the guard lock of titles: without it neither page would see the other's series."""
    now = dt.datetime.now(dt.UTC)
    # Both people are known, so that nobody waits for anybody over those.
    record(volume(now, "fr", "B0OTHERFR1", title="Other"), now=now)
    first = Paused(lambda: record(volume(now, "us", US), now=now))
    second = start_and_see_it_wait(lambda: record(volume(now, "de", DE), now=now))
    first.finish()
    second.join()
    assert groups() == {frozenset({US, DE})}


# -- watches -------------------------------------------------------------------------------------


def test_a_watch_by_asin_asks_for_it_everywhere_until_we_know_better(
    alice: User, now: dt.datetime
) -> None:
    watch = make_watch(
        alice, "Tides", kind="series", asin=US, now=now, marketplaces=["us", "de", "uk"]
    )
    assert asked_of(watch) == {(code, "series", US) for code in ("us", "de", "uk")}
    record(volume(now, "us", US), volume(now, "uk", US), now=now)
    assert asked_of(watch) == {
        ("us", "series", US),
        ("uk", "series", US),
        ("de", "keyword", "tides"),
    }
    record(volume(now, "de", DE), now=now)
    assert asked_of(watch) == {
        ("us", "series", US),
        ("uk", "series", US),
        ("de", "series", DE),
    }
    assert keys_of(watch) == {f"series:{US}", f"series:{DE}", "series~tides"}
    # what is learnt is heard at once: nobody asked for more
    assert not watch.queries.filter(active_from=None).exists()


def test_a_watch_by_asin_that_is_made_later_knows_the_group(alice: User, now: dt.datetime) -> None:
    record(volume(now, "us", US), volume(now, "de", DE), now=now)
    watch = make_watch(
        alice, "Tides", kind="series", asin=US, now=now, marketplaces=["us", "de", "fr"]
    )
    assert keys_of(watch) == {f"series:{US}", f"series:{DE}", "series~tides"}
    assert asked_of(watch) == {
        ("us", "series", US),
        ("de", "series", DE),
        ("fr", "keyword", "tides"),
    }


def test_a_watch_by_asin_learns_no_series_that_only_has_the_title(
    alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, "Tides", kind="series", asin=US, now=now)
    record(volume(now, "us", US), volume(now, "us", "B0NAMESAKE", author=BEA), now=now)
    assert keys_of(watch) == {f"series:{US}", "series~tides"}


def test_a_watch_by_title_learns_every_series_of_the_title(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, "Tides", kind="series", now=now)
    record(volume(now, "us", US), volume(now, "us", UK, author=BEA), now=now)
    assert keys_of(watch) == {f"series:{US}", f"series:{UK}", "series~tides"}
    assert asked_of(watch) == {("us", "keyword", "tides")}


def test_a_page_of_watched_series_costs_what_one_costs(alice: User, now: dt.datetime) -> None:
    counts = []
    for size in (1, 20):
        asins = [(make_asin(), make_asin()) for _ in range(size)]
        for n, (us, _) in enumerate(asins):
            title = f"Tides {size} {n}"
            make_watch(alice, title, kind="series", asin=us, now=now, marketplaces=["us", "de"])
            record(volume(now, "us", us, title=title), now=now)
        page = [volume(now, "de", de, title=f"Tides {size} {n}") for n, (_, de) in enumerate(asins)]
        with CaptureQueriesContext(connection) as queries:
            record(*page, now=now)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert len(groups()) == 21


@pytest.mark.django_db(transaction=True)
def test_an_edit_under_way_and_a_page_that_brings_its_series_do_not_wait_in_a_ring() -> None:
    now = dt.datetime.now(dt.UTC)
    watch = make_watch(make_user("listener"), "Tides", kind="series", asin=US, now=now)
    page = Paused(lambda: record(volume(now, "us", US), volume(now, "de", DE), now=now))
    watch.marketplaces = ["us", "de"]
    edit = start_and_see_it_wait(lambda: save_watch(watch=watch, now=now))
    page.finish()
    edit.join()
    assert asked_of(watch) == {("us", "series", US), ("de", "series", DE)}
