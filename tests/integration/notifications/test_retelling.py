"""The last thing heard is the true one, however a date flapped."""

import datetime as dt

import pytest

from accounts.models import User
from catalog.models import Audiobook, Mark, ReleaseEvent, Watch
from notifications.models import Delivery
from notifications.retelling import retell
from tests.factories import make_audiobook, make_channel, make_watch
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def flapped(alice: User, now: dt.datetime) -> dt.datetime:
    """A date that went 60, 90, 60, 90 days ahead: 90 and 60 were told, the second 90 was not."""
    make_channel(alice)
    make_watch(alice, now=now - DAY)
    asin = make_audiobook(now=now, out_in=60).asin
    for turn, days in enumerate((90, 60, 90), start=1):
        make_audiobook(now=now + turn * SECOND, out_in=days, asin=asin)
    fan_out(now + 3 * SECOND)
    assert told() == ["announced", "date_moved", "date_moved"]
    return now + 3 * SECOND


def told() -> list[str]:
    return list(Delivery.objects.order_by("event_id").values_list("event__kind", flat=True))


def test_a_date_that_came_back_and_stood_is_told_once_more(flapped: dt.datetime) -> None:
    assert retell(now=flapped + 2 * DAY) == 0
    assert retell(now=flapped + 3 * DAY) == 1
    newest = Delivery.objects.latest("event_id")
    assert newest.event == ReleaseEvent.objects.latest("revision")
    assert retell(now=flapped + 4 * DAY) == 0
    assert retell(now=flapped + 20 * DAY) == 0


def test_a_date_that_keeps_flapping_is_told_again_at_most_weekly(flapped: dt.datetime) -> None:
    audiobook = Audiobook.objects.get()
    ninety = audiobook.release_date
    assert ninety is not None

    def move(days: int, moment: dt.datetime) -> None:
        day = ninety + (days - 90) * DAY
        make_audiobook(now=moment, out_in=None, asin=audiobook.asin, release_date=day)
        fan_out(moment)

    assert retell(now=flapped + 3 * DAY) == 1
    move(60, flapped + 3.1 * DAY)
    move(61, flapped + 3.2 * DAY)
    move(90, flapped + 3.3 * DAY)
    assert retell(now=flapped + 6.5 * DAY) == 0
    assert retell(now=flapped + 10.5 * DAY) == 1


def test_what_staff_have_hidden_is_not_told_once_more(flapped: dt.datetime) -> None:
    Audiobook.objects.update(hidden_at=flapped)
    assert retell(now=flapped + 3 * DAY) == 0
    Audiobook.objects.update(hidden_at=None)
    assert retell(now=flapped + 3 * DAY) == 1


def test_what_was_heard_last_is_not_told_again(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    make_watch(alice, now=now - DAY)
    asin = make_audiobook(now=now, out_in=60).asin
    make_audiobook(now=now + SECOND, out_in=90, asin=asin)
    fan_out(now + SECOND)
    assert retell(now=now + 4 * DAY) == 0


@pytest.mark.parametrize(
    "change", [{"muted": True}, {"ended_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}]
)
def test_nobody_who_stopped_asking_is_told(change: dict[str, object], flapped: dt.datetime) -> None:
    Watch.objects.update(**change)
    assert retell(now=flapped + 3 * DAY) == 0


def test_what_its_listener_marked_is_not_told_once_more(alice: User, flapped: dt.datetime) -> None:
    work = Audiobook.objects.get().work
    Mark.objects.create(user=alice, work=work, kind=Mark.Kind.HAVE_IT)
    assert retell(now=flapped + 3 * DAY) == 0


def test_a_date_that_waits_for_a_person_is_not_told_by_standing(flapped: dt.datetime) -> None:
    """Proves the guard held_by: what the brake holds would go out after three days all the same."""
    newest = ReleaseEvent.objects.latest("revision")
    ReleaseEvent.objects.filter(id=newest.id).update(held_by=1, braked_at=flapped)
    assert retell(now=flapped + 4 * DAY) == 0
