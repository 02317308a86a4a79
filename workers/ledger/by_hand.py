"""What staff do to the ledger: run a job now, run a slot again, pause a job, time it otherwise."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from workers.ledger.engine import engine
from workers.ledger.slots import Slot
from workers.ledger.tables import job_setting, job_slot

TWICE = dt.timedelta(seconds=10)  # who asks twice within that means one run

Row = Mapping[str, Any]


def run_now(*, job: str, now: dt.datetime) -> tuple[dt.datetime, bool]:
    """A slot of its own for a job, and whether it is a new one.

    Whoever asks again while that one is unfinished, or just after, gets the same.
    """
    with engine().begin() as connection:
        # Its own statement: one that also reads would read what was true before the wait.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"run {job}"))))
        same = connection.scalar(
            sa.select(job_slot.c.slot)
            .where(
                job_slot.c.job == job,
                job_slot.c.opened_by == "staff",
                sa.or_(job_slot.c.finished_at.is_(None), job_slot.c.slot > now - TWICE),
            )
            .order_by(job_slot.c.slot.desc())
            .limit(1)
        )
        if same is not None:
            return same, False
        connection.execute(
            insert(job_slot)
            .values(job=job, slot=now, state="due", claim_no=0, opened_by="staff", published_at=now)
            .on_conflict_do_nothing()
        )
    return now, True


def replay(*, slot_id: int, now: dt.datetime) -> Slot | None:
    """A failed slot is due again, with all its tries; None where it has not failed.

    It keeps its claim number, so that a run of before can't close it.
    """
    with engine().begin() as connection:
        row = connection.execute(
            sa.update(job_slot)
            .where(job_slot.c.id == slot_id, job_slot.c.state == "failed")
            .values(state="due", finished_at=None, tries=0, replayed_at=now, published_at=now)
            .returning(job_slot.c.job, job_slot.c.slot)
        ).first()
    return None if row is None else (row.job, row.slot)


def settings() -> dict[str, Row]:
    """What staff changed of the schedule, by job."""
    with engine().connect() as connection:
        rows = connection.execute(sa.select(job_setting)).mappings()
        return {row["job"]: dict(row) for row in rows}


def change(*, job: str, now: dt.datetime, **columns: Any) -> None:
    """Set `paused` or `timing` of a job; slots of before are nobody's from now on."""
    values = {**columns, "since": now}
    with engine().begin() as connection:
        connection.execute(
            insert(job_setting)
            .values(job=job, **values)
            .on_conflict_do_update(index_elements=["job"], set_=values)
        )


def enter(jobs: Collection[str]) -> None:
    """A row for each job, so that staff find it in the admin."""
    with engine().begin() as connection:
        rows = [{"job": job} for job in jobs]
        connection.execute(insert(job_setting).values(rows).on_conflict_do_nothing())
