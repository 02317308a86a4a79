"""What ran, and what came of it: reads only, in pages, the newest first."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from workers.ledger.engine import engine
from workers.ledger.tables import job_run, job_slot

Row = Mapping[str, Any]


def runs(*, job: str = "", outcome: str = "", before: int | None = None, limit: int) -> list[Row]:
    """Runs with a smaller id than `before`; `outcome`: done, failed, lost, or open for those without one."""
    asked = sa.select(job_run).order_by(job_run.c.id.desc()).limit(limit)
    if job:
        asked = asked.where(job_run.c.job == job)
    if outcome:
        is_open = job_run.c.outcome.is_(None)
        asked = asked.where(is_open if outcome == "open" else job_run.c.outcome == outcome)
    if before is not None:
        asked = asked.where(job_run.c.id < before)
    return _rows(asked)


def run(run_id: int) -> Row | None:
    """One of them."""
    found = _rows(sa.select(job_run).where(job_run.c.id == run_id))
    return found[0] if found else None


def runs_of(*, job: str, slot: dt.datetime) -> list[Row]:
    """All runs of a slot, the first first."""
    asked = sa.select(job_run).where(job_run.c.job == job, job_run.c.slot == slot)
    return _rows(asked.order_by(job_run.c.attempt))


def slots(
    *,
    job: str = "",
    state: str = "",
    before: tuple[dt.datetime, str] | None = None,
    limit: int,
) -> list[Row]:
    """Slots before (slot, job)."""
    place = sa.tuple_(job_slot.c.slot, job_slot.c.job)
    asked = sa.select(job_slot).order_by(job_slot.c.slot.desc(), job_slot.c.job.desc()).limit(limit)
    if job:
        asked = asked.where(job_slot.c.job == job)
    if state:
        asked = asked.where(job_slot.c.state == state)
    if before is not None:
        asked = asked.where(place < sa.tuple_(*map(sa.literal, before)))
    return _rows(asked)


def slot(slot_id: int) -> Row | None:
    """One of them, by its id."""
    found = _rows(sa.select(job_slot).where(job_slot.c.id == slot_id))
    return found[0] if found else None


def slot_of(*, job: str, slot: dt.datetime) -> Row | None:
    """One of them."""
    asked = sa.select(job_slot).where(job_slot.c.job == job, job_slot.c.slot == slot)
    found = _rows(asked)
    return found[0] if found else None


def _rows(asked: sa.Select[Any]) -> list[Row]:
    with engine().connect() as connection:
        return [dict(row) for row in connection.execute(asked).mappings()]


def failed(*, since: dt.datetime) -> list[Row]:
    """Slots given up since then, each with what its last run said; the newest of each job and day."""
    day = sa.func.date_trunc("day", job_slot.c.slot, "UTC")
    last = (
        sa.select(job_run.c.error)
        .where(job_run.c.job == job_slot.c.job, job_run.c.slot == job_slot.c.slot)
        .order_by(job_run.c.attempt.desc())
        .limit(1)
        .scalar_subquery()
    )
    return _rows(
        sa.select(job_slot.c.job, job_slot.c.slot, last.label("error"))
        .ext(distinct_on(job_slot.c.job, day))
        .where(job_slot.c.state == "failed", job_slot.c.finished_at >= since)
        .order_by(job_slot.c.job, day, job_slot.c.slot.desc())
    )
