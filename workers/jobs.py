"""Turns a function into a task that runs once per slot."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from celery import Task, shared_task
from django.db import DatabaseError, connection
from sqlalchemy.exc import SQLAlchemyError

from stalkerr import clock
from workers import schedule
from workers.ledger import slots

RENEW: Final = 20.0  # seconds: a fraction of any lease

_log = structlog.get_logger(__name__)


def job(name: str, **limits: Any) -> Callable[[Callable[[dt.datetime], int]], Task[Any, Any]]:
    """A Celery task around `function(now) -> rows touched`, entered in the ledger.

    A message that comes twice, or to two workers, finds the slot claimed and does nothing. While it
    runs its lease is renewed: a slow job keeps its slot, a dead one loses it.
    """

    def decorate(function: Callable[[dt.datetime], int]) -> Task[Any, Any]:
        def run(self: Task[Any, Any], *, slot: str) -> None:
            entry, task_id = schedule.find(name), self.request.id or ""
            claim = slots.claim(
                job=name,
                slot=dt.datetime.fromisoformat(slot),
                now=clock.now(),
                lease=entry.lease,
                task_id=task_id,
                worker=self.request.hostname or "",
                queue=entry.queue,
                trace_id=str(structlog.contextvars.get_contextvars().get("trace_id") or task_id),
            )
            if claim is not None:
                with _renewing(claim, entry.lease):
                    _run(claim, function)

        run.__doc__ = function.__doc__  # which is how Flower calls it
        task: Task[Any, Any] = shared_task(name=name, bind=True, **limits)(run)  # type: ignore[no-untyped-call]
        return task

    return decorate


def _run(claim: slots.Claim, function: Callable[[dt.datetime], int]) -> None:
    try:
        rows = function(clock.now())
    except Exception as error:
        _log.exception("job_failed", job=claim.job, attempt=claim.claim_no)
        slots.finish(claim=claim, now=clock.now(), error=f"{type(error).__name__}: {error}"[:500])
        raise
    if not slots.finish(claim=claim, now=clock.now(), rows=rows):
        _log.warning("job_finished_late", job=claim.job, attempt=claim.claim_no)


@contextmanager
def _renewing(claim: slots.Claim, lease: dt.timedelta) -> Iterator[None]:
    """Renew the lease in a thread of its own: the job itself may be deep in a library."""
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(claim, lease, over), daemon=True, name="lease")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(claim: slots.Claim, lease: dt.timedelta, over: threading.Event) -> None:
    try:
        while not over.wait(RENEW):
            try:
                if not slots.renew(claim=claim, now=clock.now(), lease=lease):
                    return
            except (DatabaseError, SQLAlchemyError) as error:  # the lease outlasts several tries
                _log.warning("lease_not_renewed", job=claim.job, error=str(error))
    finally:
        connection.close()  # this thread's
