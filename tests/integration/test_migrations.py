"""Every migration, Django's and the ledger's, can be made while the code before it runs.

Expand, then contract: a release adds what it needs in a form that the one before it can live with;
what nobody uses any more goes a release later. Squawk reads the SQL.
"""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from stalkerr.processes import ROOT
from workers.ledger import migrate

OURS = ("accounts", "catalog", "scraping", "notifications", "workers")
# Before the first release nobody had anything to lose: these need not be safe. From it on, no number
# here moves, and what is unsafe goes into CONTRACTS with its reason.
BEFORE_THE_FIRST_RELEASE = {
    "accounts": 7,
    "catalog": 12,
    "scraping": 3,
    "notifications": 3,
    "workers": 2,
    "ledger": 2,
}
# Migration: why nothing that still runs minds it, such as "no code since 1.2 reads the column".
CONTRACTS: dict[str, str] = {}


def lint(sql: str, folder: Path) -> str:
    """What squawk says of it; nothing where all is well."""
    path = folder / "migration.sql"
    path.write_text(sql)
    program = Path(sys.executable).parent / "squawk"
    words = [str(program), "--config", str(ROOT / ".squawk.toml"), "--reporter", "gcc", str(path)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode else ""


def rules(said: str) -> set[str]:
    return set(re.findall(r"(?:warning|error): ([a-z-]+)", said))


def migrations() -> Iterator[tuple[str, str]]:
    """(name, SQL) of each that must be safe."""
    executor = MigrationExecutor(connection)
    for (app, name), migration in executor.loader.graph.nodes.items():
        if app in OURS and int(name[:4]) > BEFORE_THE_FIRST_RELEASE[app]:
            plan = [(executor.loader.get_migration(app, name), False)]
            yield f"{app}.{migration}", "\n".join(executor.loader.collect_sql(plan))
    for script in ScriptDirectory.from_config(migrate.config()).walk_revisions():
        if int(script.revision[:4]) > BEFORE_THE_FIRST_RELEASE["ledger"]:
            yield f"ledger.{script.revision}", sql_of(script.module.upgrade)


def sql_of(upgrade: object) -> str:
    """What a function of Alembic's would send."""
    written = io.StringIO()
    options = {"as_sql": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context):
        upgrade()  # type: ignore[operator]
    return written.getvalue()


@pytest.mark.django_db
def test_no_migration_breaks_or_stops_what_still_runs(tmp_path: Path) -> None:
    unsafe = {
        name: rules(said)
        for name, sql in migrations()
        if name not in CONTRACTS and (said := lint(sql, tmp_path))
    }
    assert unsafe == {}


@pytest.mark.django_db
def test_a_migration_before_the_first_release_is_one_that_there_is() -> None:
    newest: dict[str, int] = dict.fromkeys(BEFORE_THE_FIRST_RELEASE, 0)
    for app, name in MigrationExecutor(connection).loader.graph.nodes:
        if app in OURS:
            newest[app] = max(newest[app], int(name[:4]))
    script = ScriptDirectory.from_config(migrate.config())
    newest["ledger"] = int((script.get_current_head() or "0")[:4])
    assert all(newest[app] >= number for app, number in BEFORE_THE_FIRST_RELEASE.items())


UNSAFE = {
    "ALTER TABLE watches DROP COLUMN query": "ban-drop-column",
    "DROP TABLE watches": "ban-drop-table",
    "ALTER TABLE watches RENAME COLUMN query TO words": "renaming-column",
    "ALTER TABLE watches RENAME TO wishes": "renaming-table",
    "ALTER TABLE watches ALTER COLUMN id TYPE integer": "changing-column-type",
    "ALTER TABLE watches ADD COLUMN note text NOT NULL": "adding-required-field",
    "ALTER TABLE watches ALTER COLUMN query SET NOT NULL": "adding-not-nullable-field",
    "CREATE INDEX words ON watches (query)": "require-concurrent-index-creation",
    "ALTER TABLE watches ADD CONSTRAINT c CHECK (id > 0)": "constraint-missing-not-valid",
    "ALTER TABLE watches ADD CONSTRAINT u UNIQUE (query)": "disallowed-unique-constraint",
}


@pytest.mark.parametrize("sql", UNSAFE)
def test_what_breaks_or_stops_what_still_runs_is_refused(sql: str, tmp_path: Path) -> None:
    assert UNSAFE[sql] in rules(lint(f"{sql};", tmp_path))


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE watches ADD COLUMN note text NULL",
        "ALTER TABLE watches ADD COLUMN note text NOT NULL DEFAULT ''",
        "CREATE TABLE notes (id bigint PRIMARY KEY, note text); CREATE INDEX n ON notes (note)",
        "ALTER TABLE watches ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
    ],
)
def test_what_the_code_before_can_live_with_is_let_through(sql: str, tmp_path: Path) -> None:
    assert lint(f"{sql};", tmp_path) == ""


def test_alembic_is_read_as_it_would_be_sent() -> None:
    (first,) = [
        script
        for script in ScriptDirectory.from_config(migrate.config()).walk_revisions()
        if script.revision == "0001"
    ]
    assert "CREATE TABLE jobs.job_slot" in sql_of(first.module.upgrade)
