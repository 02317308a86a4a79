"""One guest, however many workers: turns are given out by the Redis that the broker lives in.

A marketplace has a token bucket, and each source of it a breaker. A turn is a moment, reserved in
the bucket, waited for, and looked at once more before it is used: by then the store may have asked
for peace, the breaker may have opened, or Redis may have been wiped. A bucket that was wiped begins
empty. Without Redis there are no turns, and nothing is asked of a store.

    turn = acquire(marketplace, url, source)
    if isinstance(turn, Turn):
        answer = fetch(url, session)
        report(marketplace, source, ok=...)  # whether the store could be seen
"""

import datetime as dt
import hashlib
import math
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import redis
import structlog
from django.conf import settings

from catalog.marketplaces import MARKETPLACES
from scraping import lua
from scraping.pace import pace_of
from scraping.sources.registry import DEFAULT, SOURCES

Reason = Literal[
    "busy",  # too many others wait for a turn
    "url",  # asked a while ago
    "quiet",  # the store wants to be left alone
    "breaker",  # the source has failed again and again
    "redis",  # can't be reached
]
LONGEST_OPEN = dt.timedelta(hours=1)  # of a breaker, before jitter, unless the first time is longer
FAILURES_KEPT = dt.timedelta(days=1)
# Where a store does not say how long to leave it alone: so many of its intervals.
PATIENCE = 20
# A probe whose prober died gives way to another after the longest request and this.
PROBE_SPARE = dt.timedelta(seconds=30)
# A turn used later than its own interval would fall upon the next one; short ones get some grace.
GRACE = dt.timedelta(seconds=0.25)
_TRIES = 3  # turns missed one after the other: this machine is too busy to keep any

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """Ask now."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Do not ask before so long has passed."""

    wait: dt.timedelta
    reason: Reason = "busy"


def acquire(marketplace: str, url: str, source: str = DEFAULT) -> Turn | Postponed:
    """Wait for a turn to ask `url`, at most STORE_LONGEST_WAIT; Postponed where that is too short.

    Postponed too where anybody asked the same URL less than STORE_SAME_URL_INTERVAL ago, while
    the store wants to be left alone, while the breaker of `source` is open (then one caller gets
    a turn, the probe), and while Redis can't be reached.
    """
    pace = pace_of(marketplace)
    keys = _keys(marketplace, url, source)
    try:
        for _ in range(_TRIES):
            said, wait, *held = _run(
                lua.TAKE,
                keys,
                _ms(pace.interval),
                pace.burst,
                _ms(settings.STORE_LONGEST_WAIT),
                _ms(settings.STORE_SAME_URL_INTERVAL),
                _ms(settings.STORE_TIMEOUT + PROBE_SPARE),
            )
            if said == b"turn":
                time.sleep(wait / 1000)
                said, wait = _run(lua.BEGIN, keys, *held, _ms(max(pace.interval, GRACE)))
            if said == b"go":
                return Turn()
            if said != b"missed":
                return _postponed(said.decode(), wait)
    except redis.RedisError:
        return Postponed(settings.STORE_LONGEST_WAIT, "redis")
    return Postponed(settings.STORE_LONGEST_WAIT)


def _postponed(reason: Reason, wait_ms: int) -> Postponed:
    """Spread, so that all who are sent away do not come back at once."""
    wait = dt.timedelta(milliseconds=wait_ms)
    return Postponed(wait + _jitter() * min(wait, settings.STORE_LONGEST_WAIT), reason)


def leave_alone(marketplace: str, wait: dt.timedelta | None) -> None:
    """Nobody asks this marketplace for so long: it said so. None: it did not say how long.

    Without Redis nobody does anyway, and the visit that was told writes its own wait down.
    """
    pace = pace_of(marketplace)
    if wait is None:
        wait = pace.interval * PATIENCE * (1 + _jitter())
    if wait > dt.timedelta():
        bucket, _, _, block = _keys(marketplace)
        with suppress(redis.RedisError):
            _run(lua.BLOCK, [bucket, block], _ms(wait), _ms(pace.interval), pace.burst)


def report(marketplace: str, source: str, *, ok: bool) -> None:
    """What an answer says of its source: `ok` unless it was throttled or nothing could be seen.

    STORE_BREAKER_FAILURES in a row, over all workers, open the breaker; while it is open only the
    probe's report counts, which closes it or opens it for twice as long.
    """
    with suppress(redis.RedisError):
        open_for = _run(
            lua.REPORT,
            [_breaker_key(marketplace, source)],
            int(ok),
            settings.STORE_BREAKER_FAILURES,
            _ms(settings.STORE_BREAKER_OPEN),
            _ms(max(LONGEST_OPEN, settings.STORE_BREAKER_OPEN)),
            _jitter(),
            _ms(FAILURES_KEPT),
        )
        if open_for:
            _tell_of_breaker(marketplace, source, open_for)


def _tell_of_breaker(marketplace: str, source: str, open_for: int) -> None:
    names = {"marketplace": marketplace, "source": source}
    if open_for > 0:
        _log.warning("breaker_opened", **names, seconds=open_for / 1000)
    else:
        _log.info("breaker_closed", **names)


def failing_for(marketplace: str, source: str) -> dt.timedelta:
    """How long ago the failures in a row of a source began; zero where the last answer was good.

    Zero too while Redis can't be reached, and a day after the last failure.
    """
    with suppress(redis.RedisError):
        passed = _run(lua.FAILING, [_breaker_key(marketplace, source)])
        return dt.timedelta(milliseconds=passed)
    return dt.timedelta()


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are between us and a marketplace."""

    marketplace: str
    tokens: float  # requests that might be sent now
    is_quiet: bool  # it asked to be left alone
    failures: dict[str, int]  # in a row, by source
    open_breakers: frozenset[str]  # sources that are not asked


def standings() -> list[Standing]:
    """Of the marketplaces that were ever asked; one question to Redis. Raises RedisError."""
    with _redis().pipeline(transaction=False) as asked:
        asked.time()
        for code in MARKETPLACES:
            bucket, _, _, block = _keys(code)
            asked.hget(bucket, "full_at")
            asked.exists(block)
            for source in SOURCES:
                asked.hmget(_breaker_key(code, source), "failures", "open_until")
        (seconds, micros), *said = asked.execute()
    now, step = seconds * 1000 + micros / 1000, 2 + len(SOURCES)
    found = {
        code: said[place * step : (place + 1) * step] for place, code in enumerate(MARKETPLACES)
    }
    return [_standing(code, now, *each) for code, each in found.items() if each[0] is not None]


def _standing(code: str, now: float, full_at: bytes, blocked: int, *breakers: Any) -> Standing:
    pace, sources = pace_of(code), dict(zip(SOURCES, breakers, strict=True))
    lacking = max(0.0, float(full_at) - now)
    tokens = pace.burst - lacking / interval if (interval := _ms(pace.interval)) else pace.burst
    return Standing(
        marketplace=code,
        tokens=max(0.0, float(tokens)),
        is_quiet=bool(blocked),
        failures={source: int(failures or 0) for source, (failures, _) in sources.items()},
        open_breakers=frozenset(
            source for source, (_, until) in sources.items() if until and float(until) > now
        ),
    )


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.BUCKETS_URL, socket_timeout=5, socket_connect_timeout=3)


def _run(script: str, keys: list[str], *arguments: float | bytes) -> Any:
    """By its hash; a Redis that does not know it is told."""
    return _redis().register_script(script)(keys=keys, args=arguments)


def _jitter() -> float:
    """In [0, 1), for waits that we choose ourselves: it comes on top of them."""
    return random.random()  # noqa: S311 (spreads load, hides nothing)


def _keys(marketplace: str, url: str = "", source: str = DEFAULT) -> list[str]:
    """Bucket, URL, breaker and block."""
    asked = hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
    return [
        f"stalkerr:bucket:{marketplace}",
        f"stalkerr:asked:{asked}",
        _breaker_key(marketplace, source),
        f"stalkerr:block:{marketplace}",
    ]


def _breaker_key(marketplace: str, source: str) -> str:
    return f"stalkerr:breaker:{marketplace}:{source}"


def _ms(length: dt.timedelta) -> int:
    """Rounded up: a wait is never cut short."""
    return math.ceil(length.total_seconds() * 1000)
