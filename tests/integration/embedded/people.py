"""Commands that use the servers, as processes of their own, and what can be seen of the servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
import redis

from stalkerr.embedded.client import ROOT
from stalkerr.embedded.folder import Folder, read_json
from tests.sinks import wait_until

PROGRAM = """
import json, os, sys
from pathlib import Path
from stalkerr.embedded import EmbeddedError, ensure
environ = {}
try:
    with ensure(Path(sys.argv[1]), environ, durable=False):
        %s
        print(json.dumps(environ), flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    print(json.dumps({"error": str(error)}), flush=True)
"""


class Command:
    """A process that uses the servers of one var folder until it is told to leave, or killed.

    `also` is a statement it runs while it holds them.
    """

    def __init__(
        self,
        var: Path,
        *,
        also: str = "pass",
        python: str = sys.executable,
        env: Mapping[str, str] = os.environ,
        **options: Any,
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - the words are ours
            [python, "-c", PROGRAM % also, str(var)],
            cwd=ROOT,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        self.seen: dict[str, str] = {}

    def started(self) -> Self:
        """Wait for the first word."""
        assert self.process.stdout
        self.seen = json.loads(self.process.stdout.readline())
        return self

    def leave(self) -> None:
        """End politely; returns when the process is gone."""
        self.process.communicate(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


@contextmanager
def command(var: Path, **options: Any) -> Iterator[Command]:
    """A command that has its servers, and leaves at the end of the block."""
    started = Command(var, **options).started()
    try:
        yield started
    finally:
        started.leave()


def state(var: Path) -> dict[str, Any]:
    """What the guardian tells its clients."""
    return read_json(Folder(var / "embedded").state)


def servers(var: Path) -> dict[str, int]:
    """The servers' process ids by the names of their settings."""
    return dict(state(var)["pids"])


def everybody(var: Path) -> list[int]:
    """Guardian and servers."""
    return [state(var)["guardian"], *servers(var).values()]


def is_alive(pid: int) -> bool:
    """Is the process there? (One that only waits to be buried is not.)"""
    seen = subprocess.run(  # noqa: S603 - the words are ours
        ["/bin/ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False
    )
    return bool(seen.stdout.strip()) and not seen.stdout.startswith(b"Z")


def are_gone(pids: list[int]) -> bool:
    return not any(is_alive(pid) for pid in pids)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def query(url: str, statement: str) -> list[Any]:
    """Rows of one statement, committed."""
    with psycopg.connect(url, connect_timeout=5) as db:
        cursor = db.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def answers(url: str) -> bool:
    """Does the database at this address answer?"""
    try:
        return query(url, "SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


@contextmanager
def valkey(url: str) -> Iterator[redis.Redis]:
    """A connection to a broker or cache."""
    with redis.Redis.from_url(url) as connection:
        yield connection


def wait_gone(pids: list[int]) -> None:
    wait_until(lambda: are_gone(pids), within=15)
