"""Alembic's entry: only schema `jobs`, over the connection that workers/ledger/migrate.py hands in."""

from alembic import context

from workers.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema="jobs",
    include_schemas=True,
    include_name=lambda name, kind, _parents: kind != "schema" or name == "jobs",
)
with context.begin_transaction():
    context.run_migrations()
