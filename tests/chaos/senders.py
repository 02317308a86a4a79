"""Drills on the senders: killed at random, or with their broker gone under them."""

import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from stalkerr.embedded.valkey import Valkey
from tests.chaos.own_servers import begin, own_broker
from tests.chaos.scene import SETTINGS, figures, promise, wait_for_the_end
from tests.e2e.crew import crew
from tests.sinks import HttpSink, Reply, wait_until

WORKERS, CHILDREN = 4, 1  # a child is what has sends in flight: each kill ends one
RESTART = 0.5  # seconds that no worker's start stays below
AWAY = 25.0  # seconds without a broker: no task that ran before lasts so long


def kill_senders(
    *, messages: int = 10_000, kills: int = 50, in_flight: int = 8, seed: int = 7
) -> dict[str, Any]:
    """SIGKILL a random worker with its child, again and again, while messages go out.

    Only those that are at work are killed: a worker that still starts has nothing to lose.
    """
    chance = random.Random(seed)
    killed: dict[str, float] = {}
    with HttpSink(Reply(delay=0.05)) as sink, tempfile.TemporaryDirectory() as logs:
        promise(sink, messages)
        with _crew(logs, in_flight) as workers:
            for kill in range(kills):
                sink.wait_for((kill + 1) * messages // (kills + 2), within=120)
                wait_until(lambda: bool(at_work(sink, killed)), within=60)
                name = chance.choice(at_work(sink, killed))
                workers.kill(name)
                killed[name] = time.monotonic()
            heal_s = wait_for_the_end(messages)
        return _figures("kill_senders", sink, messages, in_flight, heal_s, kills=kills)


def at_work(sink: HttpSink, killed: dict[str, float]) -> list[str]:
    """The workers that sent something lately, and since they were last killed."""
    last = {each.headers["user-agent"]: each.at for each in sink.requests[-200:]}
    return sorted(name for name, at in last.items() if at > killed.get(name, 0) + RESTART)


def wipe_broker(*, messages: int = 5_000, in_flight: int = 8, away: float = AWAY) -> dict[str, Any]:
    """Kill Redis and remove its data, later empty it, while messages go out: every hint is lost."""
    # So slow that the tasks that run when the broker goes can't send all by themselves.
    with (
        HttpSink(Reply(delay=0.25)) as sink,
        tempfile.TemporaryDirectory() as logs,
        own_broker() as broker,
    ):
        promise(sink, messages)
        with _crew(logs, in_flight, BROKER_URL=broker.url()):
            sink.wait_for(messages // 6, within=300)
            _lose(broker, away)
            sink.wait_for(5 * messages // 6, within=300)
            redis.Redis.from_url(broker.url()).flushall()
            heal_s = wait_for_the_end(messages)
        return _figures("wipe_broker", sink, messages, in_flight, heal_s, kills=0) | {"wipes": 2}


def _lose(server: Valkey, away: float) -> None:
    """Killed, its data removed, away for a while, back empty."""
    assert server.process
    server.process.kill()
    server.process.wait()
    shutil.rmtree(server.data)
    time.sleep(away)
    begin(server)


def _crew(logs: str, in_flight: int, **settings: Any) -> Any:
    settings = SETTINGS | {"TELL_IN_FLIGHT": str(in_flight)} | settings
    return crew(Path(logs), workers=WORKERS, children=CHILDREN, **settings)


def _figures(
    drill: str, sink: HttpSink, messages: int, in_flight: int, heal_s: float, *, kills: int
) -> dict[str, Any]:
    return figures(
        drill,
        sink,
        messages=messages,
        kills=kills,
        in_flight=in_flight,
        heal_s=heal_s,
        children=CHILDREN,
    )
