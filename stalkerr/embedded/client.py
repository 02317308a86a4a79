"""How a command gets servers: it finds them running or has them started, and says when it leaves."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stalkerr.embedded.errors import EmbeddedError
from stalkerr.embedded.folder import (
    EXCLUSIVE,
    SHARED,
    Folder,
    is_locked,
    open_lock,
    read_json,
    try_lock,
)

NAMES = ("DATABASE_URL", "BROKER_URL", "CACHE_URL")
_NOWHERE = {
    "DATABASE_URL": "postgres://nobody@nowhere.invalid/none",
    "BROKER_URL": "redis://nowhere.invalid",
    "CACHE_URL": "redis://nowhere.invalid",
}
ROOT = Path(__file__).resolve().parents[2]  # where `stalkerr` can be imported
START = 600.0  # seconds: a crash recovery may take minutes
STOP = 15.0  # seconds
STEP = 0.05


def _lacks(environ: MutableMapping[str, str], name: str) -> bool:
    return not (environ.get(name) or environ.get(f"{name}_FILE"))


def ensure(
    var: Path, environ: MutableMapping[str, str] = os.environ, *, durable: bool = True
) -> "Servers":
    """Set each of the three URLs that `environ` lacks to an embedded server's.

    Keep the result and release it (or use it with `with`): the servers run for as long as somebody
    does. With `durable` False they do without fsync if this call starts them: for tests. Raises
    EmbeddedError.
    """
    missing = [name for name in NAMES if _lacks(environ, name)]
    servers = Servers(var.resolve(), environ)
    if missing:
        servers.acquire(missing, durable=durable)
    return servers


@contextmanager
def nowhere(environ: MutableMapping[str, str] = os.environ) -> Iterator[None]:
    """Set each of the three URLs that `environ` lacks to one that answers nobody.

    For what reads the settings and asks no server: it needs no folder that can be written, and no
    second in which servers start.
    """
    missing = {name: url for name, url in _NOWHERE.items() if _lacks(environ, name)}
    environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            environ.pop(name, None)


class Servers:
    """One client's hold on the servers of one var folder."""

    def __init__(self, var: Path, environ: MutableMapping[str, str]) -> None:
        self.folder = Folder(var / "embedded")
        self.environ = environ
        self.names: list[str] = []
        self.lock: int | None = None

    def acquire(self, names: list[str], *, durable: bool) -> None:
        """Hold the clients' lock, see that the servers run, and set the URLs."""
        self._lock()
        try:
            state = find_state(self.folder, durable=durable)
        except BaseException:
            self.release()
            raise
        for name in names:
            self.environ[name] = state["urls"][name]
        self.names = names

    def _lock(self) -> None:
        try:
            self.folder.create()
            lock = self.lock = open_lock(self.folder.clients_lock)
        except OSError as error:
            raise EmbeddedError(
                f"{self.folder.path} can't be written ({error.strerror}): "
                "set VAR_DIR to a folder that can."
            ) from error
        # A child made by fork would otherwise hold on after we are gone.
        os.register_at_fork(after_in_child=self._forget)
        # Blocked only while a guardian is on its way out.
        if not wait_until(lambda: try_lock(lock, SHARED), timeout=4 * STOP):
            raise EmbeddedError("The embedded servers take long to stop: try again in a minute.")

    def _forget(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def release(self) -> None:
        """Let go; the last one waits (15 s at most) until the servers are gone."""
        for name in self.names:
            self.environ.pop(name, None)
        self.names = []
        lock = self.lock
        if lock is None:
            return
        # The guardian reads an exclusive lock as "stop now". It and other clients look at the lock
        # for microseconds, so one failure does not mean that somebody is there.
        if wait_until(lambda: try_lock(lock, EXCLUSIVE), timeout=3 * STEP):
            wait_until(lambda: not is_locked(self.folder.guardian_lock), timeout=STOP)
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def find_state(folder: Folder, *, durable: bool) -> dict[str, Any]:
    """The state of running servers; starts a guardian whenever there is none."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if not is_locked(folder.guardian_lock):
            start_guardian(folder, durable=durable)
        state = read_json(folder.state)
        if is_alive(state.get("guardian")) and is_locked(folder.guardian_lock):
            return state
        time.sleep(STEP)
    raise EmbeddedError(f"The embedded servers did not start: see the logs in {folder.path}.")


def start_guardian(folder: Folder, *, durable: bool) -> None:
    """Start one and wait until its servers answer, or until it finds that another was faster."""
    command = [sys.executable, "-m", "stalkerr.embedded", str(folder.path)]
    command += [] if durable else ["--fast"]
    started = subprocess.run(  # noqa: S603 - the words are ours
        command, check=False, cwd=ROOT, capture_output=True, text=True, start_new_session=True
    )
    if started.returncode:
        words = started.stderr.strip().splitlines() or ["it left no message"]
        raise EmbeddedError(words[-1])


def is_alive(pid: int | None) -> bool:
    """A state that a dead guardian left is no state."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until(condition: Callable[[], bool], *, timeout: float) -> bool:
    """Ask again and again, for `timeout` seconds at most; the last answer."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(STEP)
    return True
