"""Slots: a job that is due is a row, and the row says who may run it."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from workers.ledger.engine import engine
from workers.ledger.tables import job_run, job_slot

Slot = tuple[str, dt.datetime]

# A hint that nobody took is given again after this.
REPUBLISH = dt.timedelta(seconds=30)
MAX_ATTEMPTS = 5
_BY_SCHEDULE = sa.and_(job_slot.c.opened_by != "staff", job_slot.c.replayed_at.is_(None))
_UNTOUCHED = sa.and_(job_slot.c.state == "due", job_slot.c.tries == 0, _BY_SCHEDULE)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a slot, until the lease ends or someone else claims it."""

    job: str
    slot: dt.datetime
    claim_no: int
    tries: int


def open_slots(
    *, slots: Iterable[Slot], each: Collection[str] = (), opened_by: str = "beat"
) -> None:
    """Write due (job, slot) rows; older ones nobody began are superseded by the new.

    Not so for the jobs in `each`: all their slots are to be run.
    """
    rows = [
        {"job": job, "slot": slot, "state": "due", "claim_no": 0, "opened_by": opened_by}
        for job, slot in slots
    ]
    with engine().begin() as connection:
        if rows:
            connection.execute(insert(job_slot).values(rows).on_conflict_do_nothing())
        newest = sa.func.max(job_slot.c.slot).over(partition_by=job_slot.c.job)
        unfinished = (
            sa.select(job_slot.c.job, job_slot.c.slot, newest.label("newest"))
            .where(job_slot.c.finished_at.is_(None), job_slot.c.job.not_in(each), _BY_SCHEDULE)
            .subquery()
        )
        connection.execute(
            sa.update(job_slot)
            .where(
                job_slot.c.job == unfinished.c.job,
                job_slot.c.slot == unfinished.c.slot,
                job_slot.c.slot < unfinished.c.newest,
                _UNTOUCHED,
            )
            .values(state="superseded", finished_at=sa.func.clock_timestamp())
        )


def expire(*, patience: Mapping[str, dt.timedelta], now: dt.datetime) -> int:
    """Close what nobody began in time, by the jobs' patience; returns how many."""
    if not patience:
        return 0
    late = sa.or_(
        *(
            sa.and_(job_slot.c.job == job, job_slot.c.slot < now - longest)
            for job, longest in patience.items()
        )
    )
    with engine().begin() as connection:
        return connection.execute(
            sa.update(job_slot).where(late, _UNTOUCHED).values(state="expired", finished_at=now)
        ).rowcount


def last_slots(jobs: Collection[str]) -> dict[str, dt.datetime]:
    """The newest slot of each job that the schedule opened, where there is one."""
    return _newest(jobs, job_slot, job_slot.c.slot, job_slot.c.opened_by != "staff")


def _newest(
    jobs: Iterable[str], table: sa.Table, column: sa.Column[Any], which: sa.ColumnElement[bool]
) -> dict[str, dt.datetime]:
    """A column of the newest such row of each job: one step down an index for each of them."""
    name = sa.func.unnest(sa.literal(list(jobs), sa.ARRAY(sa.Text))).column_valued("name")
    newest = (
        sa.select(column.label("value"))
        .where(table.c.job == name, which)
        .order_by(table.c.slot.desc())
        .limit(1)
        .lateral()
    )
    with engine().connect() as connection:
        rows = connection.execute(sa.select(name, newest.c.value).join(newest, sa.true())).all()
    return {row.name: row.value for row in rows}


def take_unpublished(*, now: dt.datetime, paused: Collection[str] = ()) -> list[Slot]:
    """Slots to hint at, the oldest first: not hinted at lately, or left behind by a dead worker.

    Of `paused` jobs only what staff asked for.
    """
    stale = sa.or_(job_slot.c.published_at.is_(None), job_slot.c.published_at < now - REPUBLISH)
    waiting = sa.and_(job_slot.c.state == "due", stale)
    left = sa.and_(job_slot.c.state == "running", job_slot.c.lease_expires_at < now, stale)
    rests = sa.and_(job_slot.c.job.in_(paused), _BY_SCHEDULE)
    with engine().begin() as connection:
        rows = connection.execute(
            sa.update(job_slot)
            .where(job_slot.c.finished_at.is_(None), sa.or_(waiting, left), ~rests)
            .values(published_at=now)
            .returning(job_slot.c.slot, job_slot.c.job)
        )
        return [(job, slot) for slot, job in sorted((slot, job) for slot, job in rows)]


def claim(
    *,
    job: str,
    slot: dt.datetime,
    now: dt.datetime,
    lease: dt.timedelta,
    task_id: str,
    worker: str,
    queue: str = "",
    trace_id: str = "",
) -> Claim | None:
    """The right to run this slot, unless it is finished or somebody else holds it.

    A run whose lease ran out is lost from here on, whatever its worker says later.
    """
    left = sa.and_(
        job_slot.c.state == "running",
        job_slot.c.lease_expires_at < now,
        job_slot.c.tries < MAX_ATTEMPTS,
    )
    with engine().begin() as connection:
        claimed = connection.execute(
            sa.update(job_slot)
            .where(
                job_slot.c.job == job,
                job_slot.c.slot == slot,
                sa.or_(job_slot.c.state == "due", left),
            )
            .values(
                state="running",
                claim_no=job_slot.c.claim_no + 1,
                tries=job_slot.c.tries + 1,
                lease_expires_at=now + lease,
            )
            .returning(job_slot.c.claim_no, job_slot.c.tries, job_slot.c.published_at)
        ).first()
        if claimed is None:
            return None
        mine = Claim(job, slot, claimed.claim_no, claimed.tries)
        if mine.claim_no > 1:
            _lose_runs(connection, job_run.c.job == job, job_run.c.slot == slot, now=now)
        connection.execute(
            sa.insert(job_run).values(
                job=job,
                slot=slot,
                attempt=mine.claim_no,
                task_id=task_id,
                trace_id=trace_id or task_id,
                queue=queue or None,
                worker=worker,
                queued_at=claimed.published_at,
                started_at=now,
            )
        )
    return mine


def renew(*, claim: Claim, now: dt.datetime, lease: dt.timedelta) -> bool:
    """Keep a slot for another lease; False if somebody else has it."""
    with engine().begin() as connection:
        return (
            connection.execute(
                sa.update(job_slot).where(*_held(claim)).values(lease_expires_at=now + lease)
            ).rowcount
            == 1
        )


def finish(*, claim: Claim, now: dt.datetime, rows: int | None = None, error: str = "") -> str:
    """Close a slot and its run; the slot's state, empty if the lease ran out and others have it.

    A failed run leaves the slot due, up to MAX_ATTEMPTS.
    """
    retry = bool(error) and claim.tries < MAX_ATTEMPTS
    state = "due" if retry else "failed" if error else "done"
    with engine().begin() as connection:
        closed = connection.execute(
            sa.update(job_slot)
            .where(*_held(claim))
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
                job_run.c.outcome.is_(None),
            )
            .values(
                finished_at=now,
                outcome="failed" if error else "done",
                rows=rows,
                error=error or None,
            )
        )
    return state if closed else ""


def _held(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        job_slot.c.job == claim.job,
        job_slot.c.slot == claim.slot,
        job_slot.c.claim_no == claim.claim_no,
        job_slot.c.state == "running",
    )


def bury_lost(*, now: dt.datetime) -> int:
    """Give up slots whose workers died MAX_ATTEMPTS times; returns how many."""
    with engine().begin() as connection:
        buried = connection.execute(
            sa.update(job_slot)
            .where(
                job_slot.c.state == "running",
                job_slot.c.finished_at.is_(None),  # by its index
                job_slot.c.lease_expires_at < now,
                job_slot.c.tries >= MAX_ATTEMPTS,
            )
            .values(state="failed", lease_expires_at=None, finished_at=now)
            .returning(job_slot.c.job, job_slot.c.slot)
        ).all()
        for job, slot in buried:
            _lose_runs(connection, job_run.c.job == job, job_run.c.slot == slot, now=now)
        return len(buried)


def _lose_runs(connection: sa.Connection, *which: sa.ColumnElement[bool], now: dt.datetime) -> None:
    connection.execute(
        sa.update(job_run)
        .where(*which, job_run.c.outcome.is_(None))
        .values(outcome="lost", finished_at=now, error="The worker died, or lost the database.")
    )


def prune(*, before: dt.datetime, failed_before: dt.datetime) -> int:
    """Forget slots finished before then, failed and forgotten ones later; returns how many.

    The newest of each job stays: it says what is due next.
    """
    newer = job_slot.alias()
    is_old = sa.exists().where(
        newer.c.job == job_slot.c.job, newer.c.slot > job_slot.c.slot, newer.c.opened_by != "staff"
    )
    is_over = sa.and_(job_slot.c.finished_at.is_not(None), job_slot.c.state != "failed")
    is_forgotten = sa.and_(job_slot.c.slot < failed_before, job_slot.c.state != "running")
    with engine().begin() as connection:
        return connection.execute(
            sa.delete(job_slot).where(
                job_slot.c.slot < before, sa.or_(is_over, is_forgotten), is_old
            )
        ).rowcount


def last_signs(jobs: Iterable[str]) -> tuple[dt.datetime | None, dt.datetime | None]:
    """(newest slot a beat opened, newest run a worker finished) among `jobs`."""
    names = list(jobs)
    ticked = _newest(names, job_slot, job_slot.c.slot, job_slot.c.opened_by == "beat")
    worked = _newest(
        names, job_run, job_run.c.finished_at, job_run.c.outcome.in_(("done", "failed"))
    )
    return max(ticked.values(), default=None), max(worked.values(), default=None)
