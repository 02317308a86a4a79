"""How much of a rate is left: counted in Redis, in one piece, exact however many ask at once.

A log (list) holds the moments of what was accepted within the last period, at most as many as the
rate allows: in no period, wherever it begins, is more accepted. What is refused is not counted.
All moments are those of Redis, in ms.
"""

import dataclasses
import datetime as dt
import hashlib
import math
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

# KEYS: logs. ARGV: for each its count and its period. Returns for each how many it held before,
# and when its oldest goes; all take one more, or none does.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found, free = {}, true
for i, log in ipairs(KEYS) do
  local most, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local oldest = redis.call('LINDEX', log, 0)
  while oldest and tonumber(oldest) <= now - period do
    redis.call('LPOP', log)
    oldest = redis.call('LINDEX', log, 0)
  end
  local held = redis.call('LLEN', log)
  if held >= most then free = false end
  found[i] = {held, (tonumber(oldest or now)) + period - now}
end
if free then
  for i, log in ipairs(KEYS) do
    redis.call('RPUSH', log, string.format('%d', now))
    redis.call('PEXPIRE', log, ARGV[2 * i])
  end
end
return {free and 1 or 0, found}
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


def take(rules: Sequence[Rule]) -> Count:
    """Count one more against each of the rules, or against none where one has nothing left.

    Raises RedisError where nobody can count.
    """
    arguments = [
        number
        for rule in rules
        for number in (rule.rate.count, rule.rate.period // dt.timedelta(milliseconds=1))
    ]
    script = _redis(settings.BUCKETS_URL).register_script(_TAKE)
    accepted, found = script(keys=[rule.key for rule in rules], args=arguments)
    counts = [
        Count(
            accepted=bool(accepted),
            limit=rule.rate.count,
            remaining=max(0, rule.rate.count - held - accepted),
            reset=max(1, math.ceil(wait / 1000)),
        )
        for rule, (held, wait) in zip(rules, found, strict=True)
    ]
    # Of those with nothing left the one that takes longest: before that, no request is accepted.
    return min(counts, key=lambda count: (count.remaining, -count.reset))


@cache
def _redis(url: str) -> "Redis":
    # Once more on a connection that Redis closed; not after a time-out, which may have counted.
    retry = Retry(NoBackoff(), 1, supported_errors=(NotConnectedError,))
    return Redis.from_url(
        url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=retry
    )
