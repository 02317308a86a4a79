"""Servers of a drill's own, which it may stop, kill and fill."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from stalkerr.embedded.account import Account, find_account
from stalkerr.embedded.binaries import find_binaries, wheel_binaries
from stalkerr.embedded.postgres import NAME, Postgres
from stalkerr.embedded.server import Server
from stalkerr.embedded.valkey import BROKER, Valkey
from tests.e2e.crew import database_url
from workers.ledger import engine


@contextmanager
def own_broker(place: Path | None = None) -> Iterator[Valkey]:
    """A broker, empty; its data lies in `place`, by default in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(
            name="broker",
            program=wheel_binaries().valkey,
            data=(place or Path(folder)) / "data",
            settings=BROKER,
            account=Account(),
            log=Path(folder) / "log",
            port=None,
            password="drill",
        )
        with _running(server):
            yield server


def begin(server: Server) -> None:
    """Start it, also anew; returns when it answers."""
    server.prepare()  # type: ignore[attr-defined]  # both kinds have it
    server.start()
    server.wait_ready(give_up=lambda: False)


def kill(server: Server) -> None:
    """SIGKILL its head; PostgreSQL's other processes go by themselves."""
    assert server.process
    server.process.kill()
    server.process.wait()


@contextmanager
def _running(server: Server) -> Iterator[None]:
    begin(server)
    try:
        yield
    finally:
        server.ask_to_stop()
        server.wait_stopped(patience=5)


class OwnPostgres(Postgres):
    """With settings of its own on top; keeps what it acknowledged through any crash."""

    settings: dict[str, str] = {}

    def command(self) -> list[str]:
        return [*super().command(), *(f"--{name}={value}" for name, value in self.settings.items())]


@contextmanager
def own_postgres(folder: Path | None = None, **settings: str) -> Iterator[OwnPostgres]:
    """A durable PostgreSQL that holds a copy of the test database, which this process works in, too.

    Its data lies in `folder`, by default in one that goes with it.
    """
    with tempfile.TemporaryDirectory() as place:
        account = find_account(Path(place) / "data")
        data = folder or Path(place)
        for each in {data, Path(place)}:
            account.own(each)
        server = OwnPostgres(
            binaries=find_binaries(account).postgres,
            data=data / "data",
            durable=True,
            account=account,
            log=Path(place) / "log",
            port=None,
            password="drill",
        )
        server.settings = settings
        with _running(server):
            _copy(server)
            with _working_in(server):
                yield server


def _copy(server: OwnPostgres) -> None:
    """The test database's schema and rows, as they are now."""
    dumped = subprocess.run(  # noqa: S603 (the words are ours)
        [server.binaries / "pg_dump", "--no-owner", database_url()],
        check=True,
        stdout=subprocess.PIPE,
    )
    subprocess.run(  # noqa: S603 (the words are ours)
        [server.binaries / "psql", "--quiet", "--set=ON_ERROR_STOP=1", server.url()],
        check=True,
        input=dumped.stdout,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _working_in(server: OwnPostgres) -> Iterator[None]:
    here = {"HOST": "127.0.0.1", "PORT": str(server.port), "USER": NAME, "NAME": NAME}
    before = _change_to(here | {"PASSWORD": server.password})
    try:
        yield
    finally:
        _change_to(before)


def _change_to(place: dict[str, str]) -> dict[str, str]:
    """Where this process's questions go from now on; where they went before."""
    before = {name: connection.settings_dict[name] for name in place}
    leave()
    connection.settings_dict.update(place)
    return before


def leave() -> None:
    """Close whatever this process has open: the next question opens it anew."""
    engine.engine().dispose()
    engine._engine.cache_clear()
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL only
