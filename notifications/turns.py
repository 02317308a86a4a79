"""Turns at providers that say how fast they may be asked: shared buckets, over all workers.

A bucket holds its last turns, each the moment at which a message goes out: in whatever span one
looks at there are no more than its count. Buckets that are lost are full ones; the provider's own
429 is the second wall.
"""

import uuid
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

# KEYS: the buckets of one message. ARGV: the message, the longest wait, then count and span of each
# bucket; in ms. Returns the wait until the first moment at which all buckets have a turn left in
# every span around it; it is taken of every bucket if that is not too long, else of none.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local longest, at, i = tonumber(ARGV[2]), now, 1
while i <= #KEYS do
  local count, span = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - span)
  local near = redis.call('ZRANGEBYSCORE', KEYS[i], '(' .. (at - span), '(' .. (at + span),
                          'WITHSCORES', 'LIMIT', 0, count)
  if #near < 2 * count then
    i = i + 1
  else  -- not before the first of these is a span away; and all buckets are asked anew
    at, i = tonumber(near[2]) + span, 1
  end
end
if at - now > longest then return at - now end
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, at, ARGV[1])
  redis.call('PEXPIRE', key, longest + tonumber(ARGV[2 * i + 2]))
end
return at - now
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
        pipeline.eval(_TAKE, len(keys), *keys, uuid.uuid4().hex, int(longest * 1000), *numbers)
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
