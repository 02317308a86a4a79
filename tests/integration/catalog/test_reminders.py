"""Reminders: a title's day is near, for those who asked; once, and made up for if late."""

import datetime as dt
import threading
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from accounts.models import User
from catalog.models import Audiobook, ReleaseEvent, Watch
from catalog.reminders import remind
from catalog.services import record_absent
from catalog.watching import save_watch
from notifications import services
from notifications.composing import compose_due
from notifications.merging import join_works, split_edition
from notifications.models import Delivery, Told
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_audiobook, make_channel, make_watch
from tests.people import make_user
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
PACIFIC = ZoneInfo("America/Los_Angeles")
# Where us titles are sold it is the morning of 1 June.
JUNE_1 = dt.datetime(2026, 6, 1, 8, tzinfo=PACIFIC)


def on(day: int, hour: int = 8) -> dt.datetime:
    """An hour of June 2026 on the store's clock."""
    return dt.datetime(2026, 6, day, hour, tzinfo=PACIFIC)


def book(day: int, now: dt.datetime = JUNE_1 - 10 * DAY, **facts: object) -> Audiobook:
    """A title that is out on that day of June."""
    return make_audiobook(now=now, out_in=None, release_date=dt.date(2026, 6, day), **facts)


@pytest.fixture
def watch(alice: User) -> Watch:
    make_channel(alice)
    return make_watch(alice, now=JUNE_1 - 20 * DAY, remind_days=[7, 0], event_kinds=["announced"])


def reminders() -> list[tuple[dt.date | None, int | None]]:
    """(day of the title, days before it) of those written, in their order."""
    found = ReleaseEvent.objects.filter(kind="reminder").order_by("id")
    return list(found.values_list("new_date", "days_before"))


def heard(user: User) -> list[str]:
    mine = Delivery.objects.filter(user=user, state="pending").order_by("event_id")
    return list(mine.values_list("event__kind", flat=True))


# -- when ----------------------------------------------------------------------------------------
def test_a_reminder_comes_at_eight_on_the_stores_clock_and_once(watch: Watch) -> None:
    """Proves the guard of those written: every look would remind again."""
    book(8)
    assert remind(now=on(1, 7)) == []
    assert len(remind(now=on(1, 8))) == 1
    assert remind(now=on(1, 8)) == remind(now=on(1, 20)) == remind(now=on(2)) == []
    assert reminders() == [(dt.date(2026, 6, 8), 7)]


def test_out_today_comes_on_its_day_also_of_what_is_out_already(watch: Watch) -> None:
    audiobook = book(8)
    Audiobook.objects.filter(id=audiobook.id).update(out_at=on(8, 3))
    remind(now=on(8))
    assert reminders()[-1] == (dt.date(2026, 6, 8), 0)


def test_nobody_is_reminded_of_what_staff_have_hidden(watch: Watch) -> None:
    audiobook = book(8)
    Audiobook.objects.filter(id=audiobook.id).update(hidden_at=on(1, 7))
    assert remind(now=on(1)) == []
    Audiobook.objects.filter(id=audiobook.id).update(hidden_at=None)
    assert len(remind(now=on(1))) == 1


@pytest.mark.parametrize(("late", "written"), [(1, 1), (3, 1), (4, 0)])
def test_what_nobody_wrote_in_time_is_made_up_for_within_three_days(
    late: int, written: int, watch: Watch
) -> None:
    book(8)
    assert len(remind(now=on(1) + late * DAY)) == written


def test_a_day_that_has_passed_is_not_reminded_of(watch: Watch) -> None:
    book(8)
    remind(now=on(1))
    remind(now=on(9))
    assert reminders() == [(dt.date(2026, 6, 8), 7)]


def test_what_was_announced_after_the_time_for_it_is_not_reminded_of(watch: Watch) -> None:
    """Proves the guard of what was known then: two messages would come of one new title."""
    book(8, now=on(2))
    assert remind(now=on(3)) == []


def test_a_date_that_moves_brings_reminders_of_the_new_day(watch: Watch) -> None:
    audiobook = book(8)
    remind(now=on(1))
    book(20, now=on(3), asin=audiobook.asin, title=audiobook.title)
    assert remind(now=on(8)) == []  # not of the old day
    remind(now=on(13))
    assert reminders() == [(dt.date(2026, 6, 8), 7), (dt.date(2026, 6, 20), 7)]


def test_a_date_that_moved_so_near_that_the_time_has_passed_brings_none(watch: Watch) -> None:
    audiobook = book(28)
    book(6, now=on(1, 12), asin=audiobook.asin, title=audiobook.title)
    assert remind(now=on(2)) == []


# -- of what, to whom ----------------------------------------------------------------------------
def test_only_titles_that_somebody_wants_to_be_reminded_of_are_looked_at(watch: Watch) -> None:
    book(8, authors=["Somebody Else"])
    assert remind(now=on(1)) == []


def test_who_asked_for_no_reminder_hears_none(watch: Watch, alice: User, bob: User) -> None:
    make_channel(bob, address="bob.example.org")
    make_watch(bob, now=JUNE_1 - 20 * DAY)
    book(8)
    fan_out(JUNE_1 - 9 * DAY)
    remind(now=on(1))
    fan_out(on(1))
    assert heard(alice) == ["announced", "reminder"]
    assert heard(bob) == ["announced"]


def test_each_hears_on_the_days_they_asked_for(watch: Watch, alice: User, bob: User) -> None:
    make_channel(bob, address="bob.example.org")
    make_watch(bob, now=JUNE_1 - 20 * DAY, remind_days=[1], event_kinds=["out_now"])
    book(8)
    for day in (1, 7, 8):
        remind(now=on(day))
        fan_out(on(day))
    assert heard(alice) == ["announced", "reminder", "reminder"]
    assert heard(bob) == ["reminder"]


def test_two_editions_of_a_day_are_one_reminder(alice: User) -> None:
    make_channel(alice)
    make_watch(alice, now=JUNE_1 - 20 * DAY, remind_days=[7], marketplaces=["us", "uk"])
    us = book(8)
    book(8, marketplace="uk", asin=us.asin, title=us.title)
    remind(now=on(1))
    fan_out(on(1))
    assert heard(alice) == ["announced", "reminder"]
    assert len(reminders()) == 2


def test_works_that_are_parted_do_not_remind_again(alice: User) -> None:
    """Proves the guard of a reminder's value: what it is worth would be forgotten by a merge."""
    make_channel(alice)
    make_watch(alice, now=JUNE_1 - 20 * DAY, remind_days=[7], per_edition=False)
    first, second = book(8), book(8)
    remind(now=on(1))
    fan_out(on(1))
    assert heard(alice) == ["announced"] * 2 + ["reminder"] * 2
    compose_due(kind="webhook", groups=1, limit=9, now=on(1), lease=HOUR)
    join_works(into=first.work, works=[second.work])
    second.refresh_from_db()
    split_edition(audiobook=second)
    second.refresh_from_db()
    told = Told.objects.filter(kind="reminder").values_list("work", "value")
    assert sorted(told) == [
        (first.work_id, "2026-06-08 -7"),
        (second.work_id, "2026-06-08 -7"),
    ]
    ReleaseEvent.objects.update(fanned_out_at=None, fanned_through=0)
    fan_out(on(1))
    assert heard(alice) == []


def test_withdrawn_titles_and_those_that_wait_for_a_person_are_not_spoken_of(
    watch: Watch,
) -> None:
    gone, braked = book(8), book(8)
    for moment in (JUNE_1 - 5 * DAY, JUNE_1 - 4 * DAY):
        record_absent(marketplace="us", asins=[gone.asin], now=moment, delay=HOUR)
    braked.events.update(held_by=1, braked_at=JUNE_1 - DAY)
    assert remind(now=on(1)) == []


def test_who_wants_no_reminder_any_more_gets_none_that_waits(watch: Watch, alice: User) -> None:
    book(8)
    remind(now=on(1))
    fan_out(on(1))
    watch.remind_days = [0]
    save_watch(watch=watch, now=on(1, 9))
    services.cancel_unwanted(now=on(1, 9))
    assert heard(alice) == ["announced"]


# -- at once -------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_two_at_once_write_each_reminder_once() -> None:
    """Proves the guard lock of titles: all would see that there is none."""
    user = make_user("alice")
    make_watch(user, now=JUNE_1 - 20 * DAY, remind_days=[7, 6, 5])
    for _ in range(5):
        book(8)
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        remind(now=on(2))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reminders()) == 10
    revisions = ReleaseEvent.objects.values_list("audiobook_id", "revision")
    assert len(set(revisions)) == 15


@pytest.mark.django_db(transaction=True)
def test_a_date_that_moves_while_reminders_are_written_is_not_reminded_of() -> None:
    """Proves the guard lock of titles: the reminder would name a day that has just gone."""
    user = make_user("alice")
    make_watch(user, now=JUNE_1 - 20 * DAY, remind_days=[7])
    audiobook = book(8)
    page = Paused(lambda: book(20, now=on(1, 8), asin=audiobook.asin, title=audiobook.title))
    look = start_and_see_it_wait(lambda: remind(now=on(1, 8)))
    page.finish()
    look.join()
    assert reminders() == []
