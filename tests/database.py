"""The test database: Django's tables, the job ledger, and the row that moves the clock."""

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.conf import settings
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from notifications.partitions import make_months
from stalkerr.embedded import ensure
from tests.servers import VAR_DIR
from workers.ledger import migrate, months
from workers.ledger.engine import engine


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
