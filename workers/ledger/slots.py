"""Slots: a job that is due is a row, and the row says who may run it."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from workers.ledger.engine import engine
from workers.ledger.tables import job_run, job_slot

# A hint that nobody took is given again after this.
REPUBLISH = dt.timedelta(seconds=30)
MAX_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a slot, until the lease ends or someone else claims it."""

    job: str
    slot: dt.datetime
    claim_no: int


def open_slots(*, slots: Mapping[str, dt.datetime]) -> None:
    """Write due (job, slot) rows; older ones nobody began are superseded by the new."""
    with engine().begin() as connection:
        connection.execute(
            insert(job_slot)
            .values(
                [
                    {"job": job, "slot": slot, "state": "due", "claim_no": 0}
                    for job, slot in slots.items()
                ]
            )
            .on_conflict_do_nothing()
        )
        newest = sa.func.max(job_slot.c.slot).over(partition_by=job_slot.c.job)
        unfinished = (
            sa.select(job_slot.c.job, job_slot.c.slot, newest.label("newest"))
            .where(job_slot.c.finished_at.is_(None))
            .subquery()
        )
        connection.execute(
            sa.update(job_slot)
            .where(
                job_slot.c.job == unfinished.c.job,
                job_slot.c.slot == unfinished.c.slot,
                job_slot.c.slot < unfinished.c.newest,
                job_slot.c.state == "due",
            )
            .values(state="superseded", finished_at=sa.func.clock_timestamp())
        )


def take_unpublished(*, now: dt.datetime) -> list[tuple[str, dt.datetime]]:
    """Slots to hint at: due and not hinted at lately, or left behind by a worker that died."""
    stale = sa.or_(job_slot.c.published_at.is_(None), job_slot.c.published_at < now - REPUBLISH)
    waiting = sa.and_(job_slot.c.state == "due", stale)
    left = sa.and_(job_slot.c.state == "running", job_slot.c.lease_expires_at < now, stale)
    with engine().begin() as connection:
        rows = connection.execute(
            sa.update(job_slot)
            .where(job_slot.c.finished_at.is_(None), sa.or_(waiting, left))
            .values(published_at=now)
            .returning(job_slot.c.job, job_slot.c.slot)
        )
        return [(job, slot) for job, slot in rows]


def claim(
    *, job: str, slot: dt.datetime, now: dt.datetime, lease: dt.timedelta, task_id: str, worker: str
) -> Claim | None:
    """The right to run this slot, unless it is finished or somebody else holds it."""
    free = sa.or_(
        job_slot.c.state == "due",
        sa.and_(job_slot.c.state == "running", job_slot.c.lease_expires_at < now),
    )
    with engine().begin() as connection:
        claim_no = connection.scalar(
            sa.update(job_slot)
            .where(job_slot.c.job == job, job_slot.c.slot == slot, free)
            .values(state="running", claim_no=job_slot.c.claim_no + 1, lease_expires_at=now + lease)
            .returning(job_slot.c.claim_no)
        )
        if claim_no is None:
            return None
        connection.execute(
            sa.insert(job_run).values(
                job=job, slot=slot, attempt=claim_no, task_id=task_id, worker=worker, started_at=now
            )
        )
    return Claim(job, slot, claim_no)


def finish(*, claim: Claim, now: dt.datetime, rows: int | None = None, error: str = "") -> bool:
    """Close a slot and its run; False if the lease ran out and somebody else has it now.

    A failed run leaves the slot due, up to MAX_ATTEMPTS.
    """
    retry = bool(error) and claim.claim_no < MAX_ATTEMPTS
    state = "due" if retry else "failed" if error else "done"
    mine = (
        job_slot.c.job == claim.job,
        job_slot.c.slot == claim.slot,
        job_slot.c.claim_no == claim.claim_no,
        job_slot.c.state == "running",
    )
    with engine().begin() as connection:
        closed = connection.execute(
            sa.update(job_slot)
            .where(*mine)
            .values(
                state=state,
                lease_expires_at=None,
                finished_at=None if retry else now,
                published_at=now if retry else job_slot.c.published_at,
            )
        ).rowcount
        connection.execute(
            sa.update(job_run)
            .where(
                job_run.c.job == claim.job,
                job_run.c.slot == claim.slot,
                job_run.c.attempt == claim.claim_no,
            )
            .values(
                finished_at=now,
                outcome="failed" if error else "done",
                rows=rows,
                error=error or None,
            )
        )
    return closed == 1


def prune(*, before: dt.datetime) -> int:
    """Forget finished slots and runs older than `before`; returns how many slots."""
    with engine().begin() as connection:
        connection.execute(sa.delete(job_run).where(job_run.c.started_at < before))
        return connection.execute(
            sa.delete(job_slot).where(job_slot.c.slot < before, job_slot.c.finished_at.is_not(None))
        ).rowcount


def last_signs(jobs: Iterable[str]) -> tuple[dt.datetime | None, dt.datetime | None]:
    """(newest slot a beat opened, newest run a worker finished) among `jobs`."""
    names = list(jobs)
    with engine().connect() as connection:
        ticked = connection.scalar(
            sa.select(sa.func.max(job_slot.c.slot)).where(job_slot.c.job.in_(names))
        )
        worked = connection.scalar(
            sa.select(sa.func.max(job_run.c.finished_at)).where(job_run.c.job.in_(names))
        )
    return ticked, worked
