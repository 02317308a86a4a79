"""Servers that outlived their guardian: where the kernel does not end them, the next one does."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from stalkerr.embedded.errors import EmbeddedError
from stalkerr.embedded.folder import Folder, read_json

PATIENCE = 60.0  # seconds; a fast shutdown writes a checkpoint
PROGRAMS = ("postgres", "valkey-server")


def stop_orphans(folder: Folder) -> None:
    """End what the last guardian started and left. Call it holding the guardian's lock."""
    pids = [pid for pid in read_json(folder.state).get("pids", {}).values() if pid]
    pids += postmaster(folder.data / "postgres")
    ours = [pid for pid in pids if is_server(pid)]
    for pid in ours:
        send(pid, signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    while any(is_server(pid) for pid in ours):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Servers of an earlier run do not stop: end processes {ours}.")
        time.sleep(0.05)


def postmaster(data: Path) -> list[int]:
    """The process that this data folder says it belongs to, at most one.

    A number that some other program has now would keep PostgreSQL from starting: then the file
    is a leftover (nobody else starts servers here) and goes.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return []
    if not is_server(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)
        return []
    return [pid]


def is_server(pid: int) -> bool:
    """Is this a living process of one of the servers' programs?"""
    return Path(program_of(pid)).name in PROGRAMS


def program_of(pid: int) -> str:
    """The first word of its command line; empty for one that is gone."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        except OSError:
            return ""
    command = ["/bin/ps", "-o", "comm=", "-p", str(pid)]
    found = subprocess.run(  # noqa: S603 - the words are ours
        command, check=False, capture_output=True, text=True
    )
    return found.stdout.strip()


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
