"""Turns a function into a task that runs once per slot."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import structlog
from celery import Task, shared_task

from stalkerr import clock
from workers import schedule
from workers.ledger import slots

_log = structlog.get_logger(__name__)


def job(name: str, **limits: Any) -> Callable[[Callable[[dt.datetime], int]], Task[Any, Any]]:
    """A Celery task around `function(now) -> rows touched`, entered in the ledger.

    A message that comes twice, or to two workers, finds the slot claimed and does nothing.
    """

    def decorate(function: Callable[[dt.datetime], int]) -> Task[Any, Any]:
        def run(self: Task[Any, Any], *, slot: str) -> None:
            claim = slots.claim(
                job=name,
                slot=dt.datetime.fromisoformat(slot),
                now=clock.now(),
                lease=schedule.find(name).lease,
                task_id=self.request.id or "",
                worker=self.request.hostname or "",
            )
            if claim is not None:
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
    slots.finish(claim=claim, now=clock.now(), rows=rows)
