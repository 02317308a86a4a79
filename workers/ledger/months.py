"""Months of runs: made ahead, dropped when old, as notifications/partitions.py does with messages.

A run whose month nobody made goes to the default partition, and from there into its month once that
is made.
"""

import datetime as dt

import sqlalchemy as sa

from notifications.partitions import AHEAD, Month, month_of
from workers.ledger.engine import engine
from workers.ledger.tables import job_run

_LOCK_TIMEOUT = "3s"  # a long reader must not make every job queue behind us
_STORED = ", ".join(f'"{column.name}"' for column in job_run.c if column.computed is None)


def make_months(*, now: dt.datetime) -> int:
    """Make the partitions of this month, the next ones and all that runs wait for; returns how many."""
    wanted = {month_of(now).later(ahead) for ahead in range(AHEAD + 1)} | _astray()
    missing = sorted(wanted - set(_months()), key=lambda month: month.begins)
    for month in missing:
        _make(month)
    return len(missing)


def drop_months(*, before: dt.datetime) -> int:
    """Drop the months that ended before then; returns how many."""
    day = before.astimezone(dt.UTC).date()
    old = [month for month in _months() if month.later(1).begins <= day]
    for month in old:
        with engine().begin() as connection:
            _lock(connection)
            connection.execute(sa.text(f"DROP TABLE jobs.{month.partition('job_run')}"))
    return len(old)


def _months() -> list[Month]:
    with engine().connect() as connection:
        names = connection.scalars(
            sa.text(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = 'jobs.job_run'::regclass AND c.relname <> 'job_run_default'"
            )
        )
        parts = [name.removeprefix("job_run_").split("_") for name in names]
    return [Month(int(year), int(number)) for year, number in parts]


def _astray() -> set[Month]:
    """Months of which the default partition holds something."""
    with engine().connect() as connection:
        moments = connection.scalars(
            sa.text("SELECT DISTINCT date_trunc('month', slot, 'UTC') FROM jobs.job_run_default")
        )
        return {month_of(moment) for moment in moments}


def _make(month: Month) -> None:
    name = f"jobs.{month.partition('job_run')}"
    begins, ends = f"'{month.begins}+00'", f"'{month.later(1).begins}+00'"
    old = f"FROM jobs.job_run_default WHERE slot >= {begins} AND slot < {ends}"
    with engine().begin() as connection:
        _lock(connection)
        for statement in (
            f"CREATE TEMPORARY TABLE moving ON COMMIT DROP AS SELECT {_STORED} {old}",
            f"DELETE {old}",
            f"CREATE TABLE {name} PARTITION OF jobs.job_run FOR VALUES FROM ({begins}) TO ({ends})",
            f"INSERT INTO jobs.job_run ({_STORED}) OVERRIDING SYSTEM VALUE"  # noqa: S608 (ours)
            f" SELECT {_STORED} FROM moving",
        ):
            connection.execute(sa.text(statement))


def _lock(connection: sa.Connection) -> None:
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    connection.execute(sa.text("LOCK TABLE jobs.job_run IN ACCESS EXCLUSIVE MODE"))
