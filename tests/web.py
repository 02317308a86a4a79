"""The web server as it is run, over the test's database, for those who ask from outside."""

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stalkerr.lifeline import die_with_parent
from stalkerr.processes import ROOT, environment
from tests.e2e.crew import database_url
from tests.sinks import wait_until

COMMAND = (sys.executable, "-m", "granian", "--interface", "asginl", "--workers", "1", "--no-ws")


@contextmanager
def web(log: Path, **settings: str) -> Iterator[str]:
    """A granian of its own; its address. What it says goes to `log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = environment(
        DJANGO_SETTINGS_MODULE="stalkerr.settings.test",
        DATABASE_URL=database_url(),
        BROKER_TIMEOUT="0.5",
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        **settings,
    )
    command = [*COMMAND, "--host", "127.0.0.1", "--port", port, "stalkerr.asgi:application"]
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - the words are ours
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: process.poll() is not None or _answers(url), within=60)
            assert process.poll() is None, log.read_text()
            yield url
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def errors_in(log: Path) -> list[str]:
    """The lines by which Django says that something broke; what it refuses has tracebacks, too."""
    return [line for line in log.read_text().splitlines() if "Internal Server Error" in line]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/upcoming", timeout=5):  # noqa: S310 (ours)
            return True
    except OSError:
        return False
