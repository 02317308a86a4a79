"""Real worker processes over the test database, and a hand that kills them."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stalkerr.celeryconfig import QUEUES
from stalkerr.processes import Supervisor, environment
from workers.ledger.engine import url


class Crew(Supervisor):
    """Worker processes; each says its name at every door: `User-Agent: worker0`."""

    def kill(self, name: str) -> None:
        """SIGKILL a worker with its children, as the kernel would; it starts again at once."""
        (child,) = (each for each in self._children if each.name == name)
        child.delay = child.first_delay  # it did nothing to be mistrusted for
        os.killpg(child.process.pid, signal.SIGKILL)

    def dismiss(self, name: str) -> None:
        """SIGKILL a process that nobody starts again."""
        (child,) = (each for each in self._children if each.name == name)
        self._children = [each for each in self._children if each is not child]
        child.end_group()


def celery(*arguments: str) -> list[str]:
    """A Celery command of this checkout."""
    quiet = ["-W", "ignore::UserWarning", "-m", "celery", "--quiet"]
    return [sys.executable, *quiet, "-A", "stalkerr.celery:app", *arguments]


@contextmanager
def crew(
    logs: Path,
    *,
    workers: int,
    children: int = 2,
    environments: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    **settings: Any,
) -> Iterator[Crew]:
    """Beat and `workers` worker processes, with so many children each, over the test's database.

    Whichever ends is started again at once. `settings` go into their environment, those of
    `environments` into that of the worker they name.
    """
    commands = commands_of(beats=1, workers=workers, children=children, environments=environments)
    with running(commands, logs, **settings) as processes:
        yield processes


def commands_of(
    *,
    beats: int,
    workers: int,
    children: int,
    environments: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, list[str]]:
    """A crew's commands by name: beat, beat1 …, worker0, worker1 …"""
    names = ["beat", *(f"beat{number}" for number in range(1, beats))]
    commands = {name: celery("beat", "--scheduler", "celery.beat:Scheduler") for name in names}
    for number in range(workers):
        name = f"worker{number}"
        commands[name] = worker(name, children, **environments.get(name, {}))
    return commands


@contextmanager
def running(commands: dict[str, list[str]], logs: Path, **settings: Any) -> Iterator[Crew]:
    """As `crew`, for any commands."""
    fast = {
        "DJANGO_SETTINGS_MODULE": "stalkerr.settings.test",
        "DATABASE_URL": database_url(),
        "TICK_INTERVAL": "1",
        "SWEEP_INTERVAL": "1",
        "LOG_LEVEL": "INFO",
    }
    processes = Crew(commands, env=environment(**fast | settings), logs=logs, delay=0.1)
    processes.start()
    try:
        yield processes
    finally:
        processes.stop(patience=5)


def worker(name: str, children: int, **environment: str) -> list[str]:
    """The command of a worker for all queues that goes by that name."""
    queues = [
        "-Q",
        ",".join(QUEUES),
        f"--concurrency={children}",
        "-n",
        f"{name}@test",
    ]
    command = celery("worker", *queues, "--without-gossip", "--without-mingle")
    own = {"USER_AGENT": name} | environment
    return ["env", *(f"{key}={value}" for key, value in own.items()), *command]


def database_url() -> str:
    """Where this test's database is, for other processes."""
    return url().set(drivername="postgres").render_as_string(hide_password=False)
