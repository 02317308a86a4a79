"""What the lanes of all web processes did: counted here, summed in Redis, shown by /metrics."""

import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from api.edge.line import Line, LineError

ANSWERS: Final = "stalkerr:edge:answers"
POOLS: Final = "stalkerr:edge:pools"
_FRESH: Final = 30  # seconds: of an older pool the process is gone
_PATIENCE: Final = 0.5  # seconds
OUTCOMES: Final = ("hit", "miss", "not_modified", "passed")
STATES: Final = ("size", "in_use", "waiting")


class Figures:
    """Of one process."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    async def tell(self, line: Line, pool: Mapping[str, int]) -> None:
        """Add what was counted since; what could not be told is told the next time."""
        told = self.answers.copy()
        try:
            for outcome, count in told.items():
                await line.ask("HINCRBY", ANSWERS, outcome, count)
                self.answers[outcome] -= count
            state = " ".join(str(number) for number in (int(time.time()), *_states(pool)))
            await line.ask("HSET", POOLS, self._name, state)
        except LineError:
            return

    async def leave(self, line: Line) -> None:
        """This process has no pool any more."""
        try:
            await line.ask("HDEL", POOLS, self._name)
        except LineError:
            return


def _states(pool: Mapping[str, int]) -> tuple[int, int, int]:
    size = pool.get("pool_size", 0)
    return size, size - pool.get("pool_available", 0), pool.get("requests_waiting", 0)


def read() -> tuple[dict[str, int], dict[str, int]]:
    """Answers by outcome, connections by state; of all processes that are alive."""
    try:
        with Redis.from_url(
            settings.BUCKETS_URL, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        ) as redis:
            answers: Any = redis.hgetall(ANSWERS)
            pools: Any = redis.hgetall(POOLS)
    except RedisError:
        return {}, {}
    states = dict.fromkeys(STATES, 0)
    for told in pools.values():
        at, *numbers = map(int, told.split())
        if time.time() - at < _FRESH:
            for state, number in zip(STATES, numbers, strict=True):
                states[state] += number
    return {outcome: int(answers.get(outcome.encode(), 0)) for outcome in OUTCOMES}, states
