"""Databases made beside ours: filled from a backup, looked at, dropped, or put in ours' place."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from workers.backups.database import Connection, Place, RefusedError

OTHERS: Final = ("postgres", "template1")  # databases to stand in while ours is moved
LONGEST: Final = 63  # bytes of a name
TRIES: Final = 20  # at a swap: whoever is sent away may come back before the door is shut
_PROVIDERS: Final = {"c": "libc", "i": "icu", "b": "builtin"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where databases are made and moved: a session in another one of the same server.

    While it lasts, nobody else has one for the same database.
    """

    session: Connection
    place: Place

    def make(self, use: str) -> Place:
        """An empty database like ours, for that use."""
        name = self._name(use, secrets.token_hex(3))
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}")
        self.session.execute(statement.format(sql.Identifier(name), self._likeness()))
        return self.place.at(name)

    def drop(self, place: Place) -> None:
        """Whatever is in it, and whoever uses it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self.session.execute(statement.format(sql.Identifier(place.name)))

    def drop_left(self, use: str) -> None:
        """Drop what a run that was killed has left behind."""
        for name in self.names(use):
            self.drop(self.place.at(name))

    def names(self, use: str) -> list[str]:
        """The databases made for that use, the oldest first."""
        found = self.session.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY oid",
            [self._name(use, "")],
        )
        return [name for (name,) in found.fetchall()]

    def swap(self, scratch: Place) -> Place:
        """Put `scratch` in the place of ours, in one transaction; returns where ours is now.

        Whoever uses either is sent away. Before the commit nothing has happened.
        """
        old = self.place.at(self._name("before", secrets.token_hex(3)))
        moves = [(self.place.name, old.name), (scratch.name, self.place.name)]
        for tries_left in reversed(range(TRIES)):
            try:
                with self.session.transaction():
                    self._send_away(self.place.name, scratch.name)
                    for name, new in moves:
                        statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                        self.session.execute(
                            statement.format(sql.Identifier(name), sql.Identifier(new))
                        )
            except psycopg.errors.ObjectInUse as error:
                if not tries_left:
                    raise RefusedError(
                        f"The database {self.place.name} is never without sessions: stop the web and "
                        "the workers, then try again."
                    ) from error
            else:
                return old
        raise AssertionError

    def _send_away(self, *names: str) -> None:
        self.session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = ANY(%s) AND pid <> pg_backend_pid()",
            [list(names)],
        )

    def _likeness(self) -> sql.Composed:
        """Encoding and locale of ours, in the words of CREATE DATABASE."""
        ((known, encoding),) = self.session.execute(
            "SELECT to_jsonb(d), pg_encoding_to_char(encoding) FROM pg_database d WHERE datname = %s",
            [self.place.name],
        ).fetchall()
        words: dict[str, Any] = {
            "ENCODING": encoding,
            "LC_COLLATE": known["datcollate"],
            "LC_CTYPE": known["datctype"],
        }
        provider = _PROVIDERS[known["datlocprovider"]]
        locale = known.get("datlocale") or known.get("daticulocale")  # since 17; before
        if locale:
            words["BUILTIN_LOCALE" if provider == "builtin" else "ICU_LOCALE"] = locale
        parts = [sql.SQL("{} {}").format(sql.SQL(key), value) for key, value in words.items()]
        return sql.SQL("LOCALE_PROVIDER {} {}").format(sql.SQL(provider), sql.SQL(" ").join(parts))

    def _name(self, use: str, end: str) -> str:
        tail = f"_{use}_{end}"
        return (
            f"{self.place.name.encode()[: LONGEST - len(tail) - 6].decode(errors='ignore')}{tail}"
        )


@contextmanager
def desk(place: Place) -> Iterator[Desk]:
    """Raises RefusedError where it can't be had, or somebody else is at it."""
    with _session(place) as session:
        _check_rights(session, place)
        taken = session.execute(
            "SELECT pg_try_advisory_lock(hashtext(%s))", [f"stalkerr restore {place.name}"]
        ).fetchone()
        if taken != (True,):
            raise RefusedError("Another restore or drill is at work: wait for its end.")
        yield Desk(session, place)


def _session(place: Place) -> Connection:
    for name in OTHERS:
        try:
            return place.at(name).connect(autocommit=True)
        except psycopg.OperationalError as error:
            last = error
    raise RefusedError(
        f"To restore, one must be able to stand in a database beside {place.name}, such as "
        f"{' or '.join(OTHERS)}: {str(last).strip()}"
    )


def _check_rights(session: Connection, place: Place) -> None:
    """To make databases and to rename ours takes rights that its daily work does not."""
    ((may_create, owns, user, name),) = session.execute(
        "SELECT r.rolsuper OR r.rolcreatedb, r.rolsuper OR pg_has_role(d.datdba, 'USAGE'), "
        "current_user, d.datname FROM pg_roles r LEFT JOIN pg_database d ON d.datname = %s "
        "WHERE r.rolname = current_user",
        [place.name],
    ).fetchall()
    if name is None:
        raise RefusedError(f"There is no database {place.name}: create it first.")
    if not may_create:
        raise RefusedError(
            f"The database user {user} may not make databases, and a restore is checked in one: as "
            f'an administrator of the server, run ALTER ROLE "{user}" CREATEDB.'
        )
    if not owns:
        raise RefusedError(
            f"The database user {user} does not own {name}, so that it can't be swapped: as an "
            f'administrator of the server, run ALTER DATABASE "{name}" OWNER TO "{user}".'
        )
