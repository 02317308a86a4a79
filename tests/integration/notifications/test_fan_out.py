"""Who is promised which news: matching, routes, Told, and the fan-out's memory of how far it got."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from accounts.services import notify
from catalog.listing import SeriesPlace
from catalog.models import Mark, ReleaseEvent, Watch, WatchKey
from catalog.services import record_listings
from catalog.watching import end_watch, save_watch
from notifications import replaying, services
from notifications.marking import mark_work
from notifications.models import Channel, Delivery, Refan, Route, Told
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_listing, make_watch
from tests.people import make_user
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def promised(user: User) -> list[str]:
    """The kinds of news promised to a user."""
    mine = Delivery.objects.filter(user=user, state=Delivery.State.PENDING).order_by("event_id")
    return list(mine.values_list("event__kind", flat=True))


@pytest.mark.parametrize(
    ("kind", "query", "fields", "hears"),
    [
        ("author", "Ada Example", {}, True),
        ("author", "  ADA   exámple ", {}, True),
        ("author", "Ada", {}, False),
        ("keyword", "tide glass", {}, True),
        ("keyword", '"glass tide"', {}, True),
        ("keyword", '"tide glass"', {}, False),
        ("keyword", "glass wave", {}, False),
        ("author", "Ada Example", {"excluded_words": ["Tide"]}, False),
        ("author", "Ada Example", {"excluded_words": ["wave"]}, True),
        ("author", "Ada Example", {"languages": ["german"]}, False),
        ("author", "Ada Example", {"languages": ["english", "german"]}, True),
        ("author", "Ada Example", {"marketplaces": ["uk"]}, False),
        ("author", "Ada Example", {"event_kinds": ["out_now"]}, False),
        ("author", "Ada Example", {"muted": True}, False),
        ("asin", "B0GLASS001", {}, True),
        ("asin", "B0GLASS002", {}, False),
    ],
)
def test_a_watch_hears_what_it_asked_for(
    kind: str, query: str, fields: dict[str, Any], *, hears: bool, alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, query, kind=kind, now=now, **fields)
    make_audiobook(now=now + HOUR, asin="B0GLASS001", title="Glass Tide")
    fan_out(now + HOUR)
    assert promised(alice) == (["announced"] if hears else [])


def test_a_watch_by_name_learns_the_id_that_comes_with_the_name(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, "Ada Example", now=now)
    listing = make_listing(release_date=now.date() + 30 * dt.timedelta(days=1))
    with_id = listing.credits[0].__class__("Ada Example", "B00PERSON1", "author")
    listing = listing.__class__(
        **{name: getattr(listing, name) for name in listing.__dataclass_fields__}
        | {"credits": (with_id,)}
    )
    record_listings(listings=[listing], fetched_at=now + HOUR, now=now + HOUR)
    fan_out(now + HOUR)
    assert promised(alice) == ["announced"]


def test_nothing_is_heard_before_the_baseline_is_over(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, is_active=False)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    assert promised(alice) == []


def test_a_watch_younger_than_the_event_takes_no_part(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_audiobook(now=now)
    make_watch(alice, now=now + HOUR)
    fan_out(now + HOUR)
    assert promised(alice) == []


@pytest.mark.parametrize(("include", "kinds"), [(True, ["date_moved"]), (False, [])])
def test_later_news_of_what_was_announced_before_is_a_choice(
    *, include: bool, kinds: list[str], alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    audiobook = make_audiobook(now=now)
    fan_out(now)
    make_watch(alice, now=now + HOUR, include_announced=include)
    make_audiobook(now=now + 2 * HOUR, out_in=60, asin=audiobook.asin, title=audiobook.title)
    fan_out(now + 2 * HOUR)
    assert promised(alice) == kinds


def test_two_watches_are_two_reasons_for_one_promise(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    watches = {
        make_watch(alice, now=now).id,
        make_watch(alice, "glass", kind="keyword", now=now).id,
    }
    make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR)
    assert set(Delivery.objects.get().watch_ids) == watches


def test_own_routes_of_a_watch_replace_the_default_ones(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    own = make_channel(alice, is_default=False, address="own.example.org")
    watch = make_watch(alice, now=now)
    Route.objects.create(user=alice, watch=watch, channel=own)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    assert Delivery.objects.get().channel == own


def test_told_keeps_a_second_edition_of_a_work_from_being_told_again(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard Told: without its unique key there would be two promises."""
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"])
    us = make_audiobook(now=now + HOUR)
    make_audiobook(now=now + HOUR, marketplace="uk", asin=us.asin)
    assert ReleaseEvent.objects.filter(kind="announced").count() == 2
    fan_out(now + HOUR)
    assert promised(alice) == ["announced"]
    assert Told.objects.count() == 1


def test_a_watch_by_edition_is_told_of_each(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"], per_edition=True)
    us = make_audiobook(now=now + HOUR)
    make_audiobook(now=now + HOUR, marketplace="uk", asin=us.asin)
    fan_out(now + HOUR)
    assert promised(alice) == ["announced", "announced"]


def test_a_date_that_flaps_is_told_once_a_value(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    asin = make_audiobook(now=now + HOUR, title="Glass Tide").asin
    for turn in range(1, 21):
        days = 60 if turn % 2 else 90
        later = now + HOUR + turn * dt.timedelta(seconds=1)
        make_audiobook(now=later, out_in=days, asin=asin, title="Glass Tide")
    fan_out(now + 30 * HOUR)
    assert promised(alice) == ["announced", "date_moved", "date_moved"]


def test_fanning_an_event_out_again_promises_nothing_twice(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    event = event_of(make_audiobook(now=now + HOUR))
    fan_out(now + HOUR)
    ReleaseEvent.objects.filter(id=event.id).update(fanned_out_at=None, fanned_through=0)
    fan_out(now + HOUR)
    assert promised(alice) == ["announced"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_chunks_of_any_size_reach_everybody_once(chunk: int, now: dt.datetime) -> None:
    users = [make_user(f"user{n}") for n in range(7)]
    for user in users:
        make_channel(user)
        make_watch(user, now=now)
        make_watch(user, "glass", kind="keyword", now=now)
    make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR, chunk=chunk)
    assert [promised(user) for user in users] == [["announced"]] * 7


def test_muted_news_is_remembered_and_not_told_later(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now, marketplaces=["us", "uk"], muted=True)
    us = make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    Watch.objects.filter(id=watch.id).update(muted=False)
    make_audiobook(now=now + 2 * HOUR, marketplace="uk", asin=us.asin)
    fan_out(now + 2 * HOUR)
    assert promised(alice) == []


def test_snoozed_news_waits_until_the_snooze_ends(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, snoozed_until=now + 5 * HOUR)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    assert Delivery.objects.get().due_at == now + 5 * HOUR


def test_a_marked_work_is_never_told_of(alice: User, bob: User, now: dt.datetime) -> None:
    for user in (alice, bob):
        make_channel(user)
        make_watch(user, now=now)
    audiobook = make_audiobook(now=now + HOUR)
    Mark.objects.create(user=alice, work=audiobook.work, kind=Mark.Kind.HAVE_IT)
    fan_out(now + HOUR)
    assert (promised(alice), promised(bob)) == ([], ["announced"])


def test_news_for_a_disabled_channel_is_held(alice: User, now: dt.datetime) -> None:
    channel = make_channel(alice)
    services.disable_channel(channel=channel, reason="gone", now=now)
    make_watch(alice, now=now)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    assert Delivery.objects.get().state == Delivery.State.HELD
    services.enable_channel(channel=channel)
    assert replaying.replay_held(channel=channel, now=now) == 1
    assert promised(alice) == ["announced"]


def test_an_edit_takes_back_what_is_no_longer_wanted(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now)
    make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR)
    watch.excluded_words = ["tide"]
    save_watch(watch=watch, now=now + 2 * HOUR)
    assert services.cancel_unwanted(now=now + 2 * HOUR) == 1
    assert Delivery.objects.get().state == Delivery.State.CANCELLED
    assert not Told.objects.exists()
    assert services.cancel_unwanted(now=now + 2 * HOUR) == 0


def test_what_is_taken_back_is_not_lost_to_another_watch(alice: User, now: dt.datetime) -> None:
    """The uk edition was silenced by what the us watch was told; that promise is taken back."""
    make_channel(alice)
    us_watch = make_watch(alice, now=now, marketplaces=["us"])
    make_watch(alice, now=now, marketplaces=["uk"])
    us = make_audiobook(now=now + HOUR)
    uk = make_audiobook(now=now + HOUR, marketplace="uk", asin=us.asin)
    fan_out(now + HOUR)
    end_watch(watch=us_watch, now=now + 2 * HOUR)
    services.cancel_unwanted(now=now + 2 * HOUR)
    assert not Watch.objects.filter(id=us_watch.id).exists()
    assert Refan.objects.count() == 2
    services.fan_out_again(now=now + 2 * HOUR, limit=10)
    assert Delivery.objects.get(state=Delivery.State.PENDING).event == event_of(uk)


def test_what_another_watch_still_wants_is_kept(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now)
    other = make_watch(alice, "glass", kind="keyword", now=now)
    make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR)
    end_watch(watch=watch, now=now + 2 * HOUR)
    services.cancel_unwanted(now=now + 2 * HOUR)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.watch_ids) == (Delivery.State.PENDING, [other.id])


def test_a_notice_goes_once_to_each_enabled_channel_of_its_reader(
    alice: User, bob: User, staff: User, now: dt.datetime
) -> None:
    mine = [make_channel(alice), make_channel(alice, address="b.example.org")]
    make_channel(bob)
    operators = make_channel(staff)
    for _ in range(2):
        notify(user_id=alice.id, subject="Hello", text="…", dedupe_key="a", now=now)
        notify(subject="Trouble", text="…", dedupe_key="b", now=now)
        services.fan_out_notices(now=now)
    told = Delivery.objects.values_list("notice__subject", "channel_id")
    assert sorted(told) == sorted(
        [("Hello", mine[0].id), ("Hello", mine[1].id), ("Trouble", operators.id)]
    )


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_one_event_promise_it_once() -> None:
    now = dt.datetime.now(dt.UTC)
    users = [make_user(f"user{n}") for n in range(20)]
    for user in users:
        make_channel(user)
        make_watch(user, now=now)
    make_audiobook(now=now + HOUR)
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        fan_out(now + HOUR, chunk=3)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [promised(user) for user in users] == [["announced"]] * 20


@pytest.mark.django_db(transaction=True)
def test_nobody_does_a_chunk_that_somebody_is_at() -> None:
    """Proves the guard row lock: without it the second would wait for the first one's promises."""
    now = dt.datetime.now(dt.UTC)
    users = [make_user("first"), make_user("second")]
    for user in users:
        make_channel(user)
        make_watch(user, now=now)
    make_audiobook(now=now + HOUR)
    first = Paused(lambda: services.fan_out_due(now=now + HOUR, limit=10, chunk=1))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        assert services.fan_out_due(now=now + HOUR, limit=10, chunk=1) == 0
    first.finish()
    assert [promised(user) for user in users] == [["announced"], []]
    fan_out(now + HOUR, chunk=1)
    assert [promised(user) for user in users] == [["announced"]] * 2


@pytest.mark.django_db(transaction=True)
def test_an_edit_sees_the_promises_of_a_chunk_that_was_under_way() -> None:
    """Proves the guard promises lock: without it the edit would miss what is not committed yet."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("listener")
    make_channel(user)
    watch = make_watch(user, now=now)
    make_audiobook(now=now + HOUR, title="Glass Tide")
    chunk = Paused(lambda: fan_out(now + HOUR))
    watch.excluded_words = ["tide"]
    save_watch(watch=watch, now=now + HOUR)
    edit = start_and_see_it_wait(lambda: services.cancel_unwanted(now=now + HOUR))
    chunk.finish()
    edit.join()
    assert promised(user) == []


def test_two_events_of_one_work_never_wait_for_each_other_in_a_ring(now: dt.datetime) -> None:
    """Proves the guard order of Told: without it the rows go in as they lie in a hash table."""
    for n in range(40):
        user = make_user(f"user{n}")
        make_channel(user)
        make_watch(user, now=now, marketplaces=["us", "uk"] if n % 3 else ["us"])
    us = make_audiobook(now=now + HOUR)
    make_audiobook(now=now + HOUR, marketplace="uk", asin=us.asin)
    fan_out(now + HOUR)
    told = list(Told.objects.order_by("id").values_list("channel_id", flat=True))
    assert told == sorted(told)


@pytest.mark.django_db(transaction=True)
def test_an_edit_during_the_look_at_an_earlier_one_is_looked_at_too() -> None:
    """Proves the guard lock of edited watches: without it the second edit would be forgotten."""
    now = dt.datetime.now(dt.UTC)
    alice, bob = make_user("alice"), make_user("bob")
    watch, ended = [make_watch(user, now=now) for user in (alice, bob) if make_channel(user)]
    make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR)
    watch.languages = ["english"]
    save_watch(watch=watch, now=now + HOUR)
    end_watch(watch=ended, now=now + HOUR)
    busy = Paused(lambda: list(Told.objects.select_for_update()))
    look = start_and_see_it_wait(lambda: services.cancel_unwanted(now=now + HOUR))
    watch.excluded_words = ["tide"]

    def edit_again() -> None:
        save_watch(watch=watch, now=now + HOUR)
        connection.close()

    edit = threading.Thread(target=edit_again)
    edit.start()
    edit.join(0.3)  # it waits; without the lock it is through by now
    busy.finish()
    for thread in (look, edit):
        thread.join()
    services.cancel_unwanted(now=now + 2 * HOUR)
    assert promised(alice) == []


@pytest.mark.django_db(transaction=True)
def test_a_mark_and_the_look_at_an_edit_do_not_wait_in_a_ring() -> None:
    """Proves the guard watches first: each would hold what the other waits for."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("listener")
    make_channel(user)
    watch = make_watch(user, now=now)
    first, second = (make_audiobook(now=now + HOUR, title=title) for title in ("Tide", "Glass"))
    fan_out(now + HOUR)
    watch.excluded_words = ["tide"]
    save_watch(watch=watch, now=now + HOUR)
    busy = Paused(lambda: Delivery.objects.select_for_update().get(event__audiobook=first))
    look = start_and_see_it_wait(lambda: services.cancel_unwanted(now=now + HOUR))
    mark = start_and_see_it_wait(
        lambda: mark_work(user=user, audiobook=second, kind=Mark.Kind.HAVE_IT, now=now + HOUR), 2
    )
    busy.finish()
    for thread in (look, mark):
        thread.join()
    assert Mark.objects.get().work_id == second.work_id
    assert promised(user) == []


def test_a_snooze_that_ends_early_ends_it_for_what_was_promised(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now, snoozed_until=now + 50 * HOUR)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    watch.snoozed_until = None
    save_watch(watch=watch, now=now + 2 * HOUR)
    services.cancel_unwanted(now=now + 2 * HOUR)
    assert Delivery.objects.get().due_at == now + 2 * HOUR


def test_what_is_held_goes_with_its_last_reason(alice: User, now: dt.datetime) -> None:
    channel = make_channel(alice)
    watch = make_watch(alice, now=now)
    services.disable_channel(channel=channel, reason="gone", now=now)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    end_watch(watch=watch, now=now + 2 * HOUR)
    services.cancel_unwanted(now=now + 2 * HOUR)
    services.enable_channel(channel=channel)
    assert replaying.replay_held(channel=channel, now=now + 3 * HOUR) == 0


def test_whose_author_or_series_becomes_known_later_is_announced_to_those_who_watch_them(
    alice: User, bob: User, now: dt.datetime
) -> None:
    for user in (alice, bob):
        make_channel(user)
    make_watch(alice, "Tides", kind="series", asin="B0SERIES01", now=now)
    make_watch(bob, "glass", kind="keyword", now=now)
    facts: dict[str, Any] = {
        "title": "Glass Tide",
        "release_date": now.date() + 30 * DAY,
        "authors": [],
    }
    asin = make_audiobook(now=now + HOUR, **facts).asin
    fan_out(now + HOUR)
    assert (promised(alice), promised(bob)) == ([], ["announced"])
    place = SeriesPlace("B0SERIES01", "Tides", "2")
    make_audiobook(now=now + 2 * HOUR, asin=asin, series=[place], **facts)
    fan_out(now + 2 * HOUR)
    assert (promised(alice), promised(bob)) == (["announced"], ["announced"])


def test_a_key_of_anothers_watch_is_refused(alice: User, bob: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now)
    WatchKey.objects.create(key="author~x", user_id=bob.id, watch=watch)
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_promise_to_a_channel_that_was_disabled_meanwhile_is_held(
    alice: User, now: dt.datetime
) -> None:
    channel = make_channel(alice)
    make_watch(alice, now=now)
    make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    Channel.objects.filter(id=channel.id).update(disabled_at=now + HOUR)
    assert services.hold_strays(now=now + 2 * HOUR) == 1
    assert promised(alice) == []


def test_news_that_is_held_is_promised_to_nobody_by_whatever_way(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard held_by: an old hint, or a look at what was given back, would tell it."""
    make_channel(alice)
    make_watch(alice, now=now - dt.timedelta(days=1))
    event = event_of(make_audiobook(now=now))
    ReleaseEvent.objects.filter(id=event.id).update(held_by=1)
    Refan.objects.create(event=event, user=alice)
    assert services.fan_out_due(now=now, limit=10, chunk=100) == 0
    assert services.fan_out_again(now=now, limit=10) == 0
    assert not Delivery.objects.exists()
    ReleaseEvent.objects.filter(id=event.id).update(held_by=None)
    assert services.fan_out_again(now=now, limit=10) == 1
    assert Delivery.objects.count() == 1
