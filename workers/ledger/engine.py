"""The ledger's one engine: made at first use, so after fork, and from Django's own settings."""

import os
from functools import cache

import sqlalchemy as sa
from django.conf import settings
from django.db import connection


def engine() -> sa.Engine:
    """This process's engine over a small QueuePool."""
    return _engine(os.getpid())


@cache
def _engine(_pid: int) -> sa.Engine:
    return sa.create_engine(
        url(),
        pool_size=settings.LEDGER_POOL_SIZE,
        max_overflow=1,
        pool_timeout=connection.settings_dict["OPTIONS"]["pool"]["timeout"],
        pool_pre_ping=True,
        connect_args={
            "application_name": "stalkerr ledger",
            "prepare_threshold": None,
            "connect_timeout": connection.settings_dict["OPTIONS"]["connect_timeout"],
        },
    )


def url() -> sa.URL:
    """Where Django's own connection leads (in tests: the test database)."""
    django = connection.settings_dict
    return sa.URL.create(
        "postgresql+psycopg",
        username=django["USER"] or None,
        password=django["PASSWORD"] or None,
        host=django["HOST"] or None,
        port=int(django["PORT"]) if django["PORT"] else None,
        database=django["NAME"],
        query={
            name: value
            for name, value in django["OPTIONS"].items()
            if isinstance(value, str) and name != "application_name"
        },
    )
