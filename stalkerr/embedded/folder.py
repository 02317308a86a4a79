"""`<var>/embedded`: locks, keys and state of one set of servers, and the data itself."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX


@dataclass(frozen=True)
class Folder:
    """The paths under one var folder.

    `clients_lock` is held shared by everybody who uses the servers, `guardian_lock` exclusively by
    the one process that runs them.
    """

    path: Path

    @property
    def clients_lock(self) -> Path:
        return self.path / "clients.lock"

    @property
    def guardian_lock(self) -> Path:
        return self.path / "guardian.lock"

    @property
    def state(self) -> Path:
        """Who guards, urls and pids: there while all servers answer."""
        return self.path / "state.json"

    @property
    def keys(self) -> Path:
        """Password and ports: kept, so that clients find a server again where it was."""
        return self.path / "keys.json"

    @property
    def data(self) -> Path:
        """The servers' own folder, or a link to it where their user can't reach this one."""
        return self.path / "data"

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def create(self) -> None:
        """Make the folder: passable for the servers' user, readable for its owner alone."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self.path.stat().st_uid == os.geteuid():
            self.path.chmod(0o711)


def open_lock(path: Path) -> int:
    """A file descriptor to lock; children never inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, kind: int) -> bool:
    """Lock at once or not at all. A lock held before may be lost by a failure."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Give the lock back, keep the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_locked(path: Path) -> bool:
    """Does a living process hold this lock exclusively?"""
    return not could_lock(path, SHARED)


def is_left(path: Path) -> bool:
    """Does nobody hold this lock in any way?"""
    return could_lock(path, EXCLUSIVE)


def could_lock(path: Path, kind: int) -> bool:
    """Lock and give back at once."""
    descriptor = open_lock(path)
    try:
        return try_lock(descriptor, kind)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """What the file says; nothing where it is missing or torn."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step; only its owner may read it."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, indent=1))
    draft.replace(path)
