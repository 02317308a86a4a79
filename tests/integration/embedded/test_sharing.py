"""Who starts the servers, who shares them, who ends them."""

import os
from pathlib import Path

import psycopg
import pytest
import redis

from stalkerr.embedded import ensure
from tests.integration.embedded.people import (
    Command,
    are_gone,
    command,
    everybody,
    is_alive,
    query,
    servers,
    state,
    valkey,
    wait_gone,
)


def test_the_first_command_starts_them_and_the_last_one_leaves_nothing(var: Path) -> None:
    environ: dict[str, str] = {}
    with ensure(var, environ, durable=False):
        started = everybody(var)
        assert query(environ["DATABASE_URL"], "SELECT current_database()") == [("stalkerr",)]
        for name in ("BROKER_URL", "CACHE_URL"):
            with valkey(environ[name]) as connection:
                assert connection.ping()
        assert len(started) == 4
        assert all(is_alive(pid) for pid in started)
    assert are_gone(started)
    assert environ == {}


def test_what_was_written_is_there_next_time_at_the_same_address(shared_var: Path) -> None:
    with command(shared_var) as first:
        query(first.seen["DATABASE_URL"], "CREATE TABLE kept AS SELECT 'a book' AS title")
        with valkey(first.seen["BROKER_URL"]) as broker:
            broker.rpush("queue", "a task")
    with command(shared_var) as second:
        assert second.seen == first.seen
        assert query(second.seen["DATABASE_URL"], "SELECT title FROM kept") == [("a book",)]
        with valkey(second.seen["BROKER_URL"]) as broker:
            assert broker.lpop("queue") == b"a task"


def test_a_second_command_finds_them_running_and_keeps_them_running(shared_var: Path) -> None:
    first = Command(shared_var).started()
    before = everybody(shared_var)
    with command(shared_var) as second:
        assert second.seen == first.seen
        first.leave()
        assert everybody(shared_var) == before
        assert query(second.seen["DATABASE_URL"], "SELECT 1") == [(1,)]
    assert are_gone(before)


def test_four_commands_that_start_at_once_agree_on_one_set(var: Path) -> None:
    commands = [Command(var) for _ in range(4)]
    seen = [each.started().seen for each in commands]
    started = everybody(var)
    assert all(urls == state(var)["urls"] for urls in seen)
    for each in commands:
        each.process.stdin.close()  # type: ignore[union-attr]  # a pipe, as asked for
    for each in commands:
        each.process.wait(timeout=30)
        each.process.stdout.close()  # type: ignore[union-attr]
    wait_gone(started)


def test_commands_that_come_and_go_meet_no_stopping_server(shared_var: Path) -> None:
    leaving = Command(shared_var).started()
    for _ in range(5):
        coming = Command(shared_var)
        leaving.leave()
        assert query(coming.started().seen["DATABASE_URL"], "SELECT 1") == [(1,)]
        leaving = coming
    leaving.leave()


def test_a_command_that_was_killed_leaves_nothing(shared_var: Path) -> None:
    killed = Command(shared_var).started()
    started = everybody(shared_var)
    killed.kill()
    wait_gone(started)


def test_a_fork_of_a_killed_command_does_not_hold_on(shared_var: Path) -> None:
    fork = "os.fork() == 0 and (os.close(1), sys.stdin.read(), os._exit(0))"
    killed = Command(shared_var, also=fork, stderr=-3).started()
    started = everybody(shared_var)
    killed.process.kill()
    killed.process.wait()
    wait_gone(started)  # though the fork still waits for its input to end
    killed.process.communicate()


def test_a_fork_that_leaves_does_not_let_go_for_its_parent(shared_var: Path) -> None:
    environ: dict[str, str] = {}
    fork = "os.fork() == 0 and (sys.exit(0))"
    with command(shared_var, also=fork) as parent, ensure(shared_var, environ):
        assert environ == parent.seen
    with command(shared_var, also=fork) as parent:
        assert query(parent.seen["DATABASE_URL"], "SELECT 1") == [(1,)]


def test_servers_that_were_given_are_left_alone(var: Path) -> None:
    given = {"DATABASE_URL": "a", "BROKER_URL_FILE": "b", "CACHE_URL": "c"}
    environ = dict(given)
    with ensure(var, environ):
        assert environ == given
    assert not (var / "embedded").exists()


def test_only_the_address_that_is_missing_is_set(shared_var: Path) -> None:
    environ = {"DATABASE_URL": "postgres://elsewhere/mine", "BROKER_URL": ""}
    with ensure(shared_var, environ):
        assert environ["DATABASE_URL"] == "postgres://elsewhere/mine"
        assert environ["BROKER_URL"] == state(shared_var)["urls"]["BROKER_URL"]
        assert environ["CACHE_URL"] == state(shared_var)["urls"]["CACHE_URL"]
    assert environ == {"DATABASE_URL": "postgres://elsewhere/mine"}


def test_nobody_gets_in_without_the_password(shared_var: Path) -> None:
    with command(shared_var) as owner:
        url = owner.seen["DATABASE_URL"]
        password = url.split(":")[2].split("@")[0]
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            query(url.replace(f":{password}", ""), "SELECT 1")
        for name in ("BROKER_URL", "CACHE_URL"):
            with (
                valkey(owner.seen[name].replace(f":{password}@", "")) as stranger,
                pytest.raises(redis.AuthenticationError),
            ):
                stranger.ping()
        for pid in servers(shared_var).values():
            assert password not in Path(f"/proc/{pid}/cmdline").read_text()
        for secret in (shared_var / "embedded").glob("*.json"):
            assert secret.stat().st_mode & 0o077 == 0


def test_they_listen_on_this_machine_only_and_never_run_as_root(shared_var: Path) -> None:
    with command(shared_var) as owner:
        listen = query(
            owner.seen["DATABASE_URL"],
            "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')",
        )
        assert listen == [("127.0.0.1", "")]
        for name in ("BROKER_URL", "CACHE_URL"):
            with valkey(owner.seen[name]) as connection:
                assert connection.config_get("bind") == {"bind": "127.0.0.1"}
        assert all(
            os.stat(f"/proc/{pid}").st_uid != 0  # noqa: PTH116
            for pid in servers(shared_var).values()
        )


def test_the_broker_keeps_and_the_cache_forgets(shared_var: Path) -> None:
    with command(shared_var) as owner:
        found = {}
        for name in ("BROKER_URL", "CACHE_URL"):
            with valkey(owner.seen[name]) as connection:
                found[name] = connection.config_get("maxmemory-policy", "appendonly", "save")
    assert found == {
        "BROKER_URL": {"maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""},
        "CACHE_URL": {"maxmemory-policy": "allkeys-lru", "appendonly": "no", "save": ""},
    }


def test_the_database_sorts_and_folds_alike_on_every_machine(shared_var: Path) -> None:
    with command(shared_var) as owner:
        found = query(
            owner.seen["DATABASE_URL"],
            "SELECT datlocprovider::text, datlocale, current_setting('data_checksums'), lower('ÄÉ')"
            " FROM pg_database WHERE datname = current_database()",
        )
    assert found == [("b", "C.UTF-8", "on", "äé")]
