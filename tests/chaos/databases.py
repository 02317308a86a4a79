"""A PostgreSQL that is slow, locked, used up, silent, or killed, while people write and news goes out."""

import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import psycopg

from notifications.models import Message
from tests.chaos.own_servers import OwnPostgres, begin, kill, leave, own_postgres
from tests.chaos.proxy import FaultProxy
from tests.chaos.scene import wire_id
from tests.chaos.stage import Fault, Stage, chosen, stage
from tests.sinks import wait_until

ANSWERED = 3.0  # seconds, 99 of 100 answers
RECOVERED = 30.0  # seconds after PostgreSQL was started again
CONNECTIONS = 60
TABLES = (
    "watches",
    "messages",
    "audiobooks",
)  # what is written, what is claimed, what strangers read


def slow_postgres(
    *, messages: int = 50, seconds: float = 60, faults: Sequence[str] = ()
) -> dict[str, Any]:
    """Row 17: answers half a second late, tables locked, connections used up, a server that is silent.

    Proves the guards DATABASE_PATIENCE and DATABASE_BUDGET of the web (writers would wait for as long as the
    fault lasts). What a refusal looks like is proven by tests/integration/api/test_database_away.py.
    """
    with own_postgres(max_connections=str(CONNECTIONS)) as server, ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(server.port or 0))
        at_work = stack.enter_context(
            stage(messages, readers=1, DATABASE_URL=_through(server, proxy))
        )
        for name, fault in chosen(_faults(server, proxy), faults):
            at_work.suffer(name, fault, seconds)
        stack.pop_all().close()  # the last writes have their answers
        return at_work.figures("slow_postgres", answered=ANSWERED, may_refuse=True)


def _through(server: OwnPostgres, proxy: FaultProxy) -> str:
    return server.url().replace(f":{server.port}/", f":{proxy.port}/")


def _faults(server: OwnPostgres, proxy: FaultProxy) -> Mapping[str, Fault]:
    def late(seconds: float) -> None:
        proxy.delay = 0.5
        time.sleep(seconds)
        proxy.delay = 0.0

    def locked(seconds: float) -> None:
        with psycopg.connect(server.url()) as other:
            other.execute(f"LOCK TABLE {', '.join(TABLES)}")
            time.sleep(seconds)

    def silent(seconds: float) -> None:
        proxy.swallow()
        time.sleep(seconds)
        proxy.heal()

    def used_up(seconds: float) -> None:
        leave()
        with ExitStack() as hoard:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                _hoard(server, hoard)
                time.sleep(0.2)

    return {"late": late, "locked": locked, "silent": silent, "used_up": used_up}


def _hoard(server: OwnPostgres, hoard: ExitStack) -> None:
    """Take every connection there is, also those that others have."""
    with suppress(psycopg.OperationalError):
        while True:
            mine = hoard.enter_context(psycopg.connect(server.url(), application_name="hoard"))
            mine.autocommit = True
            mine.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'stalkerr%'"
            )


def crash_postgres(*, messages: int = 50, kills: int = 20, seed: int = 7) -> dict[str, Any]:
    """Row 16: SIGKILL of the postmaster or an immediate stop, so many times, amid writes and tells.

    Proves the guard synchronous_commit: without it what was acknowledged is not there.
    """
    chance = random.Random(seed)
    with own_postgres() as server:
        settings: dict[str, Any] = {"DATABASE_URL": server.url()}
        with stage(messages, writers=4, **settings) as at_work:
            ends = [kill if number % 2 else _stop for number in range(kills)]
            recovered = [_crash(at_work, server, end, chance.random()) for end in ends]
            at_work.suffer("crashes", lambda _: None, 0)
        figures = at_work.figures("crash_postgres", answered=RECOVERED, may_refuse=True)
        rolled_back = _told_of_nothing(at_work)
    return figures | {
        "kills": kills,
        "recovery_s": max(recovered),
        "rolled_back": rolled_back,
        "held": figures["held"] and not rolled_back and max(recovered) <= RECOVERED,
    }


def _crash(
    at_work: Stage, server: OwnPostgres, end: Callable[[OwnPostgres], None], after: float
) -> float:
    """News, a crash so many seconds into it, and how many it takes until a write is taken again."""
    at_work.announce()
    time.sleep(after)
    end(server)
    leave()
    begun = time.monotonic()
    begin(server)  # which waits until it answers
    wait_until(lambda: at_work.writers.accepted(since=begun) > 0, within=2 * RECOVERED, every=0.05)
    return round(time.monotonic() - begun, 1)


def _stop(server: OwnPostgres) -> None:
    """`pg_ctl stop -m immediate`."""
    assert server.process
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait()


def _told_of_nothing(at_work: Stage) -> int:
    """How many messages were sent that the database does not know."""
    known = {str(each) for each in Message.objects.values_list("wire_id", flat=True)}
    return len({wire_id(each) for each in at_work.sink.requests} - known)
