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


def stop_orphans(folder: Folder) -> None:
    """End what an earlier guardian started and left. Call it holding the guardian's lock."""
    left = find_orphans(folder)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    while any(command_of(pid) == command for pid, command in left.items()):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"Servers of an earlier run do not stop: end processes {set(left)}."
            )
        time.sleep(0.05)


def find_orphans(folder: Folder) -> dict[int, str]:
    """Process ids and command lines of our servers; numbers that others have now are left out.

    A command line shows whose server it is: PostgreSQL's has the data folder in it, Valkey's the
    port.
    """
    data = folder.data.resolve() / "postgres"
    pids = read_json(folder.state).get("pids", {})
    ports = read_json(folder.keys).get("ports", {})
    candidates = {
        pids.get(name): f"valkey-server 127.0.0.1:{ports.get(name)}"
        for name in ("BROKER_URL", "CACHE_URL")
    }
    candidates[postmaster(data)] = f"postgres -D {data} "
    found = {pid: command_of(pid) for pid in candidates if pid}
    ours = {pid: command for pid, command in found.items() if candidates[pid] in command}
    if postmaster(data) not in ours:
        # Its number may belong to another program by now, and then PostgreSQL would not start.
        (data / "postmaster.pid").unlink(missing_ok=True)
    return ours


def postmaster(data: Path) -> int | None:
    """The process that this data folder says it belongs to."""
    try:
        return int((data / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def command_of(pid: int) -> str:
    """The command line of a process; empty for one that is gone."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    found = subprocess.run(  # noqa: S603 - the words are ours
        ["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], check=False, capture_output=True
    )
    return found.stdout.decode()
