"""Brings everything up on one machine: schemas, an administrator, and the Procfile's processes."""

import os
import secrets
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from accounts.models import User
from stalkerr.env import kept_secret
from stalkerr.processes import Supervisor, environment, read_procfile

ADMIN_EMAIL = "admin@stalkerr.local"
ROOM = 32 * 2**20  # bytes; PostgreSQL gives up where its next 16 MB have no place


class LaunchError(Exception):
    """Says in one sentence why the product can't be brought up, and what to do."""


def prepare() -> str:
    """Bring the schemas up to date, collect static files; returns the administrator's password."""
    call_command("upgrade", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    password = kept_secret(
        settings.VAR_DIR / "secrets", "admin_password", secrets.token_urlsafe(12).encode()
    )
    if not User.objects.filter(email=ADMIN_EMAIL).exists():
        User.objects.create_superuser(ADMIN_EMAIL, password)
    return password


@contextmanager
def naming_a_full_disk() -> Iterator[None]:
    """Whatever fails within while the disk is full raises LaunchError: the disk is the reason."""
    try:
        yield
    except Exception as error:
        folder = settings.VAR_DIR
        # The servers' data may be a link to another disk.
        places = [place for place in (folder, folder / "embedded" / "data") if place.exists()]
        if all(shutil.disk_usage(place).free > ROOM for place in places):
            raise
        raise LaunchError(
            f"The disk is full: make room for {folder}, or choose another folder with VAR_DIR."
        ) from error


def check_port(host: str, port: str, name: str, setting: str) -> None:
    """Raise LaunchError where this is no port, or somebody else holds it."""
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise LaunchError(f"{name} can't listen at {host}:{port}: correct {setting}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise LaunchError(
                f"{name} can't have port {port} of {host} ({error.strerror}): free it, or choose "
                f"another with {setting}."
            ) from error


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def supervisor(*, logs: Path | None = None, **extra: str) -> Supervisor:
    """The Procfile's processes, ready to start; `extra` goes into their environment."""
    return Supervisor(read_procfile(), env=environment(**extra), logs=logs)


def web_url(environ: Mapping[str, str] = os.environ) -> str:
    """Where the web process answers; one that listens on every address answers here too."""
    host = environ.get("HOST") or "127.0.0.1"
    host = "127.0.0.1" if host in ("0.0.0.0", "::", "[::]") else host  # noqa: S104 (compared)
    return f"http://{host}:{environ.get('PORT') or '8000'}"


def wait_for(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether `condition` came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.5)
    return False


def is_healthy(url: str) -> bool:
    """Whether the running product says of itself that all is well."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=3) as answer:  # noqa: S310 (our own)
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
