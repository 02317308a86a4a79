"""Nothing starts on a database that lacks what it needs, in either of its schemas."""

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

Migration = tuple[str, str]  # app and name

_log = structlog.get_logger(__name__)


class HalfMigratedError(Exception):
    """Says in one sentence what the database lacks, and what to do."""


def check_schemas() -> None:
    """Raise HalfMigratedError where one of the schemas lacks what this code needs.

    A database that is ahead of it is no reason: a migration leaves what the version before it needs,
    and while an upgrade goes on both of them run. Nor is one that can't be asked: it may be back in a
    moment, and /health says so.
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
    """What one of the schemas lacks, and what to do; empty where nothing is missing."""
    applied = MigrationRecorder(database).applied_migrations().keys()
    if missing := sorted(_known() - applied):
        return f"The database lacks {'.'.join(missing[0])} of Django's migrations: {_BEHIND}"
    head, before = _revisions()
    revision = _revision(database)
    if revision is None or revision in before:
        return f"The job ledger is at revision {revision or 'none'}, not {head}: {_BEHIND}"
    return ""


@cache
def _known() -> frozenset[Migration]:
    """Those of this code: they stay as they are while the process lives."""
    return frozenset(MigrationLoader(None).disk_migrations or {})


@cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """Of the ledger: the newest of this code, and those before it."""
    scripts = ScriptDirectory.from_config(config())
    head = scripts.get_current_head()
    return head, frozenset(each.revision for each in scripts.walk_revisions()) - {head}


def _revision(database: BaseDatabaseWrapper) -> str | None:
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('jobs.alembic_version') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return None
        cursor.execute("SELECT version_num FROM jobs.alembic_version")
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def refuse(**_: Any) -> None:
    """End this process with a sentence where the database lacks what it needs."""
    try:
        check_schemas()
    except HalfMigratedError as error:
        _log.critical("not_started", reason=str(error))
        raise SystemExit(REFUSED) from error


def install() -> None:
    """Workers and beats look before they begin."""
    for signal in (celeryd_init, beat_init):
        signal.connect(refuse, weak=False, dispatch_uid="workers.starting")
