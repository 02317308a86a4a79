"""Brings the product up as a newcomer does, waits until it is well, and stops it by Ctrl-C.

It runs in a folder of its own against the emulated store. What is checked is that it gets healthy,
that it ends soon, and that no process of it is left. Linux only: it reads /proc.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEALTHY_WITHIN, STOPPED_WITHIN, GONE_WITHIN = 120.0, 30.0, 3.0  # seconds
# Whatever the environment says of these belongs to another run.
NOT_OURS = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "BUCKETS_URL", "DJANGO_SETTINGS_MODULE")
SERVERS = {"postgres", "valkey-server"}


class CheckError(Exception):
    """What is wrong, in a sentence."""


def main() -> int:
    """Say in one line how it went; the exit status."""
    with bare_folder() as folder, emulated_store() as store_url:
        log = folder / "up.log"
        try:
            sys.stdout.write(f"make up: {check(folder / 'var', store_url, log)}\n")
        except CheckError as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            sys.stderr.write(f"{tail}\n\nmake up: {error}\n")
            return 1
    return 0


def check(var: Path, store_url: str, log: Path) -> str:
    """Bring it up and down; how long each took. Raises CheckError."""
    port, flower_port = free_port(), free_port()
    settings = {
        "VAR_DIR": str(var),
        "STORE_URL": store_url,
        "PORT": str(port),
        "FLOWER_ADDRESS": f"127.0.0.1:{flower_port}",
    }
    with started(["make", "up"], log, settings, var) as make:
        up_s = seconds_until(lambda: is_healthy(port) or has_ended(make), HEALTHY_WITHIN)
        if up_s is None or has_ended(make):
            raise CheckError(f"it was not healthy within {HEALTHY_WITHIN:.0f} s.")
        if not set(processes_of(var).values()) >= SERVERS:
            raise CheckError(f"the check is blind: it sees only {processes_of(var)}.")
        os.killpg(make.pid, signal.SIGINT)  # what a terminal does
        down_s = seconds_until(lambda: has_ended(make), STOPPED_WITHIN)
        if down_s is None:
            raise CheckError(f"Ctrl-C did not end it within {STOPPED_WITHIN:.0f} s.")
        if seconds_until(lambda: not processes_of(var), GONE_WITHIN) is None:
            raise CheckError(f"it left {processes_of(var)} behind.")
    if "Traceback" in log.read_text(errors="replace"):
        raise CheckError("it printed a traceback.")
    return f"healthy after {up_s:.1f} s, stopped after {down_s:.1f} s, nothing left"


@contextmanager
def started(
    command: list[str], log: Path, settings: dict[str, str], var: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """The command at the head of a process group, as a shell starts it at a terminal."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (the words are ours)
            command,
            cwd=ROOT,
            env={**env, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Whoever was started in the background ignores Ctrl-C, and would pass that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        yield process
    finally:
        for pid in processes_of(var):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def has_ended(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is not None


def processes_of(var: Path) -> dict[int, str]:
    """The processes that have to do with the folder, by their environment, words or place."""
    data = (var / "embedded" / "data").resolve()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            place = (entry / "cwd").readlink()
            if str(var).encode() in words or place.is_relative_to(data):
                found[int(entry.name)] = (entry / "comm").read_text().strip()
    return found


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def seconds_until(holds: Callable[[], bool], within: float) -> float | None:
    """How long it took; None where it did not come true in time."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > within:
            return None
        time.sleep(0.1)
    return time.monotonic() - start


@contextmanager
def bare_folder() -> Iterator[Path]:
    """An empty folder, gone afterwards with all that was put there for it."""
    folder = Path(tempfile.mkdtemp(prefix="stalkerr-up-"))
    folder.chmod(0o711)  # the servers run as another user where we are root
    try:
        yield folder
    finally:
        # Elsewhere if that user can't come here.
        shutil.rmtree((folder / "var" / "embedded" / "data").resolve(), ignore_errors=True)
        shutil.rmtree(folder)


@contextmanager
def emulated_store() -> Iterator[str]:
    """The address of a small store."""
    command = [sys.executable, "-m", "scraping.emulator", "--port", "0", "--marketplaces", "us"]
    with subprocess.Popen(  # noqa: S603 (the words are ours)
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as store:
        try:
            words = store.stdout.readline().split() if store.stdout else []
            yield next(word for word in words if word.startswith("http://"))
        finally:
            store.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
