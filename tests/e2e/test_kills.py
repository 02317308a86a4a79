"""The promise, with real processes: whatever is killed or emptied, nothing is lost."""

import datetime as dt
import os
import random
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
import redis

from catalog.services import record_listings
from notifications.models import Attempt, Message
from stalkerr import clock
from tests.e2e.crew import crew, kill_one_worker
from tests.factories import make_channel, make_listing, make_watch
from tests.people import make_user
from tests.sinks import HttpSink, Reply, Request, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.django_db(transaction=True)]

MESSAGES = 500
KILLS = 10
IN_FLIGHT = 4  # sends at once in each of a worker's two children
SETTINGS = {
    "TELL_IN_FLIGHT": str(IN_FLIGHT),
    "TELL_LEASE": "8",
    "OUTBOUND_TIMEOUT": "3",
    "RETRY_BASE": "0.5",
}


@pytest.fixture
def sink() -> Generator[HttpSink]:
    """Takes its time, so that there is always something in flight to be killed."""
    with HttpSink(Reply(delay=0.05)) as sink:
        yield sink


def promise_messages(sink: HttpSink) -> set[str]:
    """One announcement that MESSAGES users hear, each over an own hook; returns the hooks."""
    now = clock.now()
    hooks = set()
    for number in range(MESSAGES):
        user = make_user(f"listener{number}")
        path = f"/hook/{number}"
        config = {"url": f"{sink.url}{path}", "secret": "whsec_" + "A" * 32}
        make_channel(user, config=config, address="127.0.0.1")
        make_watch(user, now=now)
        hooks.add(path)
    later = clock.now()
    listing = make_listing(release_date=later.date() + dt.timedelta(days=30))
    record_listings(listings=[listing], fetched_at=later, now=later)
    return hooks


def hooks_told(sink: HttpSink) -> Counter[str]:
    return Counter(request.path for request in list(sink.requests))


def wait_for_the_end(sink: HttpSink) -> None:
    """Until every message is final: longer than a lease, for those whose sender was killed."""
    wait_until(lambda: Message.objects.filter(state="sent").count() == MESSAGES, within=90)


def test_killing_random_workers_loses_nothing_and_doubles_no_more_than_was_in_flight(
    sink: HttpSink, tmp_path: Path
) -> None:
    hooks = promise_messages(sink)
    chance = random.Random(7)
    with crew(tmp_path, workers=2, **SETTINGS) as workers:
        for kill in range(KILLS):
            goal = (kill + 1) * MESSAGES // (KILLS + 2)
            sink.wait_for(goal, within=90)
            kill_one_worker(workers, chance)
        wait_for_the_end(sink)
    told = hooks_told(sink)
    duplicates = sum(told.values()) - MESSAGES
    unsettled = IN_FLIGHT  # results that wait for a running settle, at most what is in flight
    bound = KILLS * 2 * (IN_FLIGHT + unsettled)
    print(f"\nkills {KILLS}, messages {MESSAGES}, duplicates {duplicates} (bound {bound})")  # noqa: T201
    assert set(told) == hooks
    assert duplicates <= bound
    assert_one_id_each(sink.requests)
    assert Attempt.objects.filter(verdict="accepted").count() == MESSAGES


def assert_one_id_each(requests: list[Request]) -> None:
    """A receiver that drops ids it has seen sees no duplicate at all."""
    ids = {(request.path, request.headers["webhook-id"]) for request in requests}
    assert len(ids) == MESSAGES


def test_emptying_the_broker_loses_nothing(sink: HttpSink, tmp_path: Path) -> None:
    hooks = promise_messages(sink)
    broker = redis.Redis.from_url(os.environ["BROKER_URL"])
    with crew(tmp_path, workers=2, **SETTINGS):
        for share in (0.1, 0.4, 0.7):
            sink.wait_for(int(share * MESSAGES), within=90)
            broker.flushdb()
        wait_for_the_end(sink)
    told = hooks_told(sink)
    assert set(told) == hooks
    assert sum(told.values()) == MESSAGES
