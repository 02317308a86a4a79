"""What telling counts: duplicates that were not sent, and how long it took from seen to told."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.models import ReleaseEvent
from notifications.models import Delivery
from stalkerr import figures
from tests.crowd import SECRET
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.promises import fan_out, tell_all
from tests.sinks import HttpSink

pytestmark = pytest.mark.django_db(transaction=True)

AN_HOUR = dt.timedelta(hours=1)


def prevented() -> float:
    return float(figures.DUPLICATES._value.get())


def told() -> tuple[float, float]:
    """How many were told over webhooks, and all their seconds together."""
    (family,) = figures.DELIVERY_SECONDS.collect()
    mine = [each for each in family.samples if each.labels.get("channel") == "webhook"]
    found = {each.name.rpartition("_")[2]: each.value for each in mine}
    return found.get("count", 0.0), found.get("sum", 0.0)


def test_what_a_channel_was_told_is_a_duplicate_prevented(alice: User, now: dt.datetime) -> None:
    """Proves the guard count of conflicts: one for each channel that had heard it."""
    make_channel(alice)
    make_channel(alice, address="b.example")
    make_watch(alice, now=now)
    make_audiobook(now=now)
    fan_out(now)
    before = prevented()
    ReleaseEvent.objects.update(fanned_out_at=None, fanned_through=0)  # its chunk runs once more
    fan_out(now)
    assert Delivery.objects.count() == 2
    assert prevented() - before == 2


def test_nothing_is_prevented_where_all_is_news(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    before = prevented()
    make_audiobook(now=now)
    with CaptureQueriesContext(connection) as asked:
        fan_out(now)
    assert sum("INSERT INTO told" in query["sql"] for query in asked.captured_queries) == 1
    assert (Delivery.objects.count(), prevented() - before) == (1, 0)


def test_from_seen_to_told_is_measured_of_what_nobody_wished_later(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard due_at: quiet hours, digests and snoozes are no delay of ours."""
    long_ago = now - AN_HOUR
    event = event_of(make_audiobook(now=now))
    ReleaseEvent.objects.filter(pk=event.pk).update(seen_at=long_ago)
    event.refresh_from_db()
    count, seconds = told()
    with HttpSink() as sink:
        for number, due_in in enumerate((dt.timedelta(), dt.timedelta(minutes=-1), AN_HOUR / 2)):
            config = {"url": f"{sink.url}/{number}", "secret": SECRET}
            channel = make_channel(alice, config=config, address=f"{number}.example")
            # the last one's time came half an hour after it was promised
            created_at = long_ago if due_in > dt.timedelta() else now
            make_delivery(
                channel,
                event,
                now=created_at,
                due_at=created_at + due_in,
                source_at=event.seen_at,
            )
        tell_all("webhook")
        sink.wait_for(3)
    new, passed = told()
    assert new - count == 2
    assert 2 * 3600 <= passed - seconds < 2 * 3700
