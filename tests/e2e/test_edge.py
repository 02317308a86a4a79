"""The lane before Django in a web server of its own: how soon it hears of a change, and from whom."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from psycopg import conninfo
from psycopg.sql import SQL, Identifier, Literal
from pytest_django import Settings

from catalog import revisions
from stalkerr import clock
from tests.e2e.crew import database_url
from tests.edge import forgetful
from tests.factories import make_audiobook
from tests.sinks import wait_until
from tests.web import served

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.django_db(transaction=True)]

NOWHERE = "redis://127.0.0.1:1/0"


@contextmanager
def lane() -> Iterator[str]:
    """Where /api/upcoming is answered by a lane: Django does not pack, so only a lane varies by it."""
    with forgetful():
        revisions.publish()
        with served(LIMITS_FACTOR="1000") as (url, _):
            where = f"{url}/api/upcoming"
            wait_until(lambda: "accept-encoding" in said(where)[2].lower(), within=60, every=0.1)
            yield where


def said(url: str) -> tuple[int, list[str], str]:
    """Status, titles, Vary."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (ours)
            titles = [book["title"] for book in json.loads(answer.read())["results"]]
            return answer.status, titles, answer.headers["Vary"] or ""
    except urllib.error.HTTPError as error:
        return error.code, [], ""


def test_a_commit_is_answered_within_two_seconds_and_ten_where_the_hint_is_lost(
    settings: Settings,
) -> None:
    """Proves the guard `announce`, and the lane's pulse for when that is not heard."""
    with lane() as url:
        make_audiobook(now=clock.now(), title="Told", out_in=1)
        wait_until(lambda: "Told" in said(url)[1], within=2, every=0.05)

        settings.BUCKETS_URL = NOWHERE  # of this process: nobody hears its hint
        make_audiobook(now=clock.now(), title="Untold", out_in=1)
        wait_until(lambda: "Untold" in said(url)[1], within=10, every=0.05)
        assert "accept-encoding" in said(url)[2].lower()


def test_while_the_database_is_gone_what_is_known_is_answered() -> None:
    """Proves the guard memory and shelf: answers are kept where PostgreSQL's end is not theirs."""
    make_audiobook(now=clock.now(), title="Of Sand", out_in=5)
    with lane() as url:
        assert said(f"{url}?q=sand")[:2] == (200, ["Of Sand"])
        with database_gone():
            begun = time.monotonic()
            for _ in range(20):
                assert said(f"{url}?q=sand")[:2] == (200, ["Of Sand"])
            assert time.monotonic() - begun < 5
            assert said(f"{url}?q=never asked".replace(" ", "%20"))[0] >= 500
            assert said(f"{url}?q=sand")[:2] == (200, ["Of Sand"])
        make_audiobook(now=clock.now(), title="More Sand", out_in=6)
        wait_until(lambda: "More Sand" in said(f"{url}?q=sand")[1], within=20, every=0.1)


@contextmanager
def database_gone() -> Iterator[None]:
    """For all processes but this one: what they had is cut, and nobody gets a new connection."""
    name = connection.settings_dict["NAME"]
    pid = connection.connection.info.backend_pid
    where = conninfo.make_conninfo(database_url(), dbname="postgres")
    with psycopg.connect(where, autocommit=True) as beside:
        allow = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        beside.execute(allow.format(Identifier(name), Literal(False)))
        try:
            beside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND pid <> %s",
                (name, pid),
            )
            yield
        finally:
            beside.execute(allow.format(Identifier(name), Literal(True)))
