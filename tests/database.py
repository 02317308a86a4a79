"""The test database: Django's tables, the job ledger, and the row that moves the clock."""

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import django
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases

from notifications.partitions import make_months
from stalkerr.embedded import ensure
from tests.servers import VAR_DIR
from workers.ledger import migrate, months
from workers.ledger.engine import engine

KEPT: Final = frozenset({"django_content_type", "auth_permission", "django_migrations"})


def complete() -> None:
    """Add to Django's tables what Django does not know."""
    migrate.upgrade()
    make_months(now=dt.datetime.now(dt.UTC))
    months.make_months(now=dt.datetime.now(dt.UTC))
    table = settings.CLOCK_OFFSET_TABLE
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} (shift interval NOT NULL)")
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608 (a setting)
        cursor.execute(f"INSERT INTO {table} VALUES (interval '0')")  # noqa: S608 (a setting)


def empty() -> None:
    """Remove all rows of Django's tables, but what `migrate` writes into them.

    As Django's own `flush`, which costs each test half a second and more: it truncates what is
    empty, too, and writes content types and permissions anew.
    """
    tables = connection.introspection.django_table_names(only_existing=True)
    with transaction.atomic(), connection.cursor() as cursor:  # keys are checked at its end
        for table in sorted(set(tables) - KEPT):
            cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608 (a name of ours)
        cursor.execute("DELETE FROM store_changes")  # what triggers noted of that


@contextmanager
def scratch_database() -> Iterator[None]:
    """A test database of one's own, and servers for it, outside pytest: for drills and benchmarks.

    Modules with models can be imported inside, not before.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "stalkerr.settings.test"
    os.environ["VAR_DIR"] = str(VAR_DIR)
    with ensure(VAR_DIR, durable=False):
        django.setup()
        made = setup_databases(verbosity=0, interactive=False)
        try:
            complete()
            yield
        finally:
            engine().dispose()
            connection.close()
            teardown_databases(made, verbosity=0)
