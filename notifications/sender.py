"""One process's sends: an event loop for the network, a thread that writes down what came of them.

Both outlive the task that hands messages over, so whoever is slow to answer keeps no task, and no
claim waits for results to be written down. The slots are the process's: what a kill can double is
never more. Settling works like a group commit: one statement for whatever finished while the last
one committed. Slow traffic is settled at once, fast traffic in batches.
"""

import asyncio
import datetime as dt
import gc
import os
import queue
import threading
import time
from collections.abc import Iterable, Sequence

import structlog
import uvloop
from django.db import OperationalError, connection

from notifications.channels.base import Verdict
from notifications.lane import Job, Lane, Returned
from notifications.sending import Claimed
from notifications.settling import Settled, put_back, settle
from stalkerr.outbound import Client

SETTLE_AT_ONCE = 200
SETTLE_TRIES = 5
IDLE_AFTER = 1.0  # seconds; then the pool has the connection back

_log = structlog.get_logger(__name__)


class Sender:
    """Takes jobs from any thread; each ends up sent and settled, or given back."""

    def __init__(self) -> None:
        _collect_less()
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="network", daemon=True).start()
        self._lane = asyncio.run_coroutine_threadsafe(self._make_lane(), self._loop).result()
        self._changed = threading.Condition()
        self._left: set[Claimed] = set()  # handed over and not written down
        self._written = 0
        self._failures = 0
        self._read, self._read_at = dt.datetime.min.replace(tzinfo=dt.UTC), 0.0
        threading.Thread(target=self._write, name="settling", daemon=True).start()

    async def _make_lane(self) -> Lane:
        return Lane(Client())

    @property
    def left(self) -> int:
        """How many messages were handed over and are not written down yet."""
        return len(self._left)

    def left_of(self, messages: Iterable[Claimed]) -> set[Claimed]:
        """Those of `messages` that are not written down yet."""
        with self._changed:
            return self._left.intersection(messages)

    @property
    def written(self) -> int:
        """How many were, since this process began."""
        return self._written

    @property
    def failures(self) -> int:
        """How many batches of results could not be written down, since this process began."""
        return self._failures

    def hand_over(self, jobs: Sequence[Job], now: dt.datetime) -> None:
        """Send these as slots come free; `now` is the database's clock, as of this moment."""
        self._read, self._read_at = now, time.monotonic()
        with self._changed:
            self._left.update(job.message for job in jobs)
        self._loop.call_soon_threadsafe(self._lane.add, jobs, now)

    def wait(self, *, left: int, within: float) -> bool:
        """Wait until no more than so many are left, so many seconds at most; whether it came so."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._left) <= left, within)

    def finish(self, within: float) -> bool:
        """Give back what has not begun and wait for the rest; whether everything is written down."""
        self._loop.call_soon_threadsafe(self._lane.close)
        return self.wait(left=0, within=within)

    # -- on the thread that writes ----------------------------------------------------------------
    def _write(self) -> None:
        while True:
            batch = self._drain()
            try:
                self._write_down(batch)
            except Exception as error:  # noqa: BLE001 (the next batch must not share its fate)
                # Others take these over when their leases run out, and send them once more: what has
                # not begun had better wait.
                _log.error("not_settled", messages=len(batch), error=type(error).__name__)
                connection.close()
                self._failures += 1
                self._loop.call_soon_threadsafe(self._lane.close)
            self._loop.call_soon_threadsafe(self._lane.settled, len(batch))
            with self._changed:
                self._left.difference_update(each.message for each in batch)
                self._written += len(batch)
                self._changed.notify_all()

    def _drain(self) -> list[Settled | Returned]:
        """Wait for one, and take along whatever else has finished by now."""
        finished = self._lane.finished
        try:
            batch = finished.get(timeout=IDLE_AFTER)
        except queue.Empty:
            connection.close()
            batch = finished.get()
        while len(batch) < SETTLE_AT_ONCE and not finished.empty():
            batch += finished.get()
        return batch

    def _write_down(self, batch: Sequence[Settled | Returned]) -> None:
        # The database's clock, as it must have gone on since it was asked.
        now = self._read + dt.timedelta(seconds=time.monotonic() - self._read_at)
        _settle([each for each in batch if isinstance(each, Settled)], now)
        returned = {each.message: each.wait for each in batch if isinstance(each, Returned)}
        put_back(waits=returned, now=now)


def _settle(batch: Sequence[Settled], now: dt.datetime) -> None:
    """Settle, and settle again where the database was away for a moment: the news is out."""
    if not batch:
        return
    for tries_left in reversed(range(SETTLE_TRIES)):
        try:
            kept = settle(settled=batch, now=now)
            break
        except OperationalError:
            if not tries_left:
                raise
            connection.close()
            time.sleep(1)
    for each in batch:
        if each.message.id not in kept:
            _log.warning("lease_lost", wire_id=each.message.wire_id)
        elif each.outcome.verdict is Verdict.AMBIGUOUS:
            _log.warning("ambiguous", wire_id=each.message.wire_id, why=each.outcome.detail)


def _collect_less() -> None:
    """Sending makes many objects that go by themselves, beside all of Django's, which never go.

    To look for cycles among them as often as Python does by default is a tenth of the work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


_senders: dict[int, Sender] = {}  # by process: a fork begins with none
_making = threading.Lock()


def sender() -> Sender:
    """This process's."""
    with _making:
        if os.getpid() not in _senders:
            _senders[os.getpid()] = Sender()
    return _senders[os.getpid()]


def finish(within: float) -> bool:
    """As a process ends: Sender.finish, of its sender if it has one."""
    made = _senders.get(os.getpid())
    return made is None or made.finish(within)
