"""Signs of life, by queue: when its canary last came through, and what it is busy with."""

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa

from workers.ledger.engine import engine
from workers.ledger.tables import job_slot


def last_done(jobs: Iterable[str]) -> dict[str, dt.datetime]:
    """When each of these jobs was last finished; without those that never were."""
    newest = [
        sa.select(job_slot.c.job, job_slot.c.finished_at)
        .where(job_slot.c.job == job, job_slot.c.state == "done")
        .order_by(job_slot.c.slot.desc())
        .limit(1)
        .subquery()
        for job in jobs
    ]
    asked = sa.union_all(*(sa.select(each) for each in newest))
    with engine().connect() as connection:
        return dict(map(tuple, connection.execute(asked)))


def held(*, now: dt.datetime) -> set[str]:
    """Jobs that a worker holds, as far as their leases say."""
    asked = (
        sa.select(job_slot.c.job)
        .distinct()
        .where(
            job_slot.c.finished_at.is_(None),
            job_slot.c.state == "running",
            job_slot.c.lease_expires_at > now,
        )
    )
    with engine().connect() as connection:
        return set(connection.scalars(asked))


def oldest_due() -> dict[str, dt.datetime]:
    """The oldest unfinished slot of each job that has any."""
    asked = (
        sa.select(job_slot.c.job, sa.func.min(job_slot.c.slot))
        .where(job_slot.c.finished_at.is_(None))
        .group_by(job_slot.c.job)
    )
    with engine().connect() as connection:
        return dict(map(tuple, connection.execute(asked)))
