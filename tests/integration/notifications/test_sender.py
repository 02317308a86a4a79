"""A process's sends: they outlive tasks, share the slots, and are settled whatever else fails."""

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.models import User
from notifications.destinations import AT_ONCE
from notifications.models import SHARDS, Attempt, Channel, Destination, Message
from notifications.sender import sender
from notifications.telling import tell
from stalkerr import clock
from tests.crowd import SECRET
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.people import make_user
from tests.promises import tell_all
from tests.sinks import HttpSink, RawSink, Reply, Request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink
        assert sender().wait(left=0, within=30)


def promise(user: User, sink: HttpSink, count: int) -> list[Channel]:
    """So many messages to be, each to a hook of its own, all at one host."""
    now = clock.now()
    hooks = [
        make_channel(user, config={"url": f"{sink.url}/{n}", "secret": SECRET}, address="127.0.0.1")
        for n in range(count)
    ]
    event = event_of(make_audiobook(now=now))
    for hook in hooks:
        make_delivery(hook, event, now=now)
    return hooks


def states() -> Counter[str]:
    return Counter(Message.objects.values_list("state", flat=True))


def test_a_task_ends_while_a_receiver_is_still_thinking(alice: User, sink: HttpSink) -> None:
    """Proves the guard Sender: a slow receiver would keep a child of the worker from all others."""
    thinks = threading.Event()
    sink.always = lambda _: Reply(delay=0.0 if thinks.is_set() else 1.0)
    promise(alice, sink, 1)
    assert not tell(kind="webhook", clock=clock.now)
    assert states() == {"sending": 1}
    thinks.set()
    assert sender().wait(left=0, within=10)
    assert states() == {"sent": 1}


def test_a_task_waits_for_what_it_claimed_not_for_what_others_send(
    alice: User, sink: HttpSink
) -> None:
    """Proves the guard left_of: while others get on, one that hangs would keep a child for long."""
    sink.always = lambda request: Reply(delay=0.3 + 0.25 * int(request.path[1:]))
    promise(alice, sink, 10)
    assert not tell(kind="webhook", clock=clock.now)
    with RawSink() as hole:
        config = {"url": f"http://localhost:{hole.port}/", "secret": SECRET}
        slow = make_channel(make_user("slow"), config=config, address="localhost")
        for _ in range(AT_ONCE + 1):
            make_delivery(slow, event_of(make_audiobook(now=clock.now())), now=clock.now())
        assert not tell(kind="webhook", clock=clock.now)
        assert Message.objects.filter(channel=slow, state="sending").count() == AT_ONCE
        assert Message.objects.exclude(channel=slow).filter(state="sending").exists()


def test_the_slots_are_the_processs_not_the_tasks(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    """Proves the guard of the one lane: each task with slots of its own would double what a kill can."""
    settings.TELL_IN_FLIGHT = 2
    open_now, most, lock = 0, 0, threading.Lock()

    def answer(_: Request) -> Reply:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        threading.Timer(0.3, close).start()
        return Reply(delay=0.3)

    def close() -> None:
        nonlocal open_now
        with lock:
            open_now -= 1

    sink.always = answer
    shards = {hook.id % SHARDS for hook in promise(alice, sink, 12)}
    assert len(shards) > 2

    def tell_shard(shard: int) -> None:
        with closing(connection):
            tell(kind="webhook", shard=shard, clock=clock.now)

    tasks = [threading.Thread(target=tell_shard, args=[shard]) for shard in shards]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    while states()["sent"] < 12:
        tell_all("webhook")
    assert most <= 2


def test_what_has_not_begun_when_a_process_ends_is_given_back_unspent(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    settings.TELL_IN_FLIGHT = 1
    settings.RETRY_BASE = dt.timedelta()
    sink.always = Reply(delay=0.3)
    promise(alice, sink, 2)
    begun = time.monotonic()
    while not sink.requests:  # the first is on the wire; the second is claimed as soon as it may be
        tell(kind="webhook", clock=clock.now)
    assert sender().finish(within=10)
    assert time.monotonic() - begun < 10
    assert states()["sending"] == 0
    assert Attempt.objects.count() == len(sink.requests) == states()["sent"]
    tell_all("webhook")
    assert states() == {"sent": 2}


def test_a_destination_that_failed_is_tried_again_once_its_breaker_lets_it(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    """Proves the guard Lane._welcome: this process would refuse it for as long as it lives."""
    settings.TELL_IN_FLIGHT = 1  # one after the other
    sink.always = Reply(status=503)
    promise(alice, sink, 5)
    tell_all("webhook")  # what is claimed before the fifth result is known would go out as well
    promise(alice, sink, 3)
    tell_all("webhook")
    assert len(sink.requests) == 5
    sink.always = Reply()
    Destination.objects.update(failures=0, trips=0, open_until=None)
    Message.objects.filter(state="due").update(next_attempt_at=clock.now())
    while states() != {"sent": 8}:
        tell_all("webhook")


def test_nothing_more_is_begun_once_results_can_not_be_written_down(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    """Proves the guards is_in_trouble, and close of Sender._write: all that was claimed would be sent once more."""
    settings.TELL_IN_FLIGHT = 4

    def take_the_log_away() -> None:
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE IF EXISTS attempts RENAME TO attempts_away")

    def answer(_: Request) -> Reply:
        thread = threading.Thread(target=take_the_log_away)
        thread.start()
        thread.join()
        return Reply(delay=0.3)

    sink.always = answer
    promise(alice, sink, 24)
    assert not tell(kind="webhook", clock=clock.now)
    assert sender().wait(left=0, within=30)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE attempts_away RENAME TO attempts")
    assert len(sink.requests) <= 5  # the first; and as many as there are slots, before it was known
    assert states()["sent"] == 0


def test_what_has_waited_for_most_of_its_lease_is_not_begun(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    """Proves the guard _longest_wait: it would still be on the wire when another takes it over."""
    settings.TELL_IN_FLIGHT = 1
    settings.TELL_LEASE = settings.OUTBOUND_TIMEOUT + dt.timedelta(seconds=0.5)
    sink.always = Reply(delay=0.4)
    promise(alice, sink, 6)
    tell(kind="webhook", clock=clock.now)
    assert sender().wait(left=0, within=30)
    assert Message.objects.filter(claim_no__gt=1).exists()  # it was given back, and claimed anew
    assert Attempt.objects.count() == len(sink.requests) == states()["sent"]
