"""Digests: composed at the owner's hour, once a day, whatever happens."""

import datetime as dt
import threading
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.services import notify
from notifications import replaying, sending, services
from notifications.channels.base import Outcome, Verdict
from notifications.composing import compose_due, put_off_quiet
from notifications.contents import load_contents
from notifications.models import Channel, Delivery, Destination, DigestSlot, Message, Timing
from notifications.retry import Decision
from notifications.sending import Claimed, claim_due
from notifications.settling import Settled, settle
from notifications.timing import Wish
from notifications.wishes import follow_zones, quiet_ends, set_wish
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.people import make_user
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

LEASE = dt.timedelta(seconds=60)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Wish(zone="Europe/Berlin", digest="daily", hour=9)
# A Tuesday, noon in Berlin.
NOON = dt.datetime(2026, 6, 2, 12, tzinfo=BERLIN)


def at(day: int, hour: int, minute: int = 0, zone: str = "Europe/Berlin") -> dt.datetime:
    """A moment of June 2026 on that clock."""
    return dt.datetime(2026, 6, day, hour, minute, tzinfo=ZoneInfo(zone))


@pytest.fixture
def channel(alice: User) -> Channel:
    channel = make_channel(alice)
    make_watch(alice, now=NOON - DAY)
    set_wish(channel=channel, wish=DAILY, now=NOON - DAY)
    services.cancel_unwanted(now=NOON - DAY)
    return channel


def news(now: dt.datetime, count: int = 1) -> None:
    """So many titles are announced and promised."""
    for _ in range(count):
        make_audiobook(now=now)
    fan_out(now)


def compose(now: dt.datetime, *, groups: int = 10, limit: int = 100) -> list[Claimed]:
    return compose_due(kind="webhook", groups=groups, limit=limit, now=now, lease=LEASE)


def sizes(messages: list[Claimed]) -> list[int]:
    """How many pieces of news each carries."""
    contents = load_contents(message.id for message in messages)
    return [len(contents[message.id].said) for message in messages]


def claim(now: dt.datetime, limit: int = 100) -> list[Claimed]:
    return claim_due(kind="webhook", limit=limit, now=now, lease=LEASE)


def waiting() -> list[tuple[bool, dt.datetime]]:
    """(in a digest, due) of what is pending, oldest first."""
    pending = Delivery.objects.filter(state="pending").order_by("id")
    return list(pending.values_list("in_digest", "due_at"))


# -- once a day ----------------------------------------------------------------------------------
def test_a_days_news_comes_in_one_message_at_the_owners_hour(channel: Channel) -> None:
    news(NOON, 3)
    news(NOON + 6 * HOUR, 2)
    assert compose(at(3, 8, 59)) == []
    (digest,) = compose(at(3, 9))
    assert sizes([digest]) == [5]
    assert digest.digest_date == dt.date(2026, 6, 3)
    assert compose(at(3, 9)) == compose(at(3, 23)) == []


def test_what_comes_too_late_for_a_digest_waits_for_the_next(channel: Channel) -> None:
    """Proves the guard digest_slots: without the slot the day would have a second digest."""
    news(NOON)
    assert len(compose(at(3, 9))) == 1
    late = event_of(make_audiobook(now=NOON))
    make_delivery(channel, late, now=NOON, due_at=at(3, 9), in_digest=True)
    assert compose(at(3, 9, 1)) == []
    assert waiting() == [(True, at(4, 9))]
    (next_day,) = compose(at(4, 9))
    assert next_day.digest_date == dt.date(2026, 6, 4)


def test_more_news_than_the_kind_groups_is_one_digest_of_several_messages(
    channel: Channel,
) -> None:
    news(NOON, 7)
    digests = compose(at(3, 9), groups=3)
    assert sizes(digests) == [3, 3, 1]
    assert {each.digest_date for each in digests} == {dt.date(2026, 6, 3)}
    assert DigestSlot.objects.count() == 1


def test_a_digest_of_more_messages_than_fit_leaves_the_rest_of_them_due(channel: Channel) -> None:
    """Proves the guard of drafts that are not ours: the slot is taken, so they would wait a day."""
    news(NOON, 7)
    mine = compose(at(3, 9), groups=1, limit=3)
    rest = claim(at(3, 9))
    assert (len(mine), len(rest)) == (3, 4)
    assert {each.digest_date for each in [*mine, *rest]} == {dt.date(2026, 6, 3)}
    assert len({each.wire_id for each in [*mine, *rest]}) == 7


def test_after_two_days_of_standstill_there_is_one_digest_of_all(channel: Channel) -> None:
    news(NOON)
    news(NOON + DAY)
    (digest,) = compose(at(5, 15))
    assert digest.digest_date == dt.date(2026, 6, 5)
    assert sizes([digest]) == [2]
    news(at(5, 16))
    (following,) = compose(at(6, 9))
    assert following.digest_date == dt.date(2026, 6, 6)


def test_a_weekly_digest_waits_for_its_day(channel: Channel) -> None:
    set_wish(channel=channel, wish=Wish("Europe/Berlin", "weekly", 9, weekday=4), now=NOON)
    news(NOON)  # a Tuesday
    assert compose(at(4, 9)) == []
    news(at(4, 12))
    (digest,) = compose(at(5, 9))
    assert sizes([digest]) == [2]


def test_a_notice_does_not_wait_for_the_digest(channel: Channel) -> None:
    notify(user_id=channel.user_id, subject="Hello", text="…", dedupe_key="a", now=NOON)
    services.fan_out_notices(now=NOON)
    (message,) = compose(NOON)
    assert message.digest_date is None


# -- killed, two at once -------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_composer_that_dies_half_way_leaves_the_digest_to_the_next() -> None:
    alice = make_user("alice", time_zone="Europe/Berlin")
    channel = make_channel(alice)
    make_watch(alice, now=NOON - DAY)
    set_wish(channel=channel, wish=DAILY, now=NOON - DAY)
    news(NOON, 3)
    with transaction.atomic():
        assert len(compose(at(3, 9))) == 1
        transaction.set_rollback(True)
    assert not DigestSlot.objects.exists()
    (digest,) = compose(at(3, 9))
    assert sizes([digest]) == [3]


@pytest.mark.django_db(transaction=True)
def test_many_composers_at_once_make_one_digest() -> None:
    alice = make_user("alice", time_zone="Europe/Berlin")
    channel = make_channel(alice)
    make_watch(alice, now=NOON - DAY)
    set_wish(channel=channel, wish=DAILY, now=NOON - DAY)
    news(NOON, 9)
    start = threading.Barrier(4)
    made: list[Claimed] = []

    def work() -> None:
        start.wait()
        made.extend(compose(at(3, 9)))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes(made) == [9]


@pytest.mark.django_db(transaction=True)
def test_what_commits_while_the_digest_is_composed_is_in_the_next_one() -> None:
    alice = make_user("alice", time_zone="Europe/Berlin")
    channel = make_channel(alice)
    make_watch(alice, now=NOON - DAY)
    set_wish(channel=channel, wish=DAILY, now=NOON - DAY)
    news(NOON)
    make_audiobook(now=NOON)
    chunk = Paused(lambda: fan_out(at(3, 8, 59)))  # reads its clock just before the hour
    (digest,) = compose(at(3, 9))
    chunk.finish()
    assert sizes([digest]) == [1]
    assert compose(at(3, 9, 1)) == []
    (following,) = compose(at(4, 9))
    assert sizes([following]) == [1]


@pytest.mark.django_db(transaction=True)
def test_a_digest_and_the_look_at_an_edit_do_not_wait_in_a_ring() -> None:
    """Proves the guard order of locks: each would hold a promise that the other waits for."""
    alice = make_user("alice", time_zone="Europe/Berlin")
    channel = make_channel(alice)
    watch = make_watch(alice, now=NOON - DAY)
    set_wish(channel=channel, wish=DAILY, now=NOON - DAY)
    services.cancel_unwanted(now=NOON)
    news(NOON, 3)
    first, *_, last = Delivery.objects.order_by("id")
    Delivery.objects.filter(id=last.id).update(due_at=first.due_at - MINUTE)  # first in the digest
    type(watch).objects.update(edited_at=NOON)
    busy = Paused(lambda: Delivery.objects.select_for_update().get(id=first.id))
    look = start_and_see_it_wait(lambda: services.cancel_unwanted(now=at(3, 8)))
    made: list[Claimed] = []
    composer = start_and_see_it_wait(lambda: made.extend(compose(at(3, 9))), 2)
    busy.finish()
    for thread in (look, composer):
        thread.join()
    assert sizes(made) == [3]


# -- changed meanwhile ---------------------------------------------------------------------------
def test_who_asks_for_a_digest_gets_what_was_promised_at_once_in_it(alice: User) -> None:
    channel = make_channel(alice)
    make_watch(alice, now=NOON - DAY)
    news(NOON)
    set_wish(channel=channel, wish=DAILY, now=NOON)
    services.cancel_unwanted(now=NOON)
    assert compose(NOON + HOUR) == []
    assert waiting() == [(True, at(3, 9))]


def test_who_wants_no_digest_any_more_gets_what_waits_for_it_at_once(channel: Channel) -> None:
    news(NOON)
    set_wish(channel=channel, wish=Wish("Europe/Berlin"), now=NOON + HOUR)
    services.cancel_unwanted(now=NOON + HOUR)
    (message,) = compose(NOON + HOUR)
    assert message.digest_date is None


@pytest.mark.parametrize("wish", [Wish("Europe/Berlin"), Wish("Europe/Berlin", "daily", 18)])
@pytest.mark.django_db(transaction=True)
def test_what_a_chunk_promised_while_the_timing_changed_follows_it(wish: Wish) -> None:
    """Proves the guard of all watches: the promise of the chunk can't be seen yet, only awaited."""
    alice = make_user("alice", time_zone="Europe/Berlin")
    channel = make_channel(alice)
    make_watch(alice, now=NOON - DAY)
    set_wish(channel=channel, wish=Wish("Europe/Berlin", "weekly", 9), now=NOON - DAY)
    services.cancel_unwanted(now=NOON)
    make_audiobook(now=NOON)
    chunk = Paused(lambda: fan_out(NOON))
    set_wish(channel=channel, wish=wish, now=NOON)
    look = start_and_see_it_wait(lambda: services.cancel_unwanted(now=NOON))
    chunk.finish()
    look.join()
    assert waiting() == [(True, at(2, 18)) if wish.digest else (False, NOON)]


def test_a_promise_to_a_digest_that_is_no_more_goes_at_once(channel: Channel) -> None:
    """Proves the guard _LEFT_BEHIND: nothing would ever compose it."""
    news(NOON)
    Channel.objects.update(timing=None)
    (message,) = compose(at(3, 9))
    assert message.digest_date is None


def test_a_digest_follows_its_owner_to_another_zone_and_comes_once_a_date(
    channel: Channel, alice: User
) -> None:
    news(NOON)
    assert len(compose(at(3, 9))) == 1
    User.objects.update(time_zone="America/Los_Angeles")
    assert follow_zones(now=at(3, 10)) == 1
    news(at(3, 11))
    services.cancel_unwanted(now=at(3, 11))
    # nine in the morning of the 3rd comes once more, in Los Angeles
    assert compose(at(3, 9, 0, "America/Los_Angeles")) == []
    (digest,) = compose(at(4, 9, 0, "America/Los_Angeles"))
    assert digest.digest_date == dt.date(2026, 6, 4)
    assert follow_zones(now=at(4, 10)) == 0
    assert set(Timing.objects.filter(channels=channel).values_list("zone", flat=True)) == {
        "America/Los_Angeles"
    }


def test_a_later_hour_after_todays_digest_means_tomorrow(channel: Channel) -> None:
    news(NOON)
    assert len(compose(at(3, 9))) == 1
    set_wish(channel=channel, wish=Wish("Europe/Berlin", "daily", 18), now=at(3, 10))
    news(at(3, 11))
    services.cancel_unwanted(now=at(3, 11))
    assert compose(at(3, 18)) == []
    assert waiting() == [(True, at(4, 18))]


# -- who can't be told just now ------------------------------------------------------------------
def test_the_digest_of_a_disabled_channel_is_held_and_replayed_in_the_next_one(
    channel: Channel,
) -> None:
    news(NOON)
    services.disable_channel(channel=channel, reason="gone", now=NOON + HOUR)
    assert compose(at(3, 9)) == []
    services.enable_channel(channel=channel)
    assert replaying.replay_held(channel=channel, now=at(3, 10)) == 1
    assert compose(at(3, 10)) == []
    (digest,) = compose(at(4, 9))
    assert sizes([digest]) == [1]


def test_an_address_that_is_not_confirmed_hears_no_digest(channel: Channel) -> None:
    """Proves the guard unconfirmed_since: what was promised before would go to the new address."""
    news(NOON)
    Channel.objects.update(unconfirmed_since=NOON + HOUR)
    assert compose(at(3, 9)) == []
    assert services.hold_strays(now=at(3, 9)) == 1
    Channel.objects.update(unconfirmed_since=None)
    assert replaying.replay_held(channel=channel, now=at(3, 10)) == 1
    assert sizes(compose(at(4, 9))) == [1]


def test_a_spared_destination_gets_its_digest_when_it_is_spared_no_more(channel: Channel) -> None:
    news(NOON)
    Destination.objects.update(open_until=at(3, 9, 30), failures=9, trips=1)
    assert compose(at(3, 9)) == []
    (digest,) = compose(at(3, 9, 30))
    assert digest.digest_date == dt.date(2026, 6, 3)


def test_a_digest_that_comes_late_waits_for_the_end_of_quiet_hours(channel: Channel) -> None:
    """Proves the guard waits_until: after a standstill it would ring in the night."""
    quiet: dict[str, Any] = {"quiet_from": dt.time(22), "quiet_until": dt.time(7)}
    wish = Wish("Europe/Berlin", "daily", 9, **quiet)
    set_wish(channel=channel, wish=wish, now=NOON)
    news(NOON)
    assert compose(at(3, 23)) == claim(at(3, 23)) == claim(at(4, 6, 59)) == []
    (digest,) = claim(at(4, 7))
    assert digest.digest_date == dt.date(2026, 6, 3)


def test_a_digest_that_failed_waits_for_the_end_of_quiet_hours(channel: Channel) -> None:
    quiet: dict[str, Any] = {"quiet_from": dt.time(22), "quiet_until": dt.time(7)}
    set_wish(channel=channel, wish=Wish("Europe/Berlin", "daily", 21, **quiet), now=NOON)
    services.cancel_unwanted(now=NOON)
    news(NOON)
    (digest,) = compose(at(2, 21))
    again = Decision(state="due", tries=1, ambiguous=0, refused_at=None, next_attempt_at=at(2, 23))
    outcome = Outcome(verdict=Verdict.NOT_ACCEPTED, status=502)
    settle(settled=[Settled(digest, outcome, again, at(2, 21), MINUTE)], now=at(2, 21))
    put_off_quiet(kind="webhook", now=at(2, 23), quiet=quiet_ends(at(2, 23)))
    assert claim(at(2, 23)) == []
    assert Message.objects.get().next_attempt_at == at(3, 7)
    assert sending.due_shards(now=at(2, 23)) == []
