"""A broker that is stopped, silent, reset, restarted or gone, while people write and news goes out."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from stalkerr.embedded.valkey import Valkey
from tests.chaos.own_servers import begin, kill, own_broker
from tests.chaos.proxy import FaultProxy
from tests.chaos.stage import Fault, chosen, stage

ANSWERED = 2.0  # seconds, 99 of 100 answers of the API
LONGEST = 120.0  # seconds of a fault that is not the whole outage
RESETS, RESTARTS = 20, 10
RABBIT_PORT = 5672


@dataclass(frozen=True)
class Broker:
    """Where our processes find it, and what can happen to it."""

    url: str
    faults: Mapping[str, Fault]


def broker_outage(
    *, messages: int = 50, seconds: float = 300, faults: Sequence[str] = ()
) -> dict[str, Any]:
    """Rows 2 and 6, Redis: it is gone for so many seconds, and whatever else may happen to it.

    That a hint makes one attempt to connect is proven by tests/integration/workers/test_hints.py.
    """
    return _outage("broker_outage", _valkey(), messages, seconds, faults)


def rabbitmq_outage(
    *, messages: int = 50, seconds: float = 300, faults: Sequence[str] = ()
) -> dict[str, Any]:
    """The same with RabbitMQ, where there is one on this machine whose virtual hosts are ours to make.

    Proves the guard `retry` of the tick in stalkerr/celeryconfig.py: without it beat, whose connection
    was lost, never gives another one, and nothing is told.
    """
    if not shutil.which("rabbitmqctl"):
        return {"drill": "rabbitmq_outage", "skipped": "no rabbitmqctl", "held": True}
    return _outage("rabbitmq_outage", _rabbitmq(), messages, seconds, faults)


def _outage(
    drill: str,
    making: AbstractContextManager[Broker],
    messages: int,
    seconds: float,
    names: Sequence[str],
) -> dict[str, Any]:
    with making as broker, stage(messages, BROKER_URL=broker.url) as at_work:
        for name, fault in chosen(broker.faults, names):
            at_work.suffer(name, fault, seconds)
    return at_work.figures(drill, answered=ANSWERED, may_refuse=False)


# -- Redis -------------------------------------------------------------------------------------
@contextmanager
def _valkey() -> Iterator[Broker]:
    with own_broker() as server, FaultProxy(server.port or 0) as proxy:

        def stopped(seconds: float) -> None:
            os.kill(server.pid or 0, signal.SIGSTOP)
            time.sleep(min(seconds, LONGEST))
            os.kill(server.pid or 0, signal.SIGCONT)

        def reset(_seconds: float) -> None:
            for _ in range(RESETS):
                redis.Redis.from_url(server.url()).client_kill_filter(_type="normal")
                time.sleep(0.2)

        def restarted(seconds: float) -> None:
            for _ in range(RESTARTS):
                _return(server, proxy)
                time.sleep(min(seconds / RESTARTS, 3))

        def gone(seconds: float) -> None:
            kill(server)
            shutil.rmtree(server.data)
            time.sleep(seconds)
            _return(server, proxy)

        faults = _ways(proxy) | {
            "stopped": stopped,
            "reset": reset,
            "restarted": restarted,
            "gone": gone,
        }
        yield Broker(server.url().replace(f":{server.port}/", f":{proxy.port}/"), faults)


def _return(server: Valkey, proxy: FaultProxy) -> None:
    """Killed where it lives, and back, wherever that is now."""
    if server.is_running():
        kill(server)
    begin(server)
    proxy.target = server.port or 0


# -- RabbitMQ ----------------------------------------------------------------------------------
@contextmanager
def _rabbitmq() -> Iterator[Broker]:
    """A virtual host of the drill's own behind a proxy; the server itself is other people's, too."""
    host = f"drill-{uuid.uuid4().hex[:8]}"
    _rabbitmqctl("add_vhost", host)
    try:
        _rabbitmqctl("set_permissions", "-p", host, "guest", ".*", ".*", ".*")
        with FaultProxy(RABBIT_PORT) as proxy:

            def reset(_seconds: float) -> None:
                for _ in range(RESETS):
                    proxy.cut()
                    time.sleep(0.2)

            def gone(seconds: float) -> None:
                proxy.shut()
                time.sleep(seconds)
                proxy.heal()

            faults = {"silent": _ways(proxy)["silent"], "reset": reset, "gone": gone}
            yield Broker(f"amqp://guest:guest@127.0.0.1:{proxy.port}/{host}", faults)
    finally:
        _rabbitmqctl("delete_vhost", host)


def _rabbitmqctl(*words: str) -> None:
    command = ["rabbitmqctl", "--quiet", *words]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (the words are ours)


# -- both --------------------------------------------------------------------------------------
def _ways(proxy: FaultProxy) -> dict[str, Fault]:
    """What can happen to the way to any server."""

    def silent(seconds: float) -> None:
        proxy.swallow()
        time.sleep(min(seconds, LONGEST))
        proxy.heal()

    def half_open(seconds: float) -> None:
        proxy.forget()
        time.sleep(min(seconds, LONGEST) / 4)

    return {"silent": silent, "half_open": half_open}
