"""The web server as it runs in earnest: granian, on a free port, over this run's test database."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from django.db import connection

from stalkerr.lifeline import die_with_parent
from stalkerr.processes import ROOT
from tests.sinks import wait_until

OURS = "stalkerr.asgi:application"


@contextmanager
def served(
    application: str = OURS, *, interface: str = "asgi", workers: int = 1, **environment: str
) -> Iterator[tuple[str, int]]:
    """An ASGI application's address and process; its environment is ours and what is given."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", interface]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--no-ws",
        application,
    ]
    process = subprocess.Popen(  # noqa: S603 (ours)
        command,
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url()} | environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGTERM),
    )
    try:
        wait_until(lambda: _is_open(port), within=60)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def database_url() -> str:
    """Of the database that this process works in."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path=f"/{quote(str(connection.settings_dict['NAME']))}").geturl()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
