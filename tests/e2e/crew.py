"""Real worker processes over the test database, and a random hand that kills them."""

import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stalkerr.processes import Supervisor, environment
from workers.ledger.engine import url


def celery(*arguments: str) -> list[str]:
    """A Celery command of this checkout."""
    quiet = ["-W", "ignore::UserWarning", "-m", "celery", "--quiet"]
    return [sys.executable, *quiet, "-A", "stalkerr.celery:app", *arguments]


@contextmanager
def crew(logs: Path, *, workers: int, **settings: str) -> Iterator[Supervisor]:
    """Beat and `workers` worker processes (two children each) over the test's own database.

    Whichever ends is started again at once. `settings` go into their environment.
    """
    commands = {"beat": celery("beat", "--scheduler", "celery.beat:Scheduler")}
    for number in range(workers):
        queues = ["-Q", "tick,tell,scrape", "--concurrency=2", "-n", f"worker{number}@test"]
        commands[f"worker{number}"] = celery(
            "worker", *queues, "--without-gossip", "--without-mingle"
        )
    fast = {
        "DJANGO_SETTINGS_MODULE": "stalkerr.settings.test",
        "DATABASE_URL": database_url(),
        "TICK_INTERVAL": "1",
        "SWEEP_INTERVAL": "1",
        "LOG_LEVEL": "INFO",
    }
    supervisor = Supervisor(commands, env=environment(**fast | settings), logs=logs, delay=0.1)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop(patience=5)


def database_url() -> str:
    """Where this test's database is, for other processes."""
    return url().set(drivername="postgres").render_as_string(hide_password=False)


def kill_one_worker(supervisor: Supervisor, chance: random.Random) -> str:
    """SIGKILL a random worker with its children, as the kernel would; returns its name."""
    workers = {name: pid for name, pid in supervisor.pids().items() if name != "beat"}
    name = chance.choice(sorted(workers))
    os.killpg(workers[name], signal.SIGKILL)
    return name
