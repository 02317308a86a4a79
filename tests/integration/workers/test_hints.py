"""Hints: one waiting stands for all that say the same; a broker that is away costs a moment once."""

import time
import uuid
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator

import pytest
from celery import Celery
from django.conf import settings
from pytest_django import Settings
from redis import Redis

from stalkerr.celery import Hinting
from stalkerr.celeryconfig import broker_transport_options
from tests.sinks import RawSink, wait_until
from workers import hints

TASK = "workers.tick"
PREFIX = broker_transport_options["global_keyprefix"]


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where the broker should be."""
    fresh = Celery("elsewhere", broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr(hints, "app", fresh)
    monkeypatch.setattr(hints, "_silent_until", 0.0)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A queue that no worker looks at, and no hint is waiting."""
    monkeypatch.setattr(hints, "_silent_until", 0.0)
    name = f"hints-{uuid.uuid4().hex}"
    forget()
    yield name
    forget()
    redis = Redis.from_url(settings.BROKER_URL)
    redis.delete(f"{PREFIX}{name}", f"{PREFIX}_kombu.binding.{name}")
    redis.close()


def forget() -> None:
    """Wipe what is known of hints."""
    redis = Redis.from_url(settings.BUCKETS_URL)
    for key in redis.scan_iter("stalkerr:hint:*"):
        redis.delete(key)
    redis.close()


def waiting(queue: str) -> int:
    redis = Redis.from_url(settings.BROKER_URL)
    found = int(redis.llen(f"{PREFIX}{queue}"))
    redis.close()
    return found


def test_a_hint_that_can_not_be_given_is_given_up_and_then_not_even_tried(no_broker: None) -> None:
    begun = time.monotonic()
    assert not hints.hint("workers.tick", "tick")
    assert hints._silent_until > begun + hints.PAUSE - 1
    tried = time.monotonic()
    for _ in range(100):
        assert not hints.hint("workers.tick", "tick")
    assert time.monotonic() - tried < 1


def test_a_hint_makes_one_attempt_to_connect(monkeypatch: pytest.MonkeyPatch, queue: str) -> None:
    """Proves the guard stalkerr.celery.AT_ONCE: kombu goes on for seconds, and a web request with it."""
    with RawSink(_hang_up) as broker:
        configured = dict(broker_transport_options) | {"socket_timeout": 0.5}
        where = f"redis://127.0.0.1:{broker.port}/0"
        fresh = Hinting("elsewhere", broker=where, set_as_current=False)
        fresh.conf.broker_transport_options = configured
        monkeypatch.setattr(hints, "app", fresh)
        assert not hints.hint(TASK, queue)
        assert broker.connections == 1
        fresh.close()


async def _hang_up(_reader: StreamReader, writer: StreamWriter) -> None:
    writer.close()


def test_one_waiting_hint_stands_for_all_that_say_the_same(queue: str) -> None:
    """Proves the guard of the one that waits: each message settled would bring another task."""
    assert all(hints.hint_once(TASK, queue, kind="webhook", shard=3) for _ in range(5))
    assert waiting(queue) == 1


def test_hints_that_say_something_else_are_given(queue: str) -> None:
    for arguments in ({"shard": 1}, {"shard": 2}, {"shard": 1, "kind": "email"}, {}):
        hints.hint_once(TASK, queue, **arguments)
    assert waiting(queue) == 4


def test_what_comes_after_a_task_began_is_worth_another_hint(queue: str) -> None:
    """Proves the guard `taken`: what comes while the task runs would wait for the next sweep."""
    hints.hint_once(TASK, queue, kind="webhook", shard=3)
    hints.taken(TASK, shard=3, kind="webhook")
    hints.hint_once(TASK, queue, kind="webhook", shard=3)
    assert waiting(queue) == 2


def test_no_hint_stands_for_others_longer_than_it_may(queue: str) -> None:
    """Proves the guard WAITING: a hint that was lost would be waited for, for ever."""
    redis = Redis.from_url(settings.BUCKETS_URL)
    for _ in range(3):
        hints.hint_once(TASK, queue)
    (key,) = redis.scan_iter("stalkerr:hint:*")
    left = redis.pttl(key)
    assert 0 < left <= hints.WAITING * 1000
    redis.pexpire(key, 1)
    wait_until(lambda: not redis.exists(key))
    redis.close()
    hints.hint_once(TASK, queue)
    assert waiting(queue) == 2


def test_asking_again_does_not_prolong_the_wait(queue: str) -> None:
    redis = Redis.from_url(settings.BUCKETS_URL)
    hints.hint_once(TASK, queue)
    (key,) = redis.scan_iter("stalkerr:hint:*")
    redis.pexpire(key, 5000)
    hints.hint_once(TASK, queue)
    assert redis.pttl(key) <= 5000
    redis.close()


def test_a_redis_that_was_wiped_costs_one_hint_too_many_at_most(queue: str) -> None:
    hints.hint_once(TASK, queue)
    forget()
    hints.hint_once(TASK, queue)
    hints.hint_once(TASK, queue)
    assert waiting(queue) == 2


def test_without_redis_every_hint_is_given(queue: str, settings: Settings) -> None:
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    hints._redis.cache_clear()
    try:
        for _ in range(3):
            assert hints.hint_once(TASK, queue)
        hints.taken(TASK)
    finally:
        hints._redis.cache_clear()
    assert waiting(queue) == 3


def test_a_hint_that_could_not_be_given_stands_for_none(
    queue: str, no_broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard of hints not given: the next one would count on it for half a minute."""
    assert not hints.hint_once(TASK, queue)
    monkeypatch.undo()
    monkeypatch.setattr(hints, "_silent_until", 0.0)
    assert hints.hint_once(TASK, queue)
    assert waiting(queue) == 1
