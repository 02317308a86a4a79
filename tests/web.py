"""The web server as it is run, over this run's test database, for those who ask from outside."""

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from stalkerr.embedded.server import free_port
from stalkerr.lifeline import die_with_parent
from stalkerr.processes import ROOT, environment
from tests.e2e.crew import database_url
from tests.sinks import wait_until

OURS = "stalkerr.asgi:application"


@contextmanager
def web(log: Path, **settings: Any) -> Iterator[str]:
    """A web server of its own; its address. What it says goes to `log`."""
    with served(log=log, **settings) as (url, _):
        wait_until(lambda: _answers(f"{url}/api/upcoming"), within=60)
        yield url


@contextmanager
def served(
    application: str = OURS,
    *,
    interface: str = "asgi",
    workers: int = 1,
    log: Path | None = None,
    **settings: str,
) -> Iterator[tuple[str, int]]:
    """An ASGI application's address and process; `settings` go into its environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "granian", "--interface", interface, "--no-ws"]
    command += ["--workers", str(workers), "--host", "127.0.0.1", "--port", str(port), application]
    fixed = {
        "DJANGO_SETTINGS_MODULE": "stalkerr.settings.test",
        "DATABASE_URL": database_url(),
        "BROKER_TIMEOUT": "0.5",
        "PUBLIC_URL": url,
    }
    env = environment(**fixed | settings)
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(  # noqa: S603 (the words are ours)
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output if log else None,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        try:
            wait_until(lambda: process.poll() is not None or _is_open(port), within=60)
            assert process.poll() is None, log.read_text() if log else "It ended."
            yield url, process.pid
        finally:
            _end(process)


def errors_in(log: Path) -> list[str]:
    """The lines by which Django says that something broke; what it refuses has tracebacks, too."""
    return [line for line in log.read_text().splitlines() if "Internal Server Error" in line]


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 (ours)
            return True
    except OSError:
        return False
