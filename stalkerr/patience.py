"""How long a process waits for PostgreSQL: for a connection, a lock, an answer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus

IDLE_IN_TRANSACTION = 30  # seconds; whoever holds locks and does nothing has died
GRACE = 1.0  # seconds after which a server that should have given up is given up
# A server that vanished is noticed in half a minute, also by who only listens.
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

LEAST = (
    0.05  # seconds for a statement of who has used up a budget: enough for one that is no trouble
)

_left: ContextVar[list[float] | None] = ContextVar("database_seconds_left", default=None)


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """So long may this request wait for the database, over all its statements; 0: for ever."""
    token = _left.set([seconds] if seconds else None)  # a list: threads that work for it share it
    try:
        yield
    finally:
        _left.reset(token)


def options(*, given: str, patience: float, statement: float) -> dict[str, Any]:
    """Parameters of every connection. `given`: what the URL says to the server (`-c name=value`).

    `patience`: seconds for a connection or a lock, `statement`: for one statement; 0: no limit, and
    nothing is said of it.
    """
    limits = {
        "lock_timeout": patience,
        "statement_timeout": statement,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION if statement else 0,
    }
    said = [f"-c {name}={int(limit * 1000)}" for name, limit in limits.items() if limit]
    words = " ".join([*said, given]).strip()  # of two the last one counts
    found = {**_KEEPALIVE, "connect_timeout": max(2, round(patience or 10))}
    return found | ({"options": words} if words else {})


class Patient(psycopg.Connection[Any]):
    """Closes itself where the server is silent for longer than a statement, or a request, may take."""

    limit = 0.0  # seconds, 0: none

    @classmethod
    def for_at_most(cls, statement: float) -> type[Self]:
        """Of a server that ends statements after so many seconds; 0: it doesn't."""
        return type(cls.__name__, (cls,), {"limit": statement + GRACE if statement else 0.0})

    def wait(self, gen: Any, *arguments: Any, **more: Any) -> Any:
        """psycopg's, with a limit."""
        left = _left.get()
        limits = [limit for limit in (self.limit, left and max(left[0], LEAST)) if limit]
        if limits:
            more.setdefault("timeout", min(limits))
        begun = time.monotonic()
        try:
            return super().wait(gen, *arguments, **more)
        except psycopg.OperationalError:
            # An answer, even a refusal, ends what was asked: this is a server that hangs, or is too late.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()
            raise
        finally:
            if left:
                left[0] -= time.monotonic() - begun
