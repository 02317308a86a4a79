"""Months of deliveries, messages and attempts: made ahead, filled, dropped when old and over."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from notifications.models import Attempt, Channel, Delivery, Message
from notifications.partitions import TABLES, Month, drop_months, make_months, month_of
from stalkerr import sql
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.people import make_user

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
# Long before anything that the test database was made with.
OLD = dt.datetime(2019, 3, 15, 12, tzinfo=dt.UTC)


def months(table: str) -> set[str]:
    """The partitions of that table before 2020."""
    rows = sql.rows(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table]
    )
    return {name for (name,) in rows if "_201" in name}


def home_of(table: str, row: int) -> str:
    """The partition in which a row lies."""
    ((name,),) = sql.rows(
        f"SELECT tableoid::regclass::text FROM {table} WHERE id = %s",  # noqa: S608
        [row],
    )
    return str(name)


def told(channel: Channel, at: dt.datetime, state: str = "sent", **fields: Any) -> Message:
    """A message of that moment with its delivery and an attempt."""
    final = {"finalized_at": at} if state in ("sent", "failed") else {}
    message = Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        state=state,
        created_at=at,
        **final | fields,
    )
    delivery = make_delivery(channel, event_of(make_audiobook(now=at)), now=at)
    Delivery.objects.filter(id=delivery.id).update(state="composed", message=message, message_at=at)
    Attempt.objects.create(
        message=message, message_at=at, claim_no=1, verdict="accepted", started_at=at, duration_ms=1
    )
    return message


@pytest.fixture
def channel(alice: User) -> Channel:
    return make_channel(alice)


def test_this_month_and_the_next_two_are_made_once() -> None:
    assert make_months(now=OLD) == 9
    assert months("messages") == {f"messages_2019_{number:02}" for number in (3, 4, 5)}
    assert make_months(now=OLD) == 0
    assert make_months(now=OLD + 31 * DAY) == 3


def test_what_came_before_its_month_was_made_moves_into_it(channel: Channel) -> None:
    message = told(channel, OLD)
    later = told(channel, OLD + 60 * DAY)
    outside = told(channel, OLD + 200 * DAY)
    assert home_of("messages", message.id) == "messages_default"
    before = list(Message.objects.order_by("id").values())
    make_months(now=OLD)
    assert home_of("messages", message.id) == "messages_2019_03"
    assert home_of("messages", later.id) == "messages_2019_05"
    assert home_of("messages", outside.id) == "messages_default"
    assert home_of("deliveries", message.deliveries.get().id) == "deliveries_2019_03"
    assert home_of("attempts", message.log.get().id) == "attempts_2019_03"
    assert list(Message.objects.order_by("id").values()) == before


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2019-03-31T23:59:59.999999+00:00", "messages_2019_03"),
        ("2019-04-01T00:00:00+00:00", "messages_2019_04"),
        ("2019-04-01T01:30:00+02:00", "messages_2019_03"),
    ],
)
def test_months_begin_and_end_by_utc(moment: str, month: str, channel: Channel) -> None:
    sql.rows("SET LOCAL TIME ZONE 'Asia/Tokyo'")
    make_months(now=OLD)
    at = dt.datetime.fromisoformat(moment)
    assert home_of("messages", told(channel, at).id) == month
    assert month_of(at).partition("messages") == month


def test_months_count_over_the_end_of_a_year() -> None:
    assert Month(2019, 12).later(1) == Month(2020, 1)
    assert Month(2019, 1).later(-1) == Month(2018, 12)
    assert Month(2019, 11).later(14) == Month(2021, 1)


def test_an_old_month_that_is_over_goes_with_all_that_hangs_on_it(channel: Channel) -> None:
    make_months(now=OLD)
    told(channel, OLD)
    kept = told(channel, OLD + 31 * DAY)
    april = dt.datetime(2019, 4, 1, tzinfo=dt.UTC)
    sql.rows("SET CONSTRAINTS ALL IMMEDIATE")  # as after a commit
    assert drop_months(before=april - DAY) == 0
    assert drop_months(before=april) == 3
    assert [months(table) for table in TABLES] == [
        {f"{table}_2019_04", f"{table}_2019_05"} for table in TABLES
    ]
    assert list(Message.objects.all()) == [kept]
    assert Delivery.objects.count() == Attempt.objects.count() == 1


def leave_pending(channel: Channel) -> None:
    make_delivery(channel, event_of(make_audiobook(now=OLD)), now=OLD)


def leave_held(channel: Channel) -> None:
    make_delivery(channel, event_of(make_audiobook(now=OLD)), now=OLD, state="held")


def leave_due(channel: Channel) -> None:
    message = told(channel, OLD, "due", next_attempt_at=OLD)
    message.deliveries.update(source_at=OLD - 60 * DAY)


def leave_frozen(channel: Channel) -> None:
    """Promised in March, frozen in May into a message that is still to be sent."""
    message = told(channel, OLD + 50 * DAY, "due", next_attempt_at=OLD)
    source_at = OLD + DAY
    message.deliveries.update(source_at=source_at)


@pytest.mark.parametrize("leave", [leave_pending, leave_held, leave_due, leave_frozen])
def test_a_month_with_something_unfinished_stays_and_all_after_it(
    leave: Callable[[Channel], None], channel: Channel
) -> None:
    """Proves the guard _UNFINISHED: what somebody still waits for would be gone."""
    make_months(now=OLD)
    leave(channel)
    told(channel, OLD + 31 * DAY)
    sql.rows("SET CONSTRAINTS ALL IMMEDIATE")  # as after a commit
    assert drop_months(before=OLD + 60 * DAY) == 0
    assert len(months("messages")) == 3


@pytest.mark.django_db(transaction=True)
def test_what_is_revived_while_its_month_is_about_to_go_keeps_it() -> None:
    """Proves the guard of the second look: the first one was before the wait for the lock."""
    channel = make_channel(make_user("alice"))
    make_months(now=OLD)
    delivery = make_delivery(channel, event_of(make_audiobook(now=OLD)), now=OLD, state="cancelled")
    try:
        revival = Paused(lambda: Delivery.objects.filter(id=delivery.id).update(state="pending"))
        drop = start_and_see_it_wait(lambda: drop_months(before=OLD + 60 * DAY))
        revival.finish()
        drop.join()
        assert Delivery.objects.get().state == "pending"
    finally:
        Delivery.objects.all().delete()
        drop_months(before=OLD + 100 * DAY)


@pytest.mark.django_db(transaction=True)
def test_a_drop_that_died_half_way_is_gone_on_with() -> None:
    """Proves the guard of tables as they are: the next look would ask for a table that is gone."""
    make_months(now=OLD)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE attempts_2019_03")
    assert drop_months(before=OLD + 30 * DAY) == 2
    assert drop_months(before=OLD + 100 * DAY) == 6
    assert not any(months(table) for table in TABLES)


@pytest.mark.django_db(transaction=True)
def test_who_reads_for_long_makes_nobody_queue_behind_a_month() -> None:
    """Proves the guard lock_timeout: all who write would wait behind whoever waits for the reader."""
    make_user("reader")
    reader = Paused(lambda: sql.rows("SELECT count(*) FROM messages"))
    failed: list[Exception] = []

    def make() -> None:
        try:
            make_months(now=OLD)
        except Exception as error:  # noqa: BLE001 (which one is the test)
            failed.append(error)

    maker = start_and_see_it_wait(make)
    maker.join(10)
    reader.finish()
    assert "lock timeout" in str(failed)
    with transaction.atomic():
        assert make_months(now=OLD) > 0
    drop_months(before=OLD + 100 * DAY)
