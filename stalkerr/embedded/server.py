"""One server process: started, found ready, started again when it dies, stopped."""

import logging
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from stalkerr.embedded.account import Account
from stalkerr.embedded.errors import EmbeddedError
from stalkerr.lifeline import die_with_parent

logger = logging.getLogger(__name__)

# Below every system's range for outgoing connections: inside it, a client that keeps trying to
# reach a dead server can connect to itself and so take the server's port.
PORTS = range(15_000, 30_000)
LOG_LIMIT = 10_000_000  # bytes
RECOVERY = 600.0  # seconds that a crash recovery may take
SETTLED = 30.0  # seconds after which a start counts as a good one
FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0  # seconds between starts
STEP = 0.05
MARKS = ("ERROR:", "FATAL:", "PANIC:", "error:", "# ")  # before what went wrong, in logs
FULL = ("No space left on device", "Check free disk space")


class Server(ABC):
    """What is the same for every server. Subclasses say the command and what ready means."""

    name: str
    stop_signals: tuple[signal.Signals, ...]  # one after the other, the last is SIGKILL
    # Words in the log of a start that can't succeed now but will soon.
    passing_troubles: tuple[str, ...] = ()

    def __init__(self, *, account: Account, log: Path, port: int | None, password: str) -> None:
        self.account = account
        self.log = log
        self.port = port if port and is_free(port) else free_port()
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.log_start = 0
        self.retry_at: float | None = None
        self.delay = FIRST_DELAY

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    @abstractmethod
    def url(self) -> str: ...

    def configuration(self) -> bytes | None:
        """What the server reads from its standard input."""
        return None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; its output is added to the log."""
        configuration = self.configuration()
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(  # noqa: S603 - the words are ours
                self.command(),
                stdin=subprocess.PIPE if configuration else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signals[0]),
                **self.account.spawn_options(),
            )
        self.started_at = time.monotonic()
        self.retry_at = None
        if configuration and self.process.stdin:
            try:
                self.process.stdin.write(configuration)
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # it died already; its log says why

    def wait_ready(self, *, give_up: Callable[[], bool]) -> None:
        """Wait for the first start to succeed, with patience for crash recovery.

        Raises EmbeddedError with the server's last words where it can't.
        """
        deadline = time.monotonic() + RECOVERY
        while not (self.is_running() and self.is_ready()):
            if give_up():
                raise EmbeddedError(f"Everybody left before {self.name} answered.")
            if not self.is_running():
                self._start_over()
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} did not answer for {RECOVERY:.0f} s: see {self.log}."
                )
            time.sleep(STEP)

    def _start_over(self) -> None:
        said = self._said()
        if "Address already in use" in said:  # somebody took the port since we looked
            self.port = free_port()
        elif not any(trouble in said for trouble in self.passing_troubles):
            raise EmbeddedError(f"{self.name} did not start: {last_words(said)}")
        time.sleep(FIRST_DELAY)
        self.start()

    def keep(self, now: float) -> bool:
        """Start again what has died, later each time; whether there is a new process."""
        if self.is_running():
            return False
        if self.retry_at is None:
            lived = now - self.started_at
            self.delay = FIRST_DELAY if lived > SETTLED else min(self.delay * 2, LONGEST_DELAY)
            self.retry_at = now + self.delay
            logger.warning("%s died: %s", self.name, last_words(self._said()))
        if now < self.retry_at:
            return False
        try:
            self.start()
        except OSError as error:  # its program is being replaced, say
            logger.warning("%s could not be started again: %s", self.name, error)
            self.retry_at = now + LONGEST_DELAY
            return False
        logger.warning("%s started again, pid %s", self.name, self.pid)
        return True

    def _said(self) -> str:
        """What the log holds from the last start on."""
        return self.log.read_bytes()[self.log_start :].decode(errors="replace")

    def trim_log(self) -> None:
        """Writers append, so the file may be emptied under them."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.write_bytes(b"")

    def ask_to_stop(self) -> None:
        """Say that it is time to go, without waiting."""
        if self.process is not None and self.is_running():
            self.process.send_signal(self.stop_signals[0])

    def wait_stopped(self, *, patience: float) -> None:
        """Wait until it is gone; `patience` in seconds before each rougher signal."""
        if self.process is None:
            return
        for rougher in self.stop_signals[1:]:
            try:
                self.process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                self.process.send_signal(rougher)
        self.process.wait()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on, drawn at random so that two starts rarely meet."""
    for port in random.sample(PORTS, 200):
        if is_free(port):
            return port
    raise EmbeddedError("No free port between 15000 and 30000 on 127.0.0.1: stop some programs.")


def last_words(said: str) -> str:
    """The last line that says what went wrong, without time and process id."""
    # What follows from a full disk hides it.
    if any(sign in said for sign in FULL):
        return "the disk is full"
    lines = said.splitlines()
    told = [line.split(mark, 1)[1] for line in lines for mark in MARKS if mark in line]
    return (told or lines or ["it left no message"])[-1].strip()
