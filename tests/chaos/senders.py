"""Drills on the senders: killed at random, or with their broker emptied under them."""

import datetime as dt
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import redis

from catalog.services import record_listings
from notifications.models import Attempt, Message
from stalkerr import clock
from tests.e2e.crew import crew, kill_one_worker
from tests.factories import make_channel, make_listing, make_watch
from tests.people import make_user
from tests.sinks import HttpSink, Reply, wait_until

CHILDREN = 2  # of each worker process
SETTLE_AT_ONCE = 1  # results a child may hold unsettled for each send in flight


def kill_senders(
    *, messages: int = 500, kills: int = 10, in_flight: int = 4, seed: int = 7
) -> dict[str, Any]:
    """SIGKILL a random worker with its children, again and again, while messages go out."""
    chance = random.Random(seed)
    with HttpSink(Reply(delay=0.05)) as sink, tempfile.TemporaryDirectory() as logs:
        hooks = promise_messages(sink, messages)
        with crew(Path(logs), workers=2, **_settings(in_flight)) as workers:
            for kill in range(kills):
                sink.wait_for((kill + 1) * messages // (kills + 2), within=120)
                kill_one_worker(workers, chance)
            heal_s = _wait_for_the_end(messages)
        # What a killed child leaves: its sends in flight, and as many results unsettled.
        bound = kills * CHILDREN * in_flight * (1 + SETTLE_AT_ONCE)
        return _figures("kill_senders", sink, hooks, kills, in_flight, heal_s, bound)


def wipe_broker(*, messages: int = 500, wipes: int = 3, in_flight: int = 4) -> dict[str, Any]:
    """Empty the broker while messages go out: every hint is lost, and no message."""
    broker = redis.Redis.from_url(os.environ["BROKER_URL"])
    with HttpSink(Reply(delay=0.05)) as sink, tempfile.TemporaryDirectory() as logs:
        hooks = promise_messages(sink, messages)
        with crew(Path(logs), workers=2, **_settings(in_flight)):
            for wipe in range(wipes):
                sink.wait_for((wipe + 1) * messages // (wipes + 1), within=120)
                broker.flushdb()
            heal_s = _wait_for_the_end(messages)
        return _figures("wipe_broker", sink, hooks, 0, in_flight, heal_s, 0)


def promise_messages(sink: HttpSink, messages: int) -> set[str]:
    """One announcement that so many users hear, each over a hook of their own; the hooks."""
    now = clock.now()
    hooks = set()
    for number in range(messages):
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


def _settings(in_flight: int) -> dict[str, str]:
    return {
        "TELL_IN_FLIGHT": str(in_flight),
        "TELL_LEASE": "8",
        "OUTBOUND_TIMEOUT": "3",
        "RETRY_BASE": "0.5",
    }


def _wait_for_the_end(messages: int) -> float:
    """Until every message is sent: longer than a lease, for those whose sender was killed."""
    begun = time.monotonic()
    wait_until(lambda: Message.objects.filter(state="sent").count() == messages, within=180)
    return time.monotonic() - begun


def _figures(
    drill: str,
    sink: HttpSink,
    hooks: set[str],
    kills: int,
    in_flight: int,
    heal_s: float,
    bound: int,
) -> dict[str, Any]:
    copies = Counter(request.path for request in sink.requests)
    ids = {(request.path, request.headers["webhook-id"]) for request in sink.requests}
    duplicates = len(sink.requests) - len(hooks)
    accepted = Attempt.objects.filter(verdict="accepted").count()
    lost = len(hooks - set(copies))
    return {
        "drill": drill,
        "deliveries": len(hooks),
        "kills": kills,
        "in_flight": in_flight,
        "lost": lost,
        "duplicates": duplicates,
        "bound": bound,
        "max_copies": max(copies.values()),
        "visible_duplicates": len(ids) - len(hooks),  # at receivers that drop ids they have seen
        "heal_s": round(heal_s, 1),
        "held": lost == 0 and duplicates <= bound and len(ids) == accepted == len(hooks),
    }
