"""No process starts on a database that is half upgraded, by either of the two ways."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from stalkerr import sql
from stalkerr.processes import ROOT, environment
from tests.e2e.crew import celery, database_url
from workers.starting import REFUSED

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]

LAST = "app = 'workers' AND name = '0001_ledger_as_django_sees_it'"
STATES = {
    "django": (
        f"UPDATE django_migrations SET app = 'none' WHERE {LAST}",  # noqa: S608 (ours)
        "UPDATE django_migrations SET app = 'workers' WHERE app = 'none'",
        "lacks workers.0001_ledger_as_django_sees_it",
    ),
    "ledger": (
        "UPDATE jobs.alembic_version SET version_num = '0001'",
        "UPDATE jobs.alembic_version SET version_num = '0002'",
        "is at revision 0001, not 0002",
    ),
}
AHEAD = {
    "django": (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('catalog', '9999_x', now())",
        "DELETE FROM django_migrations WHERE name = '9999_x'",
    ),
    "ledger": (
        "UPDATE jobs.alembic_version SET version_num = '9999'",
        "UPDATE jobs.alembic_version SET version_num = '0002'",
    ),
}
PROCESSES = {
    "web": [sys.executable, "-c", "import stalkerr.asgi"],
    "worker": celery("worker", "-Q", "none", "--concurrency=1", "-n", "starting@test"),
    "beat": celery("beat", "--scheduler", "celery.beat:Scheduler"),
}


@contextmanager
def changed(do: str, undo: str) -> Iterator[None]:
    sql.rows(do)
    try:
        yield
    finally:
        sql.rows(undo)


def start(command: list[str]) -> "subprocess.Popen[str]":
    extra = {"DJANGO_SETTINGS_MODULE": "stalkerr.settings.test", "DATABASE_URL": database_url()}
    return subprocess.Popen(  # noqa: S603 (the words are ours)
        command,
        cwd=ROOT,
        env=environment(**extra),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("state", STATES)
def test_a_half_upgraded_database_is_refused_by_every_process_in_a_sentence(state: str) -> None:
    """Proves the guard workers.starting.refuse, at each of its three doors."""
    do, undo, trouble = STATES[state]
    with changed(do, undo):
        processes = {name: start(command) for name, command in PROCESSES.items()}
        try:
            said = {name: each.communicate(timeout=120)[1] for name, each in processes.items()}
        finally:
            for each in processes.values():
                each.kill()
                each.wait()
    for name, process in processes.items():
        assert process.returncode == REFUSED, (name, said[name])
        assert trouble in said[name]
        assert "manage.py upgrade" in said[name]


@pytest.mark.parametrize("schema", AHEAD)
def test_a_version_starts_again_while_the_next_one_has_upgraded(schema: str) -> None:
    do, undo = AHEAD[schema]
    with changed(do, undo):
        process = start(PROCESSES["web"])
        said = process.communicate(timeout=120)[1]
    assert (process.returncode, "not_started" in said) == (0, False), said


def test_a_database_that_is_as_it_should_be_is_none_to_refuse() -> None:
    process = start(PROCESSES["web"])
    said = process.communicate(timeout=120)[1]
    assert (process.returncode, "not_started" in said) == (0, False)


def test_a_database_that_is_away_is_none_to_refuse() -> None:
    """It may be back in a moment; /health says meanwhile that it is not."""
    away = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    settings = {"DJANGO_SETTINGS_MODULE": "stalkerr.settings.test"}
    done = subprocess.run(  # noqa: S603 (the words are ours)
        PROCESSES["web"],
        check=False,
        cwd=ROOT,
        env=environment(**settings, **away),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == os.EX_OK, done.stderr
    assert "schemas_not_checked" in done.stderr


def test_the_last_migration_named_here_is_there() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM django_migrations WHERE {LAST}")  # noqa: S608 (ours)
        assert cursor.fetchone() == (1,)
