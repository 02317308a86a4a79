"""One guest, however many workers: turns are given out by the Redis that the broker lives in.

A turn is a moment: the marketplace's next free one, STORE_REQUEST_INTERVAL after the one before.
A Redis that was wiped knows no last turn, so the first one waits like any other. Without Redis
there are no turns, and nothing is asked of a store.
"""

import datetime as dt
import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings

_TAKE_TURN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local asked = redis.call('PTTL', KEYS[2])
if asked > 0 then return {0, asked} end
local interval, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
local turn = tonumber(redis.call('GET', KEYS[1])) or (now + interval)
if turn < now then turn = now end
if turn - now > longest then return {0, turn - now} end
redis.call('SET', KEYS[1], turn + interval)
if tonumber(ARGV[3]) > 0 then redis.call('SET', KEYS[2], 1, 'PX', ARGV[3]) end
return {1, turn - now}
"""
_BLOCK = """
local time = redis.call('TIME')
local free = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
local turn = tonumber(redis.call('GET', KEYS[1])) or 0
if free > turn then redis.call('SET', KEYS[1], free) end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
return free
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """Ask now."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Do not ask before so long has passed."""

    wait: dt.timedelta


def acquire(marketplace: str, url: str) -> Turn | Postponed:
    """Wait for a turn to ask `url`, at most STORE_LONGEST_WAIT; Postponed where that is too short.

    Postponed too where anybody asked the same URL less than STORE_SAME_URL_INTERVAL ago, while
    the store wants to be left alone, and while Redis can't be reached.
    """
    try:
        given, wait_ms = _redis().eval(
            _TAKE_TURN,
            2,
            _turn_key(marketplace),
            _url_key(url),
            _ms(settings.STORE_REQUEST_INTERVAL),
            _ms(settings.STORE_LONGEST_WAIT),
            _ms(settings.STORE_SAME_URL_INTERVAL),
        )
        wait = dt.timedelta(milliseconds=wait_ms)
        if not given:
            return Postponed(wait)
        time.sleep(wait.total_seconds())
        return _unless_blocked(marketplace, url)
    except redis.RedisError:
        return Postponed(settings.STORE_LONGEST_WAIT)


def _unless_blocked(marketplace: str, url: str) -> Turn | Postponed:
    """The turn, unless the store asked for peace while we waited for it."""
    blocked = _redis().pttl(_block_key(marketplace))
    if blocked <= 0:
        return Turn()
    _redis().delete(_url_key(url))  # it was not asked after all
    return Postponed(dt.timedelta(milliseconds=blocked))


def leave_alone(marketplace: str, wait: dt.timedelta) -> None:
    """Nobody asks this marketplace for so long: it said so.

    Without Redis nobody does anyway, and the visit that was told writes its own wait down.
    """
    if wait > dt.timedelta():
        with suppress(redis.RedisError):
            _redis().eval(_BLOCK, 2, _turn_key(marketplace), _block_key(marketplace), _ms(wait))


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.BUCKETS_URL, socket_timeout=5, socket_connect_timeout=3)


def _turn_key(marketplace: str) -> str:
    return f"stalkerr:turn:{marketplace}"


def _block_key(marketplace: str) -> str:
    return f"stalkerr:block:{marketplace}"


def _url_key(url: str) -> str:
    return f"stalkerr:asked:{hashlib.blake2b(url.encode(), digest_size=16).hexdigest()}"


def _ms(length: dt.timedelta) -> int:
    return int(length.total_seconds() * 1000)
