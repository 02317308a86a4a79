"""Quiet hours: what is due in them waits for their end, and nothing else does."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from accounts.models import User
from accounts.services import notify
from notifications import sending, services
from notifications.channels.base import Outcome, Verdict
from notifications.composing import compose_due, put_off_quiet
from notifications.models import Channel, Delivery, Message
from notifications.retry import Decision
from notifications.sending import Claimed
from notifications.settling import Settled, settle
from notifications.timing import Wish
from notifications.wishes import quiet_ends, set_wish
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.people import make_user
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

LEASE = dt.timedelta(seconds=60)
SECOND = dt.timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Wish(zone="Europe/Berlin", quiet_from=dt.time(22), quiet_until=dt.time(7))
EVENING = dt.datetime(2026, 6, 1, 21, tzinfo=BERLIN)
MIDNIGHT = dt.datetime(2026, 6, 2, 0, tzinfo=BERLIN)
MORNING = dt.datetime(2026, 6, 2, 7, tzinfo=BERLIN)


@pytest.fixture
def channel(alice: User) -> Channel:
    channel = make_channel(alice)
    set_wish(channel=channel, wish=NIGHT, now=EVENING)
    return channel


def promise(channel: Channel, now: dt.datetime) -> Delivery:
    return make_delivery(channel, event_of(make_audiobook(now=now)), now=now)


def tell(now: dt.datetime) -> list[Claimed]:
    """What a sender would send now."""
    put_off_quiet(kind="webhook", now=now, quiet=quiet_ends(now))
    claimed = sending.claim_due(kind="webhook", limit=100, now=now, lease=LEASE)
    return claimed + compose(now)


def compose(now: dt.datetime) -> list[Claimed]:
    return compose_due(kind="webhook", groups=1, limit=100, now=now, lease=LEASE)


def test_news_of_the_night_comes_in_the_morning(channel: Channel) -> None:
    promise(channel, MIDNIGHT)
    assert tell(MIDNIGHT) == tell(MORNING - SECOND) == []
    assert Delivery.objects.get().due_at == MORNING
    assert sending.due_shards(now=MIDNIGHT) == []  # nobody is called for it
    assert len(tell(MORNING)) == 1


def test_news_of_the_evening_comes_at_once(channel: Channel) -> None:
    promise(channel, EVENING)
    assert len(tell(EVENING)) == 1


def test_who_asked_for_no_quiet_hours_waits_for_nobodys(channel: Channel) -> None:
    other = make_channel(make_user("bob"), address="bob.example.org")
    promise(channel, MIDNIGHT)
    promise(other, MIDNIGHT)
    assert [each.channel_id for each in tell(MIDNIGHT)] == [other.id]


def test_each_owners_night_is_their_own(channel: Channel) -> None:
    tokyo = make_channel(make_user("bob"), address="bob.example.org")
    wish = Wish(zone="Asia/Tokyo", quiet_from=dt.time(22), quiet_until=dt.time(7))
    set_wish(channel=tokyo, wish=wish, now=EVENING)
    for each in (channel, tokyo):
        promise(each, MIDNIGHT)
    assert [each.channel_id for each in tell(MIDNIGHT)] == [tokyo.id]


def test_news_that_commits_after_the_look_at_quiet_hours_waits_as_well(channel: Channel) -> None:
    """Proves the guard `quiet` of composing: what is promised in between would ring in the night."""
    put_off_quiet(kind="webhook", now=MIDNIGHT, quiet=quiet_ends(MIDNIGHT))
    promise(channel, MIDNIGHT)
    assert compose(MIDNIGHT) == []
    assert len(tell(MORNING)) == 1


def test_a_message_that_failed_is_not_tried_again_in_the_night(channel: Channel) -> None:
    promise(channel, EVENING)
    (message,) = tell(EVENING)
    again = Decision(state="due", tries=1, ambiguous=0, refused_at=None, next_attempt_at=MIDNIGHT)
    broken = Outcome(verdict=Verdict.NOT_ACCEPTED, status=502)
    settle(settled=[Settled(message, broken, again, EVENING, SECOND)], now=EVENING)
    assert tell(MIDNIGHT) == []
    assert Message.objects.get().next_attempt_at == MORNING
    assert len(tell(MORNING)) == 1


def test_a_notice_waits_too(channel: Channel) -> None:
    notify(user_id=channel.user_id, subject="Hello", text="…", dedupe_key="a", now=MIDNIGHT)
    services.fan_out_notices(now=MIDNIGHT)
    assert tell(MIDNIGHT) == []
    assert len(tell(MORNING)) == 1


def test_who_ends_their_quiet_hours_in_the_night_hears_at_once(channel: Channel) -> None:
    make_watch(channel.user, now=EVENING)
    make_audiobook(now=MIDNIGHT)
    notify(user_id=channel.user_id, subject="Hello", text="…", dedupe_key="a", now=MIDNIGHT)
    fan_out(MIDNIGHT)
    services.fan_out_notices(now=MIDNIGHT)
    assert tell(MIDNIGHT) == []
    set_wish(channel=channel, wish=Wish(zone="Europe/Berlin"), now=MIDNIGHT)
    services.cancel_unwanted(now=MIDNIGHT)
    assert len(tell(MIDNIGHT)) == 2


def test_what_is_being_composed_is_not_put_off(channel: Channel) -> None:
    promise(channel, EVENING)
    assert len(tell(EVENING)) == 1
    before = Message.objects.get()
    put_off_quiet(kind="webhook", now=MIDNIGHT, quiet=quiet_ends(MIDNIGHT))
    assert Message.objects.get().lease_expires_at == before.lease_expires_at


def test_channels_with_the_same_wishes_share_a_row(channel: Channel) -> None:
    other = make_channel(make_user("bob"), address="bob.example.org")
    set_wish(channel=other, wish=NIGHT, now=EVENING)
    assert other.timing == channel.timing
    set_wish(channel=other, wish=Wish(zone="Europe/Berlin"), now=EVENING)
    assert other.timing is None
