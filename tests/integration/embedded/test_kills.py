"""What is killed comes back where it was, or takes the rest with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from stalkerr.embedded import EmbeddedError, client
from stalkerr.embedded.folder import Folder, write_json
from stalkerr.embedded.orphans import command_of, find_orphans, stop_orphans
from tests.integration.embedded.people import (
    Command,
    answers,
    are_gone,
    command,
    everybody,
    is_alive,
    kill,
    query,
    servers,
    state,
    valkey,
    wait_gone,
)
from tests.sinks import wait_until


def test_a_killed_database_comes_back_at_its_address_with_all_that_was_committed(
    shared_var: Path,
) -> None:
    with command(shared_var) as user:
        url = user.seen["DATABASE_URL"]
        query(url, "CREATE TABLE survives AS SELECT 1 AS one")
        killed = servers(shared_var)["DATABASE_URL"]
        kill(killed)
        wait_until(lambda: servers(shared_var)["DATABASE_URL"] != killed)
        wait_until(lambda: answers(url), within=30)
        assert query(url, "SELECT one FROM survives") == [(1,)]
        assert state(shared_var)["urls"]["DATABASE_URL"] == url


def test_a_database_whose_old_session_still_works_starts_when_that_ends(shared_var: Path) -> None:
    with command(shared_var) as user:
        url = user.seen["DATABASE_URL"]
        # A session that computes does not notice that its server is gone, and holds its memory.
        busy = psycopg.connect(url)
        busy.pgconn.send_query(
            b"DO $$ DECLARE past timestamptz = clock_timestamp() + interval '2 s';"
            b" BEGIN WHILE clock_timestamp() < past LOOP END LOOP; END $$"
        )
        wait_until(
            lambda: (
                query(url, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^DO'")[0][0] > 0
            )
        )
        started = everybody(shared_var)
        kill(servers(shared_var)["DATABASE_URL"])
        kill(state(shared_var)["guardian"])
        wait_gone(started)
        with command(shared_var) as next_one:
            assert answers(next_one.seen["DATABASE_URL"])
        log = (shared_var / "embedded" / "postgres.log").read_text()
        assert "shared memory" in log  # else this test proves nothing
        busy.close()


def test_a_killed_broker_comes_back_at_its_address_with_what_it_held(shared_var: Path) -> None:
    with command(shared_var) as user:
        killed = servers(shared_var)["BROKER_URL"]
        with valkey(user.seen["BROKER_URL"]) as broker:
            broker.rpush("queue", "a task")
            kill(killed)
        wait_until(lambda: servers(shared_var)["BROKER_URL"] != killed)
        with command(shared_var) as another, valkey(another.seen["BROKER_URL"]) as broker:
            wait_until(lambda: is_back(broker))
            assert broker.lpop("queue") == b"a task"


def is_back(broker: redis.Redis) -> bool:
    try:
        return bool(broker.ping())
    except redis.ConnectionError:  # also while it loads its file
        return False


def test_the_servers_end_with_their_guardian(shared_var: Path) -> None:
    with command(shared_var):
        started = everybody(shared_var)
        kill(started[0])
        wait_gone(started)


def test_the_next_command_brings_back_what_a_killed_guardian_took_along(shared_var: Path) -> None:
    with command(shared_var) as left_alone:
        kill(state(shared_var)["guardian"])
        with command(shared_var) as next_one:
            assert next_one.seen == left_alone.seen
            assert answers(left_alone.seen["DATABASE_URL"])


def test_a_killed_guardian_is_replaced_while_somebody_needs_it(shared_var: Path) -> None:
    with command(shared_var) as user:
        before = everybody(shared_var)
        kill(before[0])
        wait_until(lambda: state(shared_var).get("guardian", before[0]) != before[0])
        assert state(shared_var)["urls"] == user.seen
        assert answers(user.seen["DATABASE_URL"])
        after = everybody(shared_var)
    assert are_gone(before + after)


def test_a_guardian_that_was_killed_after_its_last_client_is_not_replaced(
    shared_var: Path,
) -> None:
    user = Command(shared_var).started()
    started = everybody(shared_var)
    database = servers(shared_var)["DATABASE_URL"]
    watcher = parent_of(started[0])
    os.kill(started[0], signal.SIGSTOP)  # so that it can't stop by itself
    user.kill()
    kill(started[0])
    wait_gone([*started, watcher])
    log = (shared_var / "embedded" / "postgres.log").read_text()
    assert f"[{database}] LOG:  starting PostgreSQL" in log  # a replacement starts a new log


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_the_state_that_a_dead_guardian_left_is_not_believed(
    shared_var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command(shared_var):
        folder = Folder(shared_var / "embedded")
        dead = subprocess.Popen(["/bin/true"])
        dead.wait()
        write_json(folder.state, state(shared_var) | {"guardian": dead.pid})
        monkeypatch.setattr(client, "START", 0.3)
        with pytest.raises(EmbeddedError, match="did not start"):
            client.find_state(folder, durable=False)


def test_servers_that_outlived_their_guardian_are_ended_by_the_next(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    postgres = pretend(f"postgres -D {folder.data}/postgres ")
    broker = pretend("valkey-server 127.0.0.1:15001")
    stranger = pretend("valkey-server 127.0.0.1:15003")
    (folder.data / "postgres" / "postmaster.pid").write_text(f"{postgres.pid}\n/data\n")
    write_json(folder.state, {"pids": {"BROKER_URL": broker.pid, "CACHE_URL": stranger.pid}})
    try:
        stop_orphans(folder)
        assert not is_alive(postgres.pid)
        assert not is_alive(broker.pid)
        assert is_alive(stranger.pid)  # its number was one of ours once
    finally:
        for process in (postgres, broker, stranger):
            process.kill()
            process.wait()


def test_a_number_that_another_program_has_now_does_not_keep_the_database_from_starting(
    tmp_path: Path,
) -> None:
    folder = left_behind(tmp_path)
    claim = folder.data / "postgres" / "postmaster.pid"
    claim.write_text(f"{os.getpid()}\n")
    assert find_orphans(folder) == {}
    assert not claim.exists()


def left_behind(path: Path) -> Folder:
    """What a killed guardian leaves, but for its servers."""
    folder = Folder(path)
    (folder.data / "postgres").mkdir(parents=True)
    write_json(folder.keys, {"ports": {"BROKER_URL": 15001, "CACHE_URL": 15002}})
    return folder


def pretend(command_line: str) -> "subprocess.Popen[bytes]":
    """A process that looks like one of the servers."""
    wait = "import time; time.sleep(60)"
    process = subprocess.Popen(  # noqa: S603 - the words are ours
        [command_line, "-c", wait], executable=sys.executable
    )
    wait_until(lambda: command_of(process.pid) != "")  # the kernel shows it a moment later
    return process
