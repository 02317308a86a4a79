"""The way of the ledger to months: every row is kept, there and back."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from workers.ledger import migrate, slots
from workers.ledger.engine import engine

pytestmark = pytest.mark.django_db

SLOT = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
KEPT = "job, slot, attempt, task_id, worker, started_at, finished_at, outcome, rows, error"


def go(way: Any, revision: str) -> None:
    with engine().begin() as connection:
        settings = migrate.config()
        settings.attributes["connection"] = connection
        way(settings, revision)


def runs() -> list[Any]:
    with engine().connect() as connection:
        return list(
            connection.execute(sa.text(f"SELECT {KEPT} FROM jobs.job_run ORDER BY job, attempt"))  # noqa: S608 (ours)
        )


def test_rows_are_kept_there_and_back(ledger: sa.Engine) -> None:
    for job, error in (("j", ""), ("k", "boom"), ("l", "")):
        slots.open_slots(slots=[(job, SLOT)])
        mine = slots.claim(
            job=job, slot=SLOT, now=SLOT, lease=dt.timedelta(1), task_id="t", worker="w"
        )
        assert mine
        if job != "l":
            slots.finish(claim=mine, now=SLOT, error=error, rows=1)
    before = runs()
    assert len(before) == 3
    try:
        go(command.downgrade, "0001")
        assert not migrate.is_current()
        assert runs() == before
    finally:
        migrate.upgrade()
    assert migrate.is_current()
    assert runs() == before
    with engine().connect() as connection:
        tries = connection.execute(sa.text("SELECT job, tries, claim_no FROM jobs.job_slot"))
        assert sorted(map(tuple, tries)) == [("j", 1, 1), ("k", 1, 1), ("l", 1, 1)]
