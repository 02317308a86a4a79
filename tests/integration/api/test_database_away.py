"""A database that is locked, slow or gone is a 503 that says when to come back, whoever asks."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import User
from stalkerr import patience, sql
from tests.e2e.crew import database_url
from tests.integration.api.conftest import ClientOf
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"kind": "author", "query": "Ada Example"}


@pytest.fixture(autouse=True)
def _hasty() -> Generator[None]:
    """This process's connection waits for no lock."""
    sql.rows("SET lock_timeout = '50ms'")
    yield
    sql.rows("RESET lock_timeout")


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Somebody else has it."""
    with psycopg.connect(database_url()) as other:
        other.execute(f"LOCK TABLE {table}")
        yield


def test_a_write_that_waits_for_a_lock_is_refused_in_time(alice: User, client_of: ClientOf) -> None:
    """Proves the guard AWAY in problem_details: it was a 500."""
    client = client_of(alice)
    with locked("watches"):
        answer = client.post("/api/watches", BODY)
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert int(answer["Retry-After"]) > 0
    assert "try again" in answer.json()["detail"]
    assert client.post("/api/watches", BODY).status_code == 201


def test_graphql_says_the_same(alice: User, client_of: ClientOf) -> None:
    """Proves the guard AWAY in api/graphql/errors.py."""
    with locked("watches"):
        answer = client_of(alice).post("/graphql", {"query": "{ watches { results { id } } }"})
    (error,) = answer.json()["errors"]
    assert error["extensions"]["status"] == 503
    assert error["extensions"]["retryAfter"] > 0


def test_a_feed_says_so_in_plain_text(client: Client) -> None:
    """Proves the guard `unavailable` in server_error."""
    client.raise_request_exception = False
    with locked("audiobooks"):
        answer = client.get("/feeds/upcoming.rss")
    assert (answer.status_code, answer["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert int(answer["Retry-After"]) > 0


def test_a_session_that_can_not_be_kept_is_no_bug(client: Client, staff: User) -> None:
    """The same guard: what keeps sessions stands before all views."""
    client.raise_request_exception = False
    with locked(Session._meta.db_table):
        answer = client.post("/admin/login/", {"username": staff.email, "password": PASSWORD})
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0


def test_a_server_that_is_silent_is_left() -> None:
    """Proves the guard Patient.wait: without it one waits for as long as the server hangs."""
    hasty = patience.Patient.for_at_most(0.1)
    hasty.limit = 0.3
    with psycopg.connect(database_url(), autocommit=True) as other:
        with hasty.connect(database_url(), autocommit=True) as door:
            with pytest.raises(psycopg.OperationalError):
                door.execute("SELECT pg_sleep(60)")
            assert door.closed
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'sleep.60' AND pid <> pg_backend_pid()"
        )


def test_what_the_server_refuses_leaves_the_connection_open() -> None:
    hasty = patience.Patient.for_at_most(5)
    with hasty.connect(database_url(), autocommit=True, options="-c statement_timeout=50") as door:
        with pytest.raises(psycopg.errors.QueryCanceled):
            door.execute("SELECT pg_sleep(60)")
        assert door.execute("SELECT 1").fetchone() == (1,)


def test_the_web_is_told_how_long_to_wait() -> None:
    """`options` of the URL come last: what an operator says counts."""
    said = patience.options(given="-c lock_timeout=1", patience=2, statement=5)
    assert said["options"].split(" -c ")[-1] == "lock_timeout=1"
    assert "lock_timeout=2000" in said["options"]
    assert "statement_timeout=5000" in said["options"]
    assert said["connect_timeout"] == 2
    assert "options" not in patience.options(given="", patience=0, statement=0)
