"""What staff do with jobs: each with the hint that makes it happen at once."""

import datetime as dt
from typing import Any

from django.db import transaction

from workers import schedule
from workers.hints import hint
from workers.ledger import by_hand, history
from workers.schedule import Job


class NotFailedError(Exception):
    """Only a slot that was given up can be replayed; this one is finished, runs or waits."""


def run_now(*, task: str, now: dt.datetime) -> tuple[dt.datetime, bool]:
    """Run a job between its slots, paused or not: the slot, and whether it is new. Raises KeyError."""
    job = schedule.find(task)
    slot, is_new = by_hand.run_now(job=task, now=now)
    if is_new:
        _hint(job, slot)
    return slot, is_new


def replay(*, slot_id: int, now: dt.datetime) -> None:
    """Run a slot again that was given up. Raises KeyError (no such slot, no such job), NotFailedError."""
    row: Any = history.slot(slot_id)
    if row is None:
        raise KeyError(slot_id)
    job = schedule.find(row["job"])
    if by_hand.replay(slot_id=slot_id, now=now) is None:
        raise NotFailedError(NotFailedError.__doc__)
    _hint(job, row["slot"])


def _hint(job: Job, slot: dt.datetime) -> None:
    # A caller's transaction waits for no broker; without one it is given at once.
    transaction.on_commit(lambda: hint(job.task, job.queue, slot=slot.isoformat()))
