"""How much of a rate is left: counted in Redis, in one piece, exact however many ask at once.

A log (list) holds the moments of what was accepted within the last period, at most as many as the
rate allows: in no period, wherever it begins, is more accepted. What is refused is not counted.
All moments are those of Redis, in ms.
"""

import dataclasses
import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Self

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnectedError
from redis.retry import Retry

PREFIX: Final = "stalkerr:rate:"
_PATIENCE: Final = 0.5  # seconds: who asks a Redis that hangs must not hang with it
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

# KEYS: logs, and what is to be read along. ARGV: for each log its count, its period and how many it is
# to take. Returns for each how many it held before, and when the last goes that stands in the way of
# the next; all take theirs, or none does. Then Redis's time in ms, and what was read.
TAKE: Final = """
local logs = #ARGV / 3
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found, free = {}, true
for i = 1, logs do
  local log = KEYS[i]
  local most, period = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local wanted = tonumber(ARGV[3 * i])
  local oldest = redis.call('LINDEX', log, 0)
  while oldest and tonumber(oldest) <= now - period do
    redis.call('LPOP', log)
    oldest = redis.call('LINDEX', log, 0)
  end
  local held = redis.call('LLEN', log)
  local surplus = held + wanted - most
  if surplus > 0 then free = false end
  if surplus > 1 then oldest = redis.call('LINDEX', log, surplus - 1) end
  found[i] = {held, (tonumber(oldest or now)) + period - now}
end
if free then
  for i = 1, logs do
    for _ = 1, tonumber(ARGV[3 * i]) do redis.call('RPUSH', KEYS[i], string.format('%d', now)) end
    redis.call('PEXPIRE', KEYS[i], ARGV[3 * i - 1])
  end
end
local along = KEYS[logs + 1]
return {free and 1 or 0, found, now, along and redis.call('GET', along) or ''}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many within any such period."""

    count: int
    period: dt.timedelta

    @classmethod
    def of(cls, text: str) -> Self:
        """From a text such as 100/h or 10/15m."""
        parts = re.fullmatch(r"([1-9]\d*)/(\d*)([smhd])", text)
        if parts is None:
            raise ValueError(f"{text!r} is no rate; one looks like 100/h or 10/15m.")
        count, length, unit = parts.groups()
        return cls(int(count), dt.timedelta(seconds=int(length or 1) * _UNITS[unit]))

    def times(self, factor: int) -> Self:
        """So many times as many in the same period."""
        return dataclasses.replace(self, count=self.count * factor)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rate, of what (`group`), for whom."""

    group: str
    rate: Rate
    who: str
    cost: int = 1  # what one such request counts for

    @property
    def key(self) -> str:
        """Who it is can't be read from it."""
        name = repr((self.who, self.rate.count, self.rate.period)).encode("utf-8", "replace")
        return f"{PREFIX}{self.group}:{hashlib.blake2b(name, digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Count:
    """What is left of the rule that is closest to its end."""

    accepted: bool
    limit: int
    remaining: int
    reset: int  # seconds until one more is allowed than now; where refused, until one is


@dataclass(frozen=True, slots=True)
class Counted:
    """A request that was counted before Django saw it: what was said then."""

    rule: Rule
    count: Count


COUNTED: Final = "stalkerr.counted"  # of a request's ASGI scope: who asks can't write there


def take(rules: Sequence[Rule]) -> Count:
    """Count each rule's cost against it, or none against any where one has not that much left.

    Raises RedisError where nobody can count.
    """
    script = _redis(settings.BUCKETS_URL).register_script(TAKE)
    accepted, found, *_ = script(keys=[rule.key for rule in rules], args=arguments(rules))
    return count_of(rules, accepted, found)


def arguments(rules: Sequence[Rule]) -> list[int]:
    """Of TAKE."""
    return [number for rule in rules for number in (*_numbers(rule.rate), rule.cost)]


def count_of(rules: Sequence[Rule], accepted: int, found: Sequence[Sequence[int]]) -> Count:
    """What TAKE returned, as the rule says it that is closest to its end."""
    if len(rules) == 1:
        return _count(rules[0], accepted, *found[0])
    counts = [
        (max(rule.rate.count - held - rule.cost, -1), _count(rule, accepted, held, wait))
        for rule, (held, wait) in zip(rules, found, strict=True)
    ]
    # Of those that refuse the one that takes longest: before that, no request is accepted.
    return min(counts, key=lambda each: (each[0], -each[1].reset))[1]


def _count(rule: Rule, accepted: int, held: int, wait: int) -> Count:
    most = rule.rate.count
    return Count(
        bool(accepted), most, max(0, most - held - accepted * rule.cost), max(1, -(-wait // 1000))
    )


def _numbers(rate: Rate) -> tuple[int, int]:
    return rate.count, rate.period // dt.timedelta(milliseconds=1)


@cache
def _redis(url: str) -> "Redis":
    # Once more on a connection that Redis closed; not after a time-out, which may have counted.
    retry = Retry(NoBackoff(), 1, supported_errors=(NotConnectedError,))
    return Redis.from_url(
        url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=retry
    )
