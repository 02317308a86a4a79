"""Our own processes (web, worker, beat, Flower): started, watched, started again, and stopped."""

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from stalkerr.lifeline import die_with_parent

ROOT = Path(__file__).resolve().parents[1]
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0  # seconds between starts
SETTLED = 60.0  # seconds after which a start counts as a good one
POLL = 0.1  # seconds
ASK_AGAIN = 3.0  # seconds
COLOURS = (36, 33, 35, 32, 34, 31)


def read_procfile(path: Path = ROOT / "Procfile") -> dict[str, list[str]]:
    """The commands of a Procfile by name, each as a shell line that gives way to its program."""
    lines = re.findall(r"^([A-Za-z0-9_-]+):\s*(.+)$", path.read_text(), re.MULTILINE)
    return {name: ["/bin/sh", "-c", f"exec {command}"] for name, command in lines}


def environment(**extra: str) -> dict[str, str]:
    """This process's environment, with its Python's programs found first."""
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **extra}


class Supervisor:
    """Runs commands side by side until it is stopped; whichever ends is started again.

    Each heads a process group of its own and dies when this process does. What they print goes
    line by line to `output` with their names before it, or to `<logs>/<name>.log`. `delay` is the
    wait before a restart in seconds; it doubles up to 30. Raises FileNotFoundError.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        env: Mapping[str, str],
        logs: Path | None = None,
        output: IO[str] = sys.stdout,
        delay: float = FIRST_DELAY,
    ) -> None:
        for command in commands.values():
            if not shutil.which(command[0], path=env.get("PATH")):
                raise FileNotFoundError(f"There is no program {command[0]}.")
        prefixes = make_prefixes(commands, coloured=output.isatty())
        self._children = [
            Child(name, command, env=env, output=logs or Lines(output, prefixes[name]), delay=delay)
            for name, command in commands.items()
        ]
        self._patience = 0.0
        self._started = threading.Event()
        self._stopping = threading.Event()
        # The kernel ends children with the *thread* that started them: this one lasts.
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all; returns when each has a process."""
        self._thread.start()
        self._started.wait()

    def stop(self, *, patience: float = 20.0) -> None:
        """End all: politely, and after `patience` seconds by force. Nothing is left of them."""
        self._patience = patience
        self._stopping.set()
        self._thread.join()

    def pids(self) -> dict[str, int]:
        """The processes that run now, by name."""
        return {child.name: child.process.pid for child in self._children if child.is_running()}

    def starts(self) -> dict[str, int]:
        """How often each was started."""
        return {child.name: child.starts for child in self._children}

    def _run(self) -> None:
        with selectors.DefaultSelector() as pipes:
            for child in self._children:
                child.start(pipes)
            self._started.set()
            while not self._stopping.is_set():
                pass_on(pipes, POLL)
                for child in self._children:
                    child.keep(pipes, time.monotonic())
            self._end_all(pipes)

    def _end_all(self, pipes: selectors.BaseSelector) -> None:
        now = time.monotonic()
        ask_at, deadline = now, now + self._patience
        while any(child.is_running() for child in self._children) and now <= deadline:
            if now >= ask_at:  # again after a while: a program may miss it while it loads
                ask_at = now + ASK_AGAIN
                for child in self._children:
                    child.ask_to_end()
            pass_on(pipes, POLL)
            now = time.monotonic()
        for child in self._children:
            child.end_group()
        while pass_on(pipes, POLL):
            pass

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class Lines:
    """Puts a prefix before each line, whatever pieces the lines come in."""

    def __init__(self, output: IO[str], prefix: str) -> None:
        self.output = output
        self.prefix = prefix
        self.rest = b""

    def write(self, piece: bytes) -> None:
        """Pass on the lines that are whole; an empty piece means that no more will come."""
        *lines, self.rest = (self.rest + piece).split(b"\n")
        if not piece and self.rest:
            lines, self.rest = [self.rest], b""
        for line in lines:
            self.output.write(f"{self.prefix}{line.decode(errors='replace')}\n")
        self.output.flush()


class Child:
    """One command and the process it has now."""

    process: subprocess.Popen[bytes]

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        output: Path | Lines,
        delay: float,
    ) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.output = output
        self.first_delay = self.delay = delay
        self.starts = 0
        self.started_at = 0.0
        self.retry_at: float | None = None
        if isinstance(output, Path):
            output.mkdir(parents=True, exist_ok=True)
            (output / f"{name}.log").write_bytes(b"")

    def start(self, pipes: selectors.BaseSelector) -> None:
        """Give the command a process; its output comes through `pipes` or goes to its log."""
        if isinstance(self.output, Path):
            with (self.output / f"{self.name}.log").open("ab") as log:
                self._spawn(log)
        else:
            reader, writer = os.pipe()
            with os.fdopen(writer, "wb") as pipe:
                self._spawn(pipe)
            pipes.register(reader, selectors.EVENT_READ, self.output)
        self.starts += 1
        self.started_at = time.monotonic()
        self.retry_at = None

    def _spawn(self, output: IO[bytes]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - the words are ours
            list(self.command),
            cwd=ROOT,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    def is_running(self) -> bool:
        return self.process.poll() is None

    def keep(self, pipes: selectors.BaseSelector, now: float) -> None:
        """Start the command again when it has ended, later each time."""
        if self.is_running():
            return
        if self.retry_at is None:
            self.end_group()
            settled = now - self.started_at > SETTLED
            self.delay = self.first_delay if settled else self.delay
            self.retry_at = now + self.delay
            self.delay = min(self.delay * 2, LONGEST_DELAY)
        if now >= self.retry_at:
            self.start(pipes)

    def ask_to_end(self) -> None:
        # Its head only: a worker finishes its children's tasks itself.
        if self.is_running():
            self.process.terminate()

    def end_group(self) -> None:
        """By force: it and whatever it left behind in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def make_prefixes(names: Mapping[str, object], *, coloured: bool) -> dict[str, str]:
    """`name | ` for each, equally wide, each in a colour of its own on a terminal."""
    width = max(len(name) for name in names)
    plain = {name: f"{name:<{width}} | " for name in names}
    if not coloured:
        return plain
    return {
        name: f"\x1b[{COLOURS[number % len(COLOURS)]}m{prefix}\x1b[0m"
        for number, (name, prefix) in enumerate(plain.items())
    }


def pass_on(pipes: selectors.BaseSelector, timeout: float) -> bool:
    """Pass on what was printed within `timeout` seconds; whether there was anything."""
    ready = pipes.select(timeout)
    for key, _ in ready:
        piece = os.read(key.fd, 65536)
        key.data.write(piece)
        if not piece:
            pipes.unregister(key.fd)
            os.close(key.fd)
    return bool(ready)
