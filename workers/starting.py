"""Nothing starts on a database that is not as it needs it: behind, ahead, or half of each."""

import os
from functools import cache
from typing import Any, Final

import structlog
from alembic.script import ScriptDirectory
from celery.signals import beat_init, celeryd_init
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from workers.ledger.migrate import config

PATIENCE: Final = 5  # seconds to connect
REFUSED: Final = os.EX_CONFIG
_BEHIND: Final = "run `manage.py upgrade`, then start again."
_AHEAD: Final = (
    "start the version that upgraded it, or restore a backup of before, then start again."
)

Migration = tuple[str, str]  # app and name

_log = structlog.get_logger(__name__)


class HalfMigratedError(Exception):
    """Says in one sentence what the database lacks, or has too much of, and what to do."""


def check_schemas() -> None:
    """Raise HalfMigratedError unless both schemas are just what this code expects.

    A database that can't be asked is no reason: it may be back in a moment, and /health says so.
    """
    with_its_own = connection.copy()  # nothing that a process keeps, or hands to its children
    options = connection.settings_dict["OPTIONS"]
    with_its_own.settings_dict["OPTIONS"] = {
        name: value for name, value in options.items() if name != "pool"
    } | {"connect_timeout": PATIENCE}
    try:
        sentence = trouble(with_its_own)
    except DatabaseError as error:
        _log.warning("schemas_not_checked", error=str(error))
        return
    finally:
        with_its_own.close()
    if sentence:
        raise HalfMigratedError(sentence)


def trouble(database: BaseDatabaseWrapper) -> str:
    """What one of the schemas lacks, or has too much of, and what to do; empty where all is well."""
    known, replaced = _known()
    ours = {app for app, _ in known}
    applied = {name for name in MigrationRecorder(database).applied_migrations() if name[0] in ours}
    if missing := sorted(known - applied):
        return f"The database lacks {_name(*missing[0])} of Django's migrations: {_BEHIND}"
    if strange := sorted(applied - known - replaced):
        return f"The database has {_name(*strange[0])}, which this version does not know: {_AHEAD}"
    return _ledgers_trouble(database)


def _name(app: str, migration: str) -> str:
    return f"{app}.{migration}"


@cache
def _known() -> tuple[frozenset[Migration], frozenset[Migration]]:
    """Those of this code, and those they replace: they stay as they are while the process lives."""
    migrations: Any = MigrationLoader(None).disk_migrations or {}
    replaced = (name for each in migrations.values() for name in each.replaces)
    return frozenset(migrations), frozenset(replaced)


def _ledgers_trouble(database: BaseDatabaseWrapper) -> str:
    scripts = ScriptDirectory.from_config(config())
    head, known = scripts.get_current_head(), {each.revision for each in scripts.walk_revisions()}
    revision = _revision(database)
    if revision == head:
        return ""
    if revision is None or revision in known:
        return f"The job ledger is at revision {revision or 'none'}, not {head}: {_BEHIND}"
    return f"The job ledger has revision {revision}, which this version does not know: {_AHEAD}"


def _revision(database: BaseDatabaseWrapper) -> str | None:
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('jobs.alembic_version') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return None
        cursor.execute("SELECT version_num FROM jobs.alembic_version")
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def refuse(**_: Any) -> None:
    """End this process with a sentence where the database is not as it needs it."""
    try:
        check_schemas()
    except HalfMigratedError as error:
        _log.critical("not_started", reason=str(error))
        raise SystemExit(REFUSED) from error


def install() -> None:
    """Workers and beats look before they begin."""
    for signal in (celeryd_init, beat_init):
        signal.connect(refuse, weak=False, dispatch_uid="workers.starting")
