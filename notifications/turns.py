"""Turns at providers that say how fast they may be asked: shared buckets, over all workers.

A bucket is one moment in Redis (the generic cell rate algorithm): when all its turns are back.
Buckets that are lost are full ones; the provider's own 429 is the second wall.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from redis import Redis, RedisError

from notifications.channels.base import Pace

PREFIX: Final = "stalkerr:turn:"
TIMEOUT: Final = 1.0  # seconds

_log = structlog.get_logger(__name__)

# KEYS: the buckets of one message. ARGV: the longest wait, then count and span of each, in ms.
# Returns the wait; a turn is taken of every bucket if it is not too long, else of none.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local wait, full_at = 0, {}
for i, key in ipairs(KEYS) do
  local count, span = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  full_at[i] = math.max(tonumber(redis.call('GET', key) or now), now) + span / count
  wait = math.max(wait, full_at[i] - now - span)
end
if wait > tonumber(ARGV[1]) then return tostring(wait) end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, tostring(full_at[i]), 'PX', math.ceil(full_at[i] - now) + 1)
end
return tostring(wait)
"""


def take_turns(messages: Sequence[Mapping[str, Pace]], *, longest: float) -> list[float]:
    """For each message, with its buckets by name: how long to wait (seconds) before it is sent.

    A wait beyond `longest` took no turn: the message comes back later. Where Redis does not
    answer, nobody waits.
    """
    asked = [place for place, buckets in enumerate(messages) if buckets]
    waits = [0.0] * len(messages)
    if not asked:
        return waits
    pipeline = _redis(settings.BUCKETS_URL).pipeline(transaction=False)
    for place in asked:
        buckets = messages[place]
        numbers = [
            number for pace in buckets.values() for number in (pace.count, int(pace.seconds * 1000))
        ]
        keys = [f"{PREFIX}{name}" for name in buckets]
        pipeline.eval(_TAKE, len(keys), *keys, int(longest * 1000), *numbers)
    try:
        found = pipeline.execute()
    except RedisError as error:
        _log.warning("turns_unknown", error=str(error))
        return waits
    for place, wait in zip(asked, found, strict=True):
        waits[place] = max(0.0, float(wait) / 1000)
    return waits


@cache
def _redis(url: str) -> "Redis":
    return Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
