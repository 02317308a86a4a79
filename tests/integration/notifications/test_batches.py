"""Many events promised in one statement are promised as one by one, each in its turn."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.models import ReleaseEvent
from catalog.services import record_listings
from notifications import services
from notifications.matching import Range, matcher, promise
from notifications.models import Delivery, Route, Told
from notifications.timing import Wish
from notifications.wishes import next_digests, set_wish
from stalkerr import sql
from tests.factories import make_audiobook, make_channel, make_listing, make_watch
from tests.people import make_user
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
LATER = NOW + 10 * HOUR
repeatable = settings(
    derandomize=True,
    database=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

WATCHES = st.fixed_dictionaries(
    {
        "asked": st.sampled_from(
            [("author", "Ada Example"), ("keyword", "tide"), ("series", "Tides")]
        ),
        "marketplaces": st.sampled_from([["us"], ["uk"], ["us", "uk"]]),
        "per_edition": st.booleans(),
        "muted": st.sampled_from([False, False, False, True]),
        "event_kinds": st.sampled_from([["announced"], ["announced", "date_moved", "out_now"]]),
        "snoozed_until": st.sampled_from([None, None, LATER + HOUR]),
        "route": st.sampled_from(["default", "own", "only moves"]),
        "include_announced": st.booleans(),
        "heard_after": st.sampled_from([-1, -1, 2]),
    }
)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "watches": st.lists(WATCHES, max_size=3),
            "channels": st.integers(1, 2),
            "digest": st.booleans(),
        }
    ),
    min_size=1,
    max_size=3,
)
# What stores show, in turn: (which book, where, on which day it is out).
SHOWN = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["us", "uk"]), st.sampled_from([20, 40, 60])),
    min_size=1,
    max_size=10,
)


@dataclass(frozen=True)
class Promised:
    """All there is to compare."""

    told: frozenset[tuple[Any, ...]]
    deliveries: frozenset[tuple[Any, ...]]

    @classmethod
    def found(cls) -> "Promised":
        told = Told.objects.values_list(
            "work_id", "channel_id", "audiobook_id", "kind", "value", "event_id"
        )
        deliveries = Delivery.objects.values_list(
            "event_id", "channel_id", "state", "due_at", "in_digest", "watch_ids"
        )
        return cls(
            frozenset(told), frozenset((*rest, tuple(sorted(ids))) for *rest, ids in deliveries)
        )


def people_of(people: list[dict[str, Any]]) -> None:
    for number, person in enumerate(people):
        user = make_user(f"user{number}", time_zone="Europe/Berlin")
        channels = [
            make_channel(user, address=f"{number}.{place}.example.org", is_default=place == 0)
            for place in range(person["channels"])
        ]
        if person["digest"]:
            wish = Wish("Europe/Berlin", "daily", 9)
            set_wish(channel=channels[-1], wish=wish, now=NOW - HOUR)
        for asked in person["watches"]:
            watch_of(user, dict(asked), channels[-1])


def watch_of(user: User, fields: dict[str, Any], channel: Any) -> None:
    kind, query = fields.pop("asked")
    route, heard = fields.pop("route"), NOW + fields.pop("heard_after") * HOUR
    watch = make_watch(user, query, kind=kind, now=heard, **fields)
    if route != "default":
        kinds = ["date_moved"] if route == "only moves" else []
        Route.objects.create(user=user, watch=watch, channel=channel, event_kinds=kinds)


def show(shown: list[tuple[int, str, int]], *, told: int = 0) -> None:
    """All of it; what the first so many brought is promised before the others come."""
    for turn, (number, marketplace, days) in enumerate(shown):
        if turn == told:
            one_by_one()
        make_audiobook(
            now=NOW + turn * HOUR / 2,
            out_in=days,
            asin=f"B0TIDES00{number}",
            title=f"Tide {number}",
            marketplace=marketplace,
            series=[SeriesPlace(None, "Tides", str(number))],
        )


def outcome(work: Callable[[], None]) -> Promised:
    """What `work` promises; afterwards all is as before."""
    with transaction.atomic():
        work()
        found = Promised.found()
        transaction.set_rollback(True)
    return found


def one_by_one() -> None:
    """In the order of the news: the measure."""
    for event in ReleaseEvent.objects.unprocessed().select_related("audiobook"):
        promise([Range(matcher(event))], now=LATER, digests=next_digests(LATER))
    ReleaseEvent.objects.unprocessed().update(fanned_out_at=LATER)


@repeatable
@given(
    people=PEOPLE,
    shown=SHOWN,
    told=st.integers(0, 4),
    limit=st.sampled_from([1, 2, 200]),
    chunk=st.integers(1, 9),
)
def test_any_batch_of_news_promises_what_one_by_one_does(
    *,
    people: list[dict[str, Any]],
    shown: list[tuple[int, str, int]],
    told: int,
    limit: int,
    chunk: int,
) -> None:
    with transaction.atomic():
        people_of(people)
        show(shown, told=told)
        expected = outcome(one_by_one)
        assert outcome(lambda: fan_out(LATER, limit=limit, chunk=chunk)) == expected
        transaction.set_rollback(True)


@repeatable
@given(people=PEOPLE, shown=SHOWN)
def test_editions_of_one_work_in_one_statement_are_told_as_one_by_one(
    people: list[dict[str, Any]], shown: list[tuple[int, str, int]]
) -> None:
    with transaction.atomic():
        people_of(people)
        show(shown)
        first = ReleaseEvent.objects.filter(revision=1).select_related("audiobook").order_by("id")
        ranges = [Range(matcher(event)) for event in first]
        digests = next_digests(LATER)

        def together() -> None:
            promise(ranges, now=LATER, digests=digests)

        def apart() -> None:
            for each in ranges:
                promise([each], now=LATER, digests=digests)

        assert outcome(together) == outcome(apart)
        transaction.set_rollback(True)


def test_what_a_first_edition_tells_later_is_not_told_by_the_second_before(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard of one event a work: the move would be told of the uk edition."""
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"])
    uk = make_audiobook(now=now + HOUR, marketplace="uk", title="Glass Tide")
    fan_out(now + HOUR)
    us = make_audiobook(now=now + HOUR, asin=uk.asin, title="Glass Tide")
    for marketplace in ("us", "uk"):
        make_audiobook(
            now=now + 2 * HOUR,
            out_in=None,
            marketplace=marketplace,
            asin=us.asin,
            title="Glass Tide",
            release_date=now.date() + dt.timedelta(days=90),
        )
    fan_out(now + 3 * HOUR)
    told = Delivery.objects.order_by("id").values_list("event__kind", "event__audiobook")
    assert list(told) == [("announced", uk.id), ("date_moved", us.id)]


def test_a_batch_of_news_takes_a_fixed_number_of_statements(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    counts = []
    for turn, size in enumerate((1, 200), start=1):
        later = now + turn * HOUR
        day = later.date() + dt.timedelta(days=30)
        listings = [make_listing(release_date=day) for _ in range(size)]
        record_listings(listings=listings, fetched_at=later, now=later)
        with CaptureQueriesContext(connection) as queries:
            assert services.fan_out_due(now=later, limit=200, chunk=20_000) == size
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8
    assert Delivery.objects.count() == 201


def test_what_is_too_much_for_a_chunk_goes_on_where_it_stopped(now: dt.datetime) -> None:
    users = [make_user(f"user{n}") for n in range(6)]
    for user in users:
        make_channel(user)
        make_watch(user, now=now)
    for _ in range(3):
        make_audiobook(now=now + HOUR)
    rounds = 0
    while services.fan_out_due(now=now + HOUR, limit=200, chunk=4):
        rounds += 1
    assert rounds > 3
    assert Delivery.objects.count() == 18


def test_large_news_is_not_compared_listener_by_listener(alice: User, now: dt.datetime) -> None:
    """Proves the guard `coalesce(… IN …)`: a join is planned for a few rows, each with each.

    Of 5,000 listeners that made 25 million comparisons; the plan says which it is.
    """
    make_channel(alice)
    make_watch(alice, now=now)
    event = make_audiobook(now=now + HOUR).events.select_related("audiobook").get()
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        promise([Range(matcher(event))], now=now + HOUR, digests={})
        transaction.set_rollback(True)
    (statement,) = [each["sql"] for each in queries if "INSERT INTO deliveries" in each["sql"]]
    plan = "\n".join(line for (line,) in sql.rows(f"EXPLAIN {statement.replace('%', '%%')}"))
    assert "hashed SubPlan" in plan
