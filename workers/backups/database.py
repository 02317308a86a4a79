"""A database as a whole: where it is, what is in it, how it is copied out and in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

from workers.backups.tools import Running, Tools, find_tools
from workers.ledger.engine import url

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
# However a session is set up, a row reads the same.
_PLAIN: Final = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
}
_TABLES: Final = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY 1, 2
"""
# Whatever the order of the rows; one that is there twice counts twice.
_TALLY: Final = """
SELECT count(*), coalesce(sum(
    ('x' || substr(encode(sha256(convert_to(t::text, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint), 0)::text
FROM {table} t
"""


class RefusedError(Exception):
    """What keeps us from it, and what to do, in a sentence."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What is in a table: how many rows, and a sum over all that they say."""

    rows: int
    sum: str


Tallies = dict[str, Tally]  # by "schema.table"


@dataclass(frozen=True, slots=True)
class Place:
    """A database on a server, with the right to come in."""

    parameters: tuple[tuple[str, str], ...]
    password: str
    name: str

    def at(self, name: str) -> "Place":
        """Another database of the same server."""
        return replace(self, name=name)

    def address(self) -> str:
        """For a command line: without the password."""
        return make_conninfo(**dict(self.parameters), dbname=self.name)

    def env(self) -> dict[str, str]:
        return {"PGPASSWORD": self.password} if self.password else {}

    def connect(self, **options: Any) -> Connection:
        return psycopg.connect(
            make_conninfo(self.address(), password=self.password or None), **options
        )

    def url(self) -> str:
        """For DATABASE_URL, in an environment only: it holds the password."""
        place = url().set(drivername="postgres", database=self.name)
        return place.render_as_string(hide_password=False)


def here() -> Place:
    """Where Django's own connection leads."""
    known = connection.settings_dict
    options = {name: value for name, value in known["OPTIONS"].items() if isinstance(value, str)}
    parameters = {
        "host": known["HOST"],
        "port": str(known["PORT"]),
        "user": known["USER"],
        **options,
        "application_name": "stalkerr backup",
    }
    return Place(
        tuple((name, value) for name, value in parameters.items() if value),
        known["PASSWORD"],
        known["NAME"],
    )


def major_of(session: Connection) -> int:
    return session.info.server_version // 10000


def tools_for(place: Place) -> Tools:
    """The tools that fit its server. Raises ToolsError."""
    with place.connect() as session:
        return find_tools(major_of(session))


@contextmanager
def snapshot(place: Place) -> Iterator[tuple[Connection, str]]:
    """A transaction that sees one moment, for as long as it lasts, and its name for others."""
    with place.connect() as session:
        set_plain(session)
        session.commit()
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        ((name,),) = session.execute("SELECT pg_export_snapshot()").fetchall()
        yield session, name


def set_plain(session: Connection) -> None:
    for name, value in _PLAIN.items():
        session.execute("SELECT set_config(%s, %s, false)", [name, value])


def tally(session: Connection) -> Tallies:
    """What is in every table that is ours, as this session sees it."""
    found: Tallies = {}
    for schema, table in session.execute(_TABLES).fetchall():
        statement = sql.SQL(_TALLY).format(table=sql.Identifier(schema, table))
        ((rows, total),) = session.execute(statement).fetchall()
        found[f"{schema}.{table}"] = Tally(rows, total)
    return found


def tally_of(place: Place) -> Tallies:
    with place.connect() as session:
        set_plain(session)
        return tally(session)


def dump(tools: Tools, place: Place, snapshot_name: str, target: Path) -> Running:
    """pg_dump at work on that snapshot; the caller waits for its end."""
    return tools.dump(
        [
            *("--format=custom", "--compress=6", "--no-owner", "--no-privileges"),
            *(f"--snapshot={snapshot_name}", f"--file={target}", f"--dbname={place.address()}"),
        ],
        env=place.env(),
    )


def load(tools: Tools, place: Place, dumped: Path) -> None:
    """Fill an empty database from a dump; whatever goes wrong ends it. Raises ToolsError."""
    arguments = ["--exit-on-error", "--no-owner", "--no-privileges", "--jobs=2"]
    with tools.restore(
        [*arguments, f"--dbname={place.address()}", str(dumped)], env=place.env()
    ) as restore:
        restore.finish()
    with place.connect(autocommit=True) as session:
        session.execute("ANALYZE")
