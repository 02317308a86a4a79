"""The ground everybody stands on: secrets, the clock, locks, settings."""

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from django.db import connection, transaction
from pytest_django import Settings

from stalkerr import checks, clock, crypto, sql
from stalkerr.env import kept_secret
from stalkerr.locks import lock
from tests.concurrency import Paused, start_and_see_it_wait
from workers.ledger.engine import engine

ROOT = Path(__file__).resolve().parents[3]


def test_a_secret_is_unreadable_at_rest_and_comes_back_whole() -> None:
    sealed = crypto.encrypt({"url": "https://example.org/canary"})
    assert "canary" not in sealed
    assert crypto.decrypt(sealed) == {"url": "https://example.org/canary"}


def test_an_older_key_still_opens_and_a_missing_one_is_a_loud_error(settings: Settings) -> None:
    old = settings.CHANNEL_KEYS
    sealed = crypto.encrypt({"a": 1})
    new = Fernet.generate_key().decode()
    settings.CHANNEL_KEYS = [new, *old]
    assert crypto.decrypt(sealed) == {"a": 1}
    settings.CHANNEL_KEYS = [new]
    with pytest.raises(crypto.UnreadableSecretError, match="CHANNEL_KEYS"):
        crypto.decrypt(sealed)


def test_first_runs_side_by_side_agree_on_one_secret(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        found.append(kept_secret(tmp_path / "secrets", "key", f"secret {number}".encode()))

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert (tmp_path / "secrets" / "key").stat().st_mode & 0o777 == 0o600
    assert len(list((tmp_path / "secrets").iterdir())) == 1


@pytest.mark.django_db
def test_the_clock_is_the_databases_and_can_be_moved_in_tests(
    move_clock: Callable[[dt.timedelta], dt.datetime],
) -> None:
    before = clock.now()
    assert before.tzinfo is dt.UTC
    assert abs(before - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert move_clock(dt.timedelta(days=3)) - before >= dt.timedelta(days=3)


@pytest.mark.django_db
def test_the_clock_can_not_be_moved_outside_tests(settings: Settings) -> None:
    del settings.CLOCK_OFFSET_TABLE
    with pytest.raises(AttributeError):
        clock.shift(dt.timedelta(days=3))


@pytest.mark.django_db(transaction=True)
def test_a_lock_keeps_others_out_until_the_transaction_ends() -> None:
    order: list[str] = []

    def enter() -> None:
        with transaction.atomic():
            lock("door", 1)
            order.append("second")

    first = Paused(lambda: lock("door", 1))
    second = start_and_see_it_wait(enter)
    order.append("first")
    first.finish()
    second.join()
    assert order == ["first", "second"]


SECRETS = ("SECRET_KEY", "JWT_KEY", "METRICS_TOKEN", "FLOWER_PASSWORD", "CHANNEL_KEYS")


def import_production(**environment: str) -> subprocess.CompletedProcess[str]:
    """Import the production settings in a process with just this environment."""
    servers = {
        "DATABASE_URL": "postgres://h/d",
        "BROKER_URL": "redis://h",
        "CACHE_URL": "redis://h",
    }
    rest = {"ALLOWED_HOSTS": "h", "PUBLIC_URL": "https://h", "PATH": os.environ["PATH"]}
    return subprocess.run(
        [sys.executable, "-c", "import stalkerr.settings.production as s; print(s.SECRET_KEY)"],
        env=servers | rest | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("missing", SECRETS)
def test_production_starts_with_no_made_up_secret(missing: str) -> None:
    done = import_production(**{name: "x" for name in SECRETS if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    given = {name: "x" for name in SECRETS if name != "SECRET_KEY"}
    done = import_production(**given, SECRET_KEY_FILE=str(tmp_path / "key"))
    assert done.stdout == "from a file\n"


@pytest.mark.django_db
def test_pools_that_do_not_fit_the_server_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_connections(databases=["default"]) == []
    monkeypatch.setenv("WEB_WORKERS", "1000")
    (error,) = checks.check_connections(databases=["default"])
    assert error.id == "stalkerr.E001"


@pytest.mark.django_db
def test_the_pool_of_the_edge_lane_counts_too(settings: Settings) -> None:
    settings.EDGE_POOL_MAX = 10_000
    (error,) = checks.check_connections(databases=["default"])
    assert error.id == "stalkerr.E001"


def test_a_channel_key_that_is_none_is_refused(settings: Settings) -> None:
    assert checks.check_channel_keys() == []
    settings.CHANNEL_KEYS = ["short"]
    (error,) = checks.check_channel_keys()
    assert error.id == "stalkerr.E002"


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("VAPID_KEY", "short", "stalkerr.E004"),
        ("VAPID_KEY", "A" * 43, "stalkerr.E004"),
        ("VAPID_KEY", "/run/secrets/key", "stalkerr.E004"),
        ("VAPID_CONTACT", "mailto:", "stalkerr.E005"),
        ("VAPID_CONTACT", "you", "stalkerr.E005"),
    ],
)
def test_what_cannot_sign_web_push_is_refused(
    settings: Settings, name: str, value: str, id: str
) -> None:
    assert checks.check_vapid() == []
    setattr(settings, name, value)
    (error,) = checks.check_vapid()
    assert error.id == id
    settings.VAPID_KEY = ""
    assert checks.check_vapid() == [], "nobody needs web push"


@pytest.mark.django_db(transaction=True)
def test_connections_that_a_restart_of_postgresql_broke_are_handed_to_nobody() -> None:
    """Proves the guard CONN_HEALTH_CHECKS: without it the next request would fail."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # whatever earlier tests left in it
    sql.rows("SELECT 1")
    connection.close()  # back into the pool, whose connections all end now
    with engine().begin() as other:
        other.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'stalkerr'"
            )
        )
    assert sql.rows("SELECT 1") == [(1,)]
