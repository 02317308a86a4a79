"""Works that turn out to be one, or two: nothing that was told is told again, nothing gets lost."""

import datetime as dt
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.models import Audiobook, Mark, ReleaseEvent, Work
from notifications import services
from notifications.merging import join_works, merge_due, split_edition
from notifications.models import Delivery, Message, Told
from tests import promises
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_watch
from tests.people import make_user
from workers.ledger import slots
from workers.tasks.notifications import sweep

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
TIDE: dict[str, Any] = {"title": "Glass Tide", "runtime_minutes": 600}
EVERYWHERE = ["us", "uk", "de"]


def book(now: dt.datetime, **facts: Any) -> Audiobook:
    return make_audiobook(now=now, **(TIDE | facts))


def known_late(now: dt.datetime, first: Audiobook, **facts: Any) -> Audiobook:
    """An edition in the UK of which only a later look shows what it is an edition of."""
    stub = book(now, marketplace="uk", title="Untitled", **facts)
    assert stub.work_id != first.work_id
    return stub


def shown(now: dt.datetime, edition: Audiobook, **facts: Any) -> Audiobook:
    """The edition, shown by its store once more with its title."""
    place = {"marketplace": edition.marketplace, "asin": edition.asin}
    return book(now, **place, release_date=edition.release_date, **facts)


def fan_out(now: dt.datetime) -> None:
    promises.fan_out(now)
    services.fan_out_again(now=now, limit=100)


def told(user: User) -> list[tuple[str, str]]:
    """(Marketplace, kind of news) of what is promised or was sent to a user."""
    mine = Delivery.objects.filter(user=user).exclude(state=Delivery.State.CANCELLED)
    return list(
        mine.order_by("event_id").values_list("event__audiobook__marketplace", "event__kind")
    )


def compose(*deliveries: Delivery) -> None:
    """Send them, as far as what may still be taken back is concerned."""
    for delivery in deliveries:
        message = Message.objects.create(
            wire_id=uuid.uuid4(),
            channel=delivery.channel,
            channel_kind=delivery.channel_kind,
            destination=delivery.channel.destination,
            state="sent",
            finalized_at=delivery.created_at,
            created_at=delivery.created_at,
        )
        Delivery.objects.filter(id=delivery.id).update(state="composed", message=message)


# --- told once a work


@pytest.mark.parametrize(
    ("facts", "per_edition", "hidden", "hears"),
    [
        ({"marketplace": "uk"}, False, [], 1),
        ({"marketplace": "uk"}, True, [], 2),
        ({}, False, [], 1),
        ({}, True, [], 2),
        ({}, True, ["reissue"], 1),
        ({}, False, ["reissue"], 1),
    ],
)
def test_a_new_store_or_a_reissue_of_a_heard_book_is_news_to_watches_by_edition_only(
    facts: dict[str, Any],
    hidden: list[str],
    hears: int,
    *,
    per_edition: bool,
    alice: User,
    now: dt.datetime,
) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE, per_edition=per_edition, hidden=hidden)
    book(now + HOUR, out_in=1)
    fan_out(now + HOUR)
    book(now + 2 * HOUR, **facts)
    fan_out(now + 2 * HOUR)
    assert len(told(alice)) == hears


# --- late joins


def test_what_turns_out_to_be_a_heard_book_is_not_announced_again(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    fan_out(now + HOUR)
    uk = known_late(now + HOUR, us)
    shown(now + 2 * HOUR, uk)
    assert merge_due(limit=10) == 1
    fan_out(now + 2 * HOUR)
    assert told(alice) == [("us", "announced")]
    assert Work.objects.get() == us.work
    assert merge_due(limit=10) == 0


def test_merging_announces_nothing_and_takes_back_what_would_be_said_twice(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard cancelling of repeats."""
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    assert told(alice) == [("us", "announced"), ("uk", "announced")]
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    fan_out(now + 2 * HOUR)
    assert told(alice) == [("us", "announced")]
    assert Told.objects.get().event == event_of(us)


def test_of_two_promises_the_one_that_was_sent_stays(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    compose(Delivery.objects.get(event__audiobook=uk))
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    assert told(alice) == [("uk", "announced")]
    assert Told.objects.get().event.audiobook == uk


def test_a_merge_keeps_what_watches_by_edition_were_promised(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    make_watch(alice, "tide", kind="keyword", now=now, marketplaces=EVERYWHERE, per_edition=True)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us, subtitle="Tide")
    fan_out(now + HOUR)
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    assert told(alice) == [("us", "announced"), ("uk", "announced")]
    assert Told.objects.filter(work=us.work).count() == 3


def test_a_merge_keeps_the_older_told_at_and_the_newest_retold_at(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard merging of Told: without it the move would meet the other work's rows."""
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    Told.objects.filter(work=us.work).update(told_at=now - DAY, retold_at=now)
    Told.objects.filter(work=uk.work).update(told_at=now - 2 * DAY, retold_at=None)
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    row = Told.objects.get()
    assert (row.work, row.told_at, row.retold_at) == (us.work, now - 2 * DAY, now)


def test_what_a_merge_took_back_is_not_lost_with_the_last_reason_of_the_other(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    american = make_watch(alice, now=now, marketplaces=["us"])
    make_watch(alice, now=now, marketplaces=["uk"])
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    assert told(alice) == [("us", "announced")]
    american.ended_at = american.edited_at = now
    american.save()
    services.cancel_unwanted(now=now + 2 * HOUR)
    fan_out(now + 2 * HOUR)
    assert told(alice) == [("uk", "announced")]


def test_marks_of_merged_works_become_one_and_take_back_what_is_pending(
    alice: User, bob: User, now: dt.datetime
) -> None:
    for user in (alice, bob):
        make_channel(user)
        make_watch(user, now=now, marketplaces=["uk"])
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    Mark.objects.create(user=alice, work=us.work, kind="not_interested", created_at=now)
    Mark.objects.create(user=bob, work=us.work, kind="have_it", created_at=now)
    Mark.objects.create(user=bob, work=uk.work, kind="not_interested", created_at=now - DAY)
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    marks = Mark.objects.order_by("user__email").values_list("work", "kind")
    assert list(marks) == [(us.work_id, "not_interested"), (us.work_id, "have_it")]
    assert told(alice) == told(bob) == []


def test_a_look_that_finds_nothing_is_over(now: dt.datetime) -> None:
    us = book(now)
    shown(now + HOUR, us, runtime_minutes=900)
    assert merge_due(limit=10) == 1
    assert merge_due(limit=10) == 0
    assert Work.objects.count() == 1


def test_a_look_joins_no_works_that_contradict_each_other(now: dt.datetime) -> None:
    """Proves the guard of contradictions: one edition that fits both makes no one of two books."""
    short = book(now, runtime_minutes=300)
    uk = book(now, marketplace="uk", runtime_minutes=None)
    long = book(now, runtime_minutes=600)
    assert uk.work_id == short.work_id != long.work_id
    shown(now + HOUR, uk, runtime_minutes=600)
    merge_due(limit=10)
    works = dict(Audiobook.objects.values_list("id", "work_id"))
    assert works[short.id] == works[uk.id] != works[long.id]


def test_a_late_join_shows_a_reissue(now: dt.datetime) -> None:
    old = book(now, out_in=-1000)
    new = book(now, runtime_minutes=None)
    assert new.work_id != old.work_id
    shown(now + HOUR, new)
    merge_due(limit=10)
    new.refresh_from_db()
    assert (new.work, new.traits) == (old.work, ["reissue"])


def test_a_batch_is_bounded_and_costs_the_same_for_many(now: dt.datetime) -> None:
    counts = []
    for size in (1, 8):
        for number in range(size):
            title = f"Title {size} {number}"
            uk = known_late(now, book(now, title=title))
            shown(now + HOUR, uk, title=title)
        with CaptureQueriesContext(connection) as queries:
            assert merge_due(limit=5) == min(size, 5)
        counts.append(len(queries))
        merge_due(limit=5)
    assert counts[0] == counts[1]
    assert Work.objects.count() == 9


def test_the_sweep_looks_for_editions(ledger: sa.Engine, now: dt.datetime) -> None:
    us = book(now)
    uk = known_late(now, us)
    shown(now + HOUR, uk)
    slots.open_slots(slots=[("notifications.sweep", now)])
    sweep(slot=now.isoformat())
    uk.refresh_from_db()
    assert uk.work_id == us.work_id


# --- a person's word


def test_what_a_person_joined_no_refresh_parts(now: dt.datetime) -> None:
    us, de = book(now), book(now, marketplace="de", language="german", title="Glasflut")
    join_works(into=us.work, works=[us.work, de.work])
    shown(now + HOUR, de, language="german", title="Glasflut, neu")
    shown(now + HOUR, us, runtime_minutes=900)
    merge_due(limit=10)
    assert Work.objects.get() == us.work
    assert Audiobook.objects.filter(work_pinned=True).count() == 2


def test_joining_merges_what_was_told_and_announces_nothing(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE, languages=["any"])
    us = book(now + HOUR)
    de = book(now + HOUR, marketplace="de", language="german", title="Glasflut")
    fan_out(now + HOUR)
    join_works(into=us.work, works=[de.work])
    fan_out(now + HOUR)
    assert told(alice) == [("us", "announced")]
    assert Told.objects.count() == 1


def test_what_a_person_split_no_refresh_joins(now: dt.datetime) -> None:
    """Proves the guard of pinned editions: title, author and runtime still say that they are one."""
    us, uk, au = book(now), book(now, marketplace="uk"), book(now, marketplace="au")
    split_edition(audiobook=uk)
    for edition in (us, uk, au):
        shown(now + HOUR, edition, runtime_minutes=601)
    Audiobook.objects.update(work_due=True)
    merge_due(limit=10)
    works = dict(Audiobook.objects.values_list("marketplace", "work_id"))
    assert works["us"] == works["au"] != works["uk"]
    assert Work.objects.count() == 2


def test_an_edition_that_fits_both_halves_of_a_split_joins_neither(now: dt.datetime) -> None:
    us, uk = book(now), book(now, marketplace="uk")
    split_edition(audiobook=uk)
    assert book(now, marketplace="au").work_id not in (us.work_id, uk.work_id)


def test_the_same_asin_fits_both_halves_of_a_split_too(now: dt.datetime) -> None:
    """Proves the guard of two pinned works: a person said that this number proves nothing here."""
    us, uk = (book(now, asin="B0SAMEASIN", marketplace=code) for code in ("us", "uk"))
    split_edition(audiobook=uk)
    au = book(now, asin="B0SAMEASIN", marketplace="au")
    assert au.work_id not in (us.work_id, uk.work_id)


def test_after_a_split_nothing_that_was_told_is_told_again(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    uk = book(now + HOUR, marketplace="uk")
    fan_out(now + HOUR)
    book(now + HOUR)
    fan_out(now + HOUR)
    assert told(alice) == [("uk", "announced")]
    split_edition(audiobook=uk)
    fan_out(now + HOUR)
    ReleaseEvent.objects.update(fanned_out_at=None, fanned_through=0)
    fan_out(now + HOUR)
    # the American one has become another book, of which nobody had heard
    assert sorted(told(alice)) == [("uk", "announced"), ("us", "announced")]
    assert Delivery.objects.count() == Told.objects.count() == 2


def test_a_merge_taken_back_tells_neither_half_again(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    compose(*Delivery.objects.all())
    shown(now + 2 * HOUR, uk)
    merge_due(limit=10)
    uk.refresh_from_db()
    split_edition(audiobook=uk)
    ReleaseEvent.objects.update(fanned_out_at=None, fanned_through=0)
    fan_out(now + 2 * HOUR)
    assert told(alice) == [("us", "announced"), ("uk", "announced")]


def test_after_a_merge_taken_back_each_half_remembers_what_was_told_of_it(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard of deliveries: the merge had left one row of Told for both."""
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk", "au"])
    us = book(now + HOUR, sku="BK_ADBL_000001", out_in=0)
    uk = known_late(now + HOUR, us, sku="BK_ADBL_000002", out_in=0)
    fan_out(now + HOUR)
    compose(*Delivery.objects.all())
    shown(now + 2 * HOUR, uk, sku="BK_ADBL_000002")
    merge_due(limit=10)
    split_edition(audiobook=uk)
    for sku in ("BK_ADBL_000001", "BK_ADBL_000002"):
        book(now + 3 * HOUR, marketplace="au", sku=sku, out_in=0)
    assert Work.objects.count() == 2
    fan_out(now + 3 * HOUR)
    assert told(alice) == [("us", "out_now"), ("uk", "out_now")]


def test_a_split_tells_what_the_false_join_kept_silent(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    book(now + HOUR)
    uk = book(now + HOUR, marketplace="uk")
    fan_out(now + HOUR)
    assert told(alice) == [("us", "announced")]
    split_edition(audiobook=uk)
    fan_out(now + 2 * HOUR)
    assert told(alice) == [("us", "announced"), ("uk", "announced")]


def test_a_work_of_one_edition_is_only_pinned_by_a_split(now: dt.datetime) -> None:
    us = book(now)
    split_edition(audiobook=us)
    us.refresh_from_db()
    assert (Work.objects.count(), us.work_pinned) == (1, True)


# --- at once


@pytest.mark.django_db(transaction=True)
def test_a_merge_waits_for_a_chunk_under_way_and_sees_its_promises() -> None:
    """Proves the guard lock of promises: without it a chunk remembers for a work that is gone."""
    now = dt.datetime.now(dt.UTC)
    alice = make_user("alice")
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    services.fan_out_due(now=now + HOUR, limit=1, chunk=1000)
    shown(now + 2 * HOUR, uk)
    chunk = Paused(lambda: fan_out(now + HOUR))
    merge = start_and_see_it_wait(lambda: merge_due(limit=10))
    chunk.finish()
    merge.join()
    assert told(alice) == [("us", "announced")]
    assert Told.objects.get().work == us.work


@pytest.mark.django_db(transaction=True)
def test_a_merge_waits_for_an_edition_that_is_about_to_join() -> None:
    """Proves the guard lock of works: without it the edition would join a work that is gone."""
    now = dt.datetime.now(dt.UTC)
    us = book(now, sku="BK_ADBL_000001")
    uk = known_late(now, us, sku="BK_ADBL_000002")
    shown(now + HOUR, uk, sku="BK_ADBL_000002")
    birth = Paused(lambda: book(now, marketplace="au", title="Other", sku="BK_ADBL_000002"))
    merge = start_and_see_it_wait(lambda: merge_due(limit=10))
    birth.finish()
    merge.join()
    assert Audiobook.objects.filter(work=us.work).count() == 3
    assert Work.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_merge_that_dies_leaves_all_of_it_for_the_next() -> None:
    now = dt.datetime.now(dt.UTC)
    alice = make_user("alice")
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=EVERYWHERE)
    us = book(now + HOUR)
    uk = known_late(now + HOUR, us)
    fan_out(now + HOUR)
    shown(now + 2 * HOUR, uk)
    with transaction.atomic():
        merge_due(limit=10)
        transaction.set_rollback(True)
    assert Work.objects.count() == 2
    assert merge_due(limit=10) == 1
    assert told(alice) == [("us", "announced")]


@pytest.mark.django_db(transaction=True)
def test_facts_that_change_during_a_look_are_looked_at_again() -> None:
    """Proves the guard of facts as read: a flag set meanwhile is not cleared."""
    now = dt.datetime.now(dt.UTC)
    us = book(now)
    shown(now + HOUR, us, runtime_minutes=630)
    page = Paused(lambda: shown(now + 2 * HOUR, us, runtime_minutes=660))
    look = start_and_see_it_wait(lambda: merge_due(limit=10))
    page.finish()
    look.join()
    assert Audiobook.objects.get().work_due
    merge_due(limit=10)
    assert not Audiobook.objects.get().work_due


@pytest.mark.django_db(transaction=True)
def test_a_chunk_that_remembers_an_edition_need_not_wait_for_its_page() -> None:
    """Proves the guard FOR NO KEY UPDATE: the page waits for the event, which the chunk holds."""
    now = dt.datetime.now(dt.UTC)
    alice = make_user("alice")
    make_channel(alice)
    make_watch(alice, now=now, per_edition=True)
    us = book(now + HOUR)
    page = Paused(lambda: shown(now + 2 * HOUR, us, subtitle="A Tale"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        services.fan_out_due(now=now + HOUR, limit=1, chunk=1000)
    page.finish()
    assert told(alice) == [("us", "announced")]
