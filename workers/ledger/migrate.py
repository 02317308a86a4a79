"""Brings schema `jobs` up to date: Alembic, run from code, one at a time."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from workers.ledger.engine import engine

_FOLDER = Path(__file__).parent / "alembic"


def config() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(_FOLDER))
    settings.set_main_option("path_separator", "os")
    return settings


def upgrade() -> None:
    """Apply what is missing; a second one that comes along waits, then finds nothing to do."""
    with engine().begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('stalkerr ledger'))"))
        connection.execute(sa.text("SET LOCAL lock_timeout TO '10s'"))
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS jobs"))
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def is_current() -> bool:
    """Whether the schema is what this code expects."""
    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": "jobs"})
        head = ScriptDirectory.from_config(config()).get_current_head()
        return context.get_current_revision() == head
