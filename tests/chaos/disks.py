"""Disks that are full: PostgreSQL's, and the broker's."""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chaos.own_servers import begin, leave, own_broker, own_postgres
from tests.chaos.stage import chosen, stage

ANSWERED = 3.0
SIZE = "192m"  # a cluster of ours takes about half of it
PIECE = 2**16


def full_disk(
    *, messages: int = 50, seconds: float = 30, faults: Sequence[str] = ()
) -> dict[str, Any]:
    """Row 18: no room for PostgreSQL's or the broker's data for so long, then there is some again.

    Proves the guard api/away.py (a full disk was a 500) and that hints are not needed: a broker that
    takes none refuses nothing to those who write. Workers end while they can't acknowledge; whoever
    watches over them starts them again.
    """
    with _disk() as disk, _disk() as other:
        if disk is None or other is None:
            return {"drill": "full_disk", "skipped": "no tmpfs can be mounted", "held": True}
        with own_broker(other) as broker, own_postgres(disk, max_wal_size="32MB") as server:

            def postgres(seconds: float) -> None:
                with _filled(disk):
                    time.sleep(seconds)
                leave()
                if not server.is_running():  # it gives up where it can't write its log
                    begin(server)

            def of_broker(seconds: float) -> None:
                with _filled(other):
                    time.sleep(seconds)

            settings: dict[str, Any] = {"DATABASE_URL": server.url(), "BROKER_URL": broker.url()}
            with stage(messages, **settings) as at_work:
                ways = {"postgres": postgres, "broker": of_broker}
                for name, fault in chosen(ways, faults):
                    at_work.suffer(name, fault, seconds)
            figures = at_work.figures("full_disk", answered=ANSWERED, may_refuse=True, may_end=True)
    return figures | {"held": figures["held"] and figures["refused"] > 0}


@contextmanager
def _disk() -> Iterator[Path | None]:
    """A disk of its own size; None where none can be had."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "drill", folder]
        if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603 (ours)
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607 (ours)


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """Not a byte is left on it."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * PIECE):
                pass
    except OSError:
        pass
    try:
        yield
    finally:
        ballast.unlink()
