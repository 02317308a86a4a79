"""Months of what was sent: deliveries, messages and attempts, made ahead and dropped when old.

What comes for a month that nobody made goes to the default partition, and from there into the month
once it is made. `Told` is not among them: it is the memory, and never goes.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from stalkerr import sql

AHEAD = 2  # months made before they begin
# In the order in which a month goes: nothing is left that points at what is gone.
TABLES = {"attempts": "message_at", "deliveries": "source_at", "messages": "created_at"}
_UNFINISHED = {
    "attempts": "false",
    "deliveries": """state IN ('pending', 'held') OR EXISTS (
        SELECT FROM messages m
        WHERE m.id = message_id AND m.created_at = message_at AND m.finalized_at IS NULL)""",
    "messages": "finalized_at IS NULL",
}
_LOCK_TIMEOUT = "3s"  # a long reader must not make everybody queue behind us


@dataclass(frozen=True, slots=True)
class Month:
    """One calendar month, UTC."""

    year: int
    number: int

    @property
    def begins(self) -> dt.date:
        return dt.date(self.year, self.number, 1)

    def later(self, months: int) -> "Month":
        years, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(years, number + 1)

    def partition(self, table: str) -> str:
        return f"{table}_{self.year}_{self.number:02}"


def month_of(moment: dt.datetime) -> Month:
    utc = moment.astimezone(dt.UTC)
    return Month(utc.year, utc.month)


def make_months(*, now: dt.datetime) -> int:
    """Make the partitions of this month and the next ones; returns how many were missing."""
    months = [month_of(now).later(ahead) for ahead in range(AHEAD + 1)]
    known = {(table, month) for table in TABLES for month in _months(table)}
    missing = [
        (table, month) for month in months for table in TABLES if (table, month) not in known
    ]
    for table, month in missing:
        _make(table, month)
    return len(missing)


def drop_months(*, before: dt.datetime) -> int:
    """Drop the months that ended before then and are finished; returns how many partitions.

    A month in which something is pending, held or under way stays, and all after it.
    """
    old: dict[Month, list[str]] = {}
    for table in TABLES:
        for month in _months(table):
            if month.later(1).begins <= before.astimezone(dt.UTC).date():
                old.setdefault(month, []).append(table)
    dropped = 0
    for month in sorted(old, key=lambda month: month.begins):
        if not all(_is_finished(month, table) for table in old[month]):
            break
        for table in old[month]:
            if not _drop(month, table):
                return dropped
            dropped += 1
    return dropped


def _is_finished(month: Month, table: str) -> bool:
    statement = f"SELECT 1 FROM {month.partition(table)} WHERE {_UNFINISHED[table]} LIMIT 1"  # noqa: S608 (names of ours)
    return not sql.rows(statement)


def _drop(month: Month, table: str) -> bool:
    """One partition a transaction: whoever writes to several tables locks them in other orders."""
    with transaction.atomic():
        sql.rows(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        sql.rows(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        if not _is_finished(month, table):  # something was revived while we waited
            return False
        sql.rows(f"DROP TABLE {month.partition(table)}")
    return True


def _months(table: str) -> list[Month]:
    rows = sql.rows(
        """
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = %s::regclass AND c.relname <> %s
        """,
        [table, f"{table}_default"],
    )
    names = [name.removeprefix(f"{table}_").split("_") for (name,) in rows]
    return [Month(int(year), int(number)) for year, number in names]


def _make(table: str, month: Month) -> None:
    """A new month; what the default partition already holds of it moves in."""
    column, name = TABLES[table], month.partition(table)
    begins, ends = month.begins, month.later(1).begins
    within = f"{column} >= '{begins}+00' AND {column} < '{ends}+00'"
    columns = ", ".join(_stored_columns(table))
    with transaction.atomic():
        sql.rows(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        sql.rows(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        sql.rows(
            f"CREATE TEMPORARY TABLE moving ON COMMIT DROP AS SELECT {columns} FROM {table}_default "  # noqa: S608 (names of ours)
            f"WHERE {within}"
        )
        sql.rows(f"DELETE FROM {table}_default WHERE {within}")  # noqa: S608
        sql.rows(
            f"CREATE TABLE {name} PARTITION OF {table} "
            f"FOR VALUES FROM ('{begins}+00') TO ('{ends}+00')"
        )
        sql.rows(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM moving")  # noqa: S608
        sql.rows("DROP TABLE moving")


def _stored_columns(table: str) -> list[str]:
    rows = sql.rows(
        """
        SELECT attname FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ORDER BY attnum
        """,
        [table],
    )
    return [name for (name,) in rows]
