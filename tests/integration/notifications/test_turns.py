"""Turns at providers that say how fast they may be asked, kept in a real Redis."""

import threading
import time
from collections.abc import Iterator, Mapping
from multiprocessing import get_context
from multiprocessing.pool import Pool

import pytest
from django.conf import settings
from pytest_django import Settings
from redis import Redis

from notifications import turns
from notifications.channels.base import Pace
from notifications.turns import PREFIX, take_turns

FAST = {"chat": Pace(5, 1.0)}


@pytest.fixture(autouse=True)
def buckets() -> Iterator[Redis]:
    """Nobody has taken a turn yet."""
    redis = Redis.from_url(settings.BUCKETS_URL)
    for key in redis.scan_iter(f"{PREFIX}*"):
        redis.delete(key)
    yield redis
    redis.close()


def take(buckets: Mapping[str, Pace], *, longest: float = 5.0) -> float:
    (wait,) = take_turns([buckets], longest=longest)
    return wait


def moments(_: int) -> list[float]:
    """When twenty messages of one process go out, by the clock that all processes share."""
    begun = time.monotonic()
    return [begun + wait for wait in take_turns([FAST] * 20, longest=60)]


def most_in_a_span(sent: list[float], seconds: float) -> int:
    ordered = sorted(sent)
    return max(
        sum(first <= each < first + seconds for each in ordered[place:])
        for place, first in enumerate(ordered)
    )


def test_as_many_as_allowed_go_at_once_and_the_others_one_span_later() -> None:
    """Proves the guard of every span: a bucket that fills bit by bit allows almost twice as many."""
    waits = take_turns([FAST] * 12, longest=60)
    assert waits[:5] == [0] * 5
    assert all(0.9 <= wait <= 1 for wait in waits[5:10])
    assert all(1.9 <= wait <= 2 for wait in waits[10:])


def test_processes_at_once_never_exceed_the_count_in_any_span() -> None:
    """Proves the guard of one script: two that look before either takes would both find a turn."""
    with get_context("fork").Pool(4) as pool:
        sent = _all(pool)
    assert len(sent) == 80
    # A moment is known as well as the way to Redis and back is short.
    assert most_in_a_span(sent, 0.8) <= 5


def _all(pool: Pool) -> list[float]:
    return [moment for each in pool.map(moments, range(4)) for moment in each]


def test_threads_at_once_never_exceed_the_count_in_any_span() -> None:
    sent: list[float] = []
    threads = [threading.Thread(target=lambda: sent.extend(moments(0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_in_a_span(sent, 0.8) <= 5


def test_a_turn_is_taken_of_all_buckets_or_of_none() -> None:
    """Proves the guard of all or none: messages that wait for a chat would use up its bot."""
    bot, chat = {"bot": Pace(3, 60.0)}, {"chat": Pace(1, 60.0)}
    assert take(bot | chat) == 0
    for _ in range(5):
        assert take(bot | chat) > 5
    assert take(bot) == take(bot) == 0
    assert take(bot) > 5


def test_a_busy_chat_does_not_hold_its_bot_up() -> None:
    """Proves the guard of gaps: a turn taken ahead would push all that come after it behind it."""
    bot, busy, other = {"bot": Pace(3, 1.0)}, {"busy": Pace(1, 1.0)}, {"other": Pace(1, 1.0)}
    waits = take_turns([bot | busy] * 4, longest=5)
    assert waits[-1] > 2
    assert take(bot | other) == 0


def test_a_wait_that_is_too_long_takes_no_turn(buckets: Redis) -> None:
    for _ in range(5):
        take(FAST)
    assert take(FAST, longest=0.1) > 0.1
    assert buckets.zcard(f"{PREFIX}chat") == 5


def test_who_needs_no_turn_asks_nobody(settings: Settings) -> None:
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    assert take_turns([{}, {}], longest=5) == [0, 0]


def test_a_wiped_bucket_is_a_full_one(buckets: Redis) -> None:
    take_turns([FAST] * 5, longest=5)
    buckets.delete(f"{PREFIX}chat")
    assert take(FAST) == 0


def test_a_bucket_that_nobody_uses_goes(buckets: Redis) -> None:
    take(FAST, longest=2)
    assert 0 < buckets.pttl(f"{PREFIX}chat") <= 3000


def test_without_redis_nobody_waits(settings: Settings) -> None:
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    assert take(FAST) == 0
    turns._redis.cache_clear()
