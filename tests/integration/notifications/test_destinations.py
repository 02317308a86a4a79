"""What a destination is given: its share, its breaker, its budget for retries."""

import datetime as dt
import re
import threading
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from notifications import sending, services
from notifications.channels.base import Outcome, Verdict
from notifications.composing import compose_due
from notifications.destinations import (
    AT_ONCE,
    BREAKER_AFTER,
    BREAKER_FIRST,
    BREAKER_LONGEST,
    CREDIT_EVERY,
    lock_rooms,
)
from notifications.models import SHARDS, Channel, Delivery, Destination, Message
from notifications.models.channel import RETRY_CREDIT
from notifications.registration import change_channel
from notifications.retry import Decision
from notifications.sending import Claimed, claim_due
from notifications.settling import Settled, put_back, settle
from stalkerr import sql
from tests.concurrency import Paused, start_and_see_it_wait, waiting
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.people import make_user
from tests.sinks import wait_until

pytestmark = pytest.mark.django_db

LEASE = dt.timedelta(seconds=60)
SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
ACCEPTED = Outcome(verdict=Verdict.ACCEPTED, status=200)
BROKEN = Outcome(verdict=Verdict.NOT_ACCEPTED, status=502)
ODD = Outcome(verdict=Verdict.NOT_ACCEPTED, status=400)


@pytest.fixture
def channel(alice: User) -> Channel:
    return make_channel(alice)


def promise(channel: Channel, now: dt.datetime, count: int = 1) -> None:
    event = event_of(make_audiobook(now=now))
    first = make_delivery(channel, event, now=now)
    others = [
        Delivery(
            event=event,
            user=channel.user,
            channel=channel,
            channel_kind=channel.kind,
            destination=channel.destination,
            source_at=first.source_at - number * SECOND,  # so that the key is another
            due_at=now,
            created_at=now,
        )
        for number in range(1, count)
    ]
    Delivery.objects.bulk_create(others)


def compose(now: dt.datetime, limit: int = 100, shard: int | None = None) -> list[Claimed]:
    return compose_due(kind="webhook", groups=1, limit=limit, now=now, lease=LEASE, shard=shard)


def claim(now: dt.datetime, limit: int = 100) -> list[Claimed]:
    return claim_due(kind="webhook", limit=limit, now=now, lease=LEASE)


def settle_as(
    outcome: Outcome,
    messages: Iterable[Claimed],
    now: dt.datetime,
    *,
    again: dt.timedelta = SECOND,
    was_made: bool = True,
) -> None:
    state = "sent" if outcome.verdict is Verdict.ACCEPTED else "due"
    decision = Decision(
        state=state,  # type: ignore[arg-type]
        tries=1,
        ambiguous=0,
        refused_at=None,
        next_attempt_at=now + again if state == "due" else None,
    )
    settled = [Settled(each, outcome, decision, now, SECOND, was_made) for each in messages]
    settle(settled=settled, now=now)


def destination() -> Destination:
    return Destination.objects.get()


# -- its share -----------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_many_workers_together_give_a_destination_no_more_than_its_share() -> None:
    now = dt.datetime.now(dt.UTC)
    channels = [make_channel(make_user(f"u{n}")) for n in range(8)]
    for channel in channels:
        promise(channel, now, 20)
    start = threading.Barrier(4)
    taken: list[Claimed] = []

    def work(shards: Iterable[int]) -> None:
        start.wait()
        for shard in shards:
            taken.extend(
                compose_due(kind="webhook", groups=1, limit=50, now=now, lease=LEASE, shard=shard)
            )
        connection.close()

    threads = [threading.Thread(target=work, args=[range(n, 8, 4)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == AT_ONCE
    assert Message.objects.filter(state="sending").count() == AT_ONCE


@pytest.mark.django_db(transaction=True)
def test_two_workers_after_a_breaker_send_one_message_to_find_out() -> None:
    """Proves the guard lock_rooms: each of them would find room for one."""
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("one"))
    other = make_channel(make_user("two"))
    assert channel.id % SHARDS != other.id % SHARDS
    for each in (channel, other):
        promise(each, now, 5)
    Destination.objects.update(failures=BREAKER_AFTER, trips=1, open_until=now)
    found: list[Claimed] = []

    def probe(shard: int) -> None:
        found.extend(
            compose_due(kind="webhook", groups=1, limit=9, now=now, lease=LEASE, shard=shard)
        )

    first = Paused(partial(probe, channel.id % SHARDS))
    second = start_and_see_it_wait(partial(probe, other.id % SHARDS))
    first.finish()
    second.join()
    assert len(found) == 1


def test_a_dead_destination_with_ten_thousand_pending_delays_nobody(now: dt.datetime) -> None:
    dead = make_channel(make_user("dead"), address="dead.example.org")
    promise(dead, now, 10_000)
    other = make_channel(make_user("other"), address="other.example.org")
    promise(other, now)
    first = compose(now, limit=32)
    assert other.id in {each.channel_id for each in first}
    settle_as(BROKEN, [each for each in first if each.channel_id == dead.id], now)
    promise(other, now)
    (only,) = compose(now + SECOND, limit=32) + claim(now + SECOND)
    assert only.channel_id == other.id


def test_news_for_a_channel_follows_it_out_of_a_spared_destination(now: dt.datetime) -> None:
    """Proves the guard _follow_destination: it would wait for an address that is given up."""
    channels = [make_channel(make_user(f"u{n}"), address="dead.example.org") for n in range(20)]
    for channel in channels:
        promise(channel, now)
    Destination.objects.update(open_until=now + HOUR)
    for channel in channels:
        move(channel, now)
    assert len(compose(now)) == len(channels)


@pytest.mark.django_db(transaction=True)
def test_news_promised_while_a_channel_moves_is_bound_for_its_new_address(alice: User) -> None:
    """Proves the guard PROMISES of a move: a chunk that began before it would be left behind."""
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(alice, address="dead.example.org")
    make_watch(alice, now=now)
    make_audiobook(now=now + SECOND)
    first = Paused(lambda: services.fan_out_due(now=now + SECOND, limit=9, chunk=9))
    second = start_and_see_it_wait(lambda: move(channel, now))
    first.finish()
    second.join()
    delivery = Delivery.objects.get()
    assert delivery.destination.address == "8.8.8.8"


def move(channel: Channel, now: dt.datetime) -> None:
    change_channel(channel=channel, name="", config={"url": "https://8.8.8.8/hook"}, now=now)


def plan_of_composing(now: dt.datetime, shard: int | None = None) -> str:
    """How compose_due finds what is pending, as it was run."""
    found: list[str] = []

    def explain(execute: Any, statement: Any, parameters: Any, *others: Any) -> Any:
        if "waiting AS" in statement and "EXPLAIN" not in statement:
            plan = sql.rows(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}", parameters)
            found.extend(line for (line,) in plan)
        return execute(statement, parameters, *others)

    with connection.execute_wrapper(explain):
        compose(now, shard=shard)
    return "\n".join(found)


@pytest.mark.parametrize("way", ["spared", "full"])
def test_who_composes_passes_over_all_channels_of_a_destination_that_takes_nothing(
    way: str, now: dt.datetime
) -> None:
    """Proves the guard _LAST: each of a dead host's channels would be a step of every claim."""
    for number in range(40):
        promise(make_channel(make_user(f"u{number}"), address="dead.example.org"), now)
    if way == "full":
        assert len(compose(now)) == AT_ONCE
        promise(Channel.objects.latest("id"), now, 40)
    else:
        Destination.objects.update(open_until=now + MINUTE)
    promise(make_channel(make_user("other"), address="other.example.org"), now)
    looked_at = re.search(r"CTE Scan on waiting w .*actual rows=(\d+)", plan_of_composing(now))
    assert looked_at
    assert int(looked_at[1]) <= SHARDS + 1
    assert Message.objects.filter(destination__address="other.example.org").count() == 1


def test_who_composes_sorts_nothing_whatever_statistics_say(now: dt.datetime) -> None:
    """Proves the guard by_index: nothing is known of news that came at once a moment ago."""
    channel = make_channel(make_user("one"))
    sql.rows("ANALYZE deliveries")  # there is nothing, it says from here on
    promise(channel, now, 2_000)
    plan = plan_of_composing(now, shard=channel.id % SHARDS)
    assert "Index Only Scan using deliveries" in plan
    assert not re.search(r"->  Sort|Seq Scan on deliveries", plan)


def test_destinations_without_room_hide_no_other(
    now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard of what is looked at: so many in trouble would be all there is."""
    monkeypatch.setattr(sending, "_DESTINATIONS", 3)
    channels = [make_channel(make_user(f"u{n}"), address=f"h{n}.example.org") for n in range(6)]
    for channel in channels:
        promise(channel, now)
    settle_as(ODD, compose(now), now)
    *_, last = sorted(channels, key=lambda each: (each.id % SHARDS, each.destination_id))
    troubled = Destination.objects.exclude(id=last.destination_id)
    troubled.update(retry_credit=0, credited_at=now)
    (message,) = claim(now + SECOND)
    assert message.channel_id == last.id


# -- its breaker ---------------------------------------------------------------------------------
def test_the_breaker_opens_for_one_two_four_minutes_up_to_an_hour(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now, 20)
    settle_as(BROKEN, compose(now), now)  # all at once: one trip, not sixteen
    pauses, moment = [], now
    for _ in range(8):
        spared_until = destination().open_until
        assert spared_until is not None
        pauses.append((spared_until - moment) / MINUTE)
        assert claim(spared_until - SECOND) == []
        moment = spared_until
        (probe,) = claim(moment)
        settle_as(BROKEN, [probe], moment)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert BREAKER_FIRST == MINUTE
    assert BREAKER_LONGEST == HOUR


def test_a_dead_destination_is_asked_no_more_than_sixty_times_an_hour(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now, 200)
    attempts, moment = 0, now
    while moment < now + HOUR:
        messages = claim(moment) + compose(moment)
        attempts += len(messages)
        settle_as(BROKEN, messages, moment, again=5 * SECOND)
        moment += 5 * SECOND
    assert attempts <= 60


@pytest.mark.parametrize("wait", [1, 90])
def test_a_dead_destination_that_asks_for_a_little_patience_is_not_asked_more_often(
    wait: int, channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard of the longer pause: Retry-After would take the place of the breaker's."""
    promise(channel, now, BREAKER_AFTER)
    patience = dt.timedelta(seconds=wait)
    busy = Outcome(verdict=Verdict.NOT_ACCEPTED, status=503, retry_after=patience)
    settle_as(busy, compose(now), now)
    assert destination().open_until == now + max(BREAKER_FIRST, patience)


def test_the_first_answer_closes_the_breaker(channel: Channel, now: dt.datetime) -> None:
    promise(channel, now, BREAKER_AFTER + 5)
    settle_as(BROKEN, compose(now, limit=BREAKER_AFTER), now)
    (probe,) = claim(now + BREAKER_FIRST)
    settle_as(ACCEPTED, [probe], now + BREAKER_FIRST)
    after = destination()
    assert (after.failures, after.trips, after.open_until) == (0, 0, None)
    assert len(compose(now + BREAKER_FIRST)) == 5


def test_an_answer_to_what_was_under_way_does_not_end_the_patience_asked_for(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard of Retry-After: any yes that came after it would open the door again."""
    promise(channel, now, 3)
    first, second = compose(now, limit=2)
    busy = Outcome(verdict=Verdict.NOT_ACCEPTED, status=429, retry_after=MINUTE, costs_try=False)
    settle_as(busy, [first], now, again=MINUTE)
    settle_as(ACCEPTED, [second], now)
    assert compose(now + MINUTE - SECOND) == []
    assert len(compose(now + MINUTE)) == 1


def test_what_a_dead_worker_leaves_is_not_sent_to_a_spared_destination(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard of one door: all that was under way would go out at once."""
    promise(channel, now, 4)
    compose(now)
    later = now + LEASE + SECOND
    Destination.objects.update(failures=9, trips=1, open_until=later + MINUTE)
    assert claim(later) == []
    (probe,) = claim(later + MINUTE)
    assert probe.claim_no == 2
    assert Message.objects.filter(state="due", lost_leases=1).count() == 3


def test_what_never_left_says_nothing_of_the_other_side(channel: Channel, now: dt.datetime) -> None:
    """Proves the guard was_made: one user's unreadable settings would stop a shared host."""
    promise(channel, now, 2 * BREAKER_AFTER)
    settle_as(BROKEN, compose(now), now, was_made=False)
    after = destination()
    assert (after.failures, after.open_until, after.retry_credit) == (0, None, RETRY_CREDIT)
    settle_as(BROKEN, claim(now + SECOND), now + SECOND, was_made=False)
    assert destination().retry_credit == RETRY_CREDIT


# -- its budget ----------------------------------------------------------------------------------
def test_failed_retries_are_paid_for_however_long_nothing_happened(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard of the full purse: what came in while it was full would pay for these."""
    promise(channel, now, 25)
    settle_as(ODD, compose(now), now, again=DAY)
    later = now + DAY
    retries = claim(later)
    assert len(retries) == RETRY_CREDIT
    settle_as(ODD, retries, later)
    assert destination().retry_credit == 0
    assert claim(later + SECOND) == []
    assert len(claim(later + 3 * CREDIT_EVERY)) == 3


def test_retries_under_way_are_counted_before_they_have_failed(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard of retries under way: a second worker would spend the same credit."""
    promise(channel, now, 30)
    settle_as(ODD, compose(now) + compose(now), now)
    later = now + MINUTE
    assert len(claim(later)) == RETRY_CREDIT
    assert claim(later) == []


def test_what_succeeds_brings_credit(channel: Channel, now: dt.datetime) -> None:
    Destination.objects.update(retry_credit=1, credited_at=now)
    promise(channel, now, 20)
    settle_as(ACCEPTED, compose(now), now)
    assert destination().retry_credit == pytest.approx(3)


def test_a_first_try_costs_no_credit(channel: Channel, now: dt.datetime) -> None:
    promise(channel, now, 10)
    settle_as(ODD, compose(now), now)
    assert destination().retry_credit == RETRY_CREDIT


@pytest.mark.django_db(transaction=True)
def test_results_do_not_wait_for_a_claim_for_somebody_who_answers() -> None:
    """Proves the guard of lock_rooms: not the proven, so that sending goes on while others claim."""
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("one"))
    promise(channel, now, 2)
    first, second = compose(now)
    settle_as(ACCEPTED, [first], now)
    claims = Paused(lambda: lock_rooms([channel.destination_id], now=now))
    settle_as(ACCEPTED, [second], now)
    claims.finish()
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


# -- at once, and given back ---------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_results_settled_at_once_are_all_counted() -> None:
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("one"))
    promise(channel, now, 20)
    messages = compose(now)
    start = threading.Barrier(4)

    def work(mine: list[Claimed]) -> None:
        start.wait()
        for message in mine:
            settle_as(ACCEPTED, [message], now)
        connection.close()

    threads = [threading.Thread(target=work, args=[messages[n::4]]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert destination().sent_total == len(messages) > 4


@pytest.mark.django_db(transaction=True)
def test_a_refusal_and_whoever_composes_for_its_channel_do_not_wait_in_a_ring() -> None:
    """Proves the guard SKIP LOCKED of hold: each would hold what the other waits for."""
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("gone"))
    promise(channel, now, 3)
    (message,) = compose(now, limit=1)
    gone = Outcome(verdict=Verdict.REFUSED, status=410)
    decision = Decision(
        state="failed",
        tries=1,
        ambiguous=0,
        refused_at=None,
        reason="Gone.",
        disable_channel=True,
    )
    place = channel.destination_id
    taken, go = threading.Event(), threading.Event()

    def refuse() -> None:
        settle(settled=[Settled(message, gone, decision, now, SECOND)], now=now)

    def take_then_wait() -> None:  # as compose_due does
        with closing(connection), transaction.atomic():
            pending = Delivery.objects.select_for_update().filter(state="pending")
            assert len(pending) == 2
            taken.set()
            go.wait(10)
            lock_rooms([place], now=now)

    busy = Paused(lambda: list(Destination.objects.select_for_update()))
    composer = threading.Thread(target=take_then_wait)
    composer.start()
    taken.wait(10)
    refusal = start_and_see_it_wait(refuse)
    go.set()
    wait_until(lambda: waiting() == 2)
    busy.finish()
    for thread in (composer, refusal):
        thread.join()
    assert Message.objects.get().state == "failed"
    services.hold_strays(now=now)
    assert Delivery.objects.filter(state="held").count() == 2


def test_what_is_given_back_was_not_tried(channel: Channel, now: dt.datetime) -> None:
    promise(channel, now)
    (message,) = compose(now)
    put_back(waits={message: MINUTE}, now=now)
    assert claim(now + MINUTE - SECOND) == []
    (again,) = claim(now + MINUTE)
    assert (again.tries, again.wire_id) == (0, message.wire_id)
    assert destination().retry_credit == RETRY_CREDIT


def test_who_lost_the_lease_gives_nothing_back(channel: Channel, now: dt.datetime) -> None:
    """Proves the guard claim_no of put_back: the message would be due while another sends it."""
    promise(channel, now)
    (stale,) = compose(now)
    (fresh,) = claim(now + LEASE + SECOND)
    put_back(waits={stale: SECOND}, now=now + LEASE + SECOND)
    message = Message.objects.get()
    assert (message.state, message.claim_no) == ("sending", fresh.claim_no)


def test_what_is_given_back_for_a_disabled_channel_is_held(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard is_disabled of put_back: it would be due, and sent all the same."""
    promise(channel, now)
    (message,) = compose(now)
    services.disable_channel(channel=channel, reason="gone", now=now)
    put_back(waits={message: SECOND}, now=now)
    assert Message.objects.get().state == "held"


def test_what_a_dead_worker_leaves_for_a_disabled_channel_is_held(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard disabled_at of _LET_GO: it would be sent all the same."""
    promise(channel, now)
    compose(now)
    services.disable_channel(channel=channel, reason="gone", now=now)
    assert claim(now + LEASE + SECOND) == []
    assert Message.objects.get().state == "held"
