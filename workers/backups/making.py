"""How a backup is put together: a dump of one moment, what is in it, and the configuration."""

import datetime as dt
import subprocess
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from workers.backups import configuration, database, encryption, manifest
from workers.backups.database import Connection, Place, RefusedError
from workers.backups.manifest import CONFIGURATION, DUMP, File, Manifest
from workers.backups.tools import Tools, find_tools
from workers.ledger.migrate import config

LEDGER: Final = "jobs"  # among migrations: the schema that is Alembic's


def make(*, folder: Path, name: str, now: dt.datetime) -> Manifest:
    """Put a backup together in `folder`; its dump was read whole. Raises ToolsError, OSError."""
    place, dump = database.here(), folder / DUMP
    dump.touch(mode=0o600)
    with database.snapshot(place) as (session, snapshot):
        server = database.major_of(session)
        tools = find_tools(server)
        with database.dump(tools, place, snapshot, dump) as running:
            tables = database.tally(session)  # meanwhile, and of the same moment
            running.finish()
        migrations = migrations_of(session)
    unpacked = read_whole(tools, dump)
    _write_configuration(folder / CONFIGURATION, now)
    plain_dump = manifest.file_of(dump)
    made = Manifest(
        name=name,
        taken_at=now,
        server=server,
        migrations=migrations,
        files=_seal(folder),
        plain_dump=plain_dump,
        unpacked=unpacked,
        tables=tables,
    )
    _write(folder / manifest.NAME, made.text())
    return made


def read_whole(tools: Tools, dump: Path, *, most: int | None = None) -> int:
    """Have a dump unpacked to its end; how many bytes of SQL that is.

    A list of its contents would not show that its end is missing. Raises ToolsError where it is
    damaged, RefusedError where there is more in it than `most`.
    """
    size = 0
    with tools.restore(["--file=-", str(dump)], env={}, output=subprocess.PIPE) as restore:
        while piece := restore.output.read(manifest.PIECE):
            size += len(piece)
            if most is not None and size > most:
                raise RefusedError(
                    f"There is more in {dump.name} than its manifest says: it is refused."
                )
        restore.finish()
    return size


def migrations_of(session: Connection) -> dict[str, list[str]]:
    """Which migrations a database has seen."""
    found: dict[str, list[str]] = {}
    rows = session.execute("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
    for app, name in rows:
        found.setdefault(app, []).append(name)
    revisions = session.execute("SELECT version_num FROM jobs.alembic_version").fetchall()
    return {**found, LEDGER: [revision for (revision,) in revisions]}


def unknown_migrations(migrations: dict[str, list[str]]) -> list[str]:
    """Those that this Stalkerr does not have: it is older than whoever wrote them."""
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    known = {(app, name) for app, name in loader.disk_migrations}
    replaced = {key for each in loader.disk_migrations.values() for key in each.replaces}
    script = ScriptDirectory.from_config(config())
    known |= {(LEDGER, each.revision) for each in script.walk_revisions()}
    asked = {(app, name) for app, names in migrations.items() for name in names}
    return [f"{app} {name}" for app, name in sorted(asked - known - replaced)]


def tools_at(place: Place) -> Tools:
    with place.connect() as session:
        return find_tools(database.major_of(session))


def _write_configuration(path: Path, now: dt.datetime) -> None:
    path.touch(mode=0o600)
    with path.open("w") as target:
        configuration.write(target, now=now)


def _seal(folder: Path) -> dict[str, File]:
    """The files as they are stored: encrypted, where there are recipients."""
    names = []
    for name in (DUMP, CONFIGURATION):
        if settings.BACKUP_RECIPIENTS:
            sealed = name + encryption.SUFFIX
            encryption.encrypt(folder / name, folder / sealed, settings.BACKUP_RECIPIENTS)
            (folder / name).unlink()
            name = sealed
        names.append(name)
    return {name: manifest.file_of(folder / name) for name in names}


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
