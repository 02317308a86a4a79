"""A backup takes the place of the database, once a scratch database has shown that it is good."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connections

from workers.backups import database, storage, trial
from workers.backups.database import Place, RefusedError
from workers.backups.manifest import NAME, Manifest, is_name
from workers.backups.pausing import paused
from workers.backups.scratch import desk
from workers.backups.storage import Shelf
from workers.ledger.engine import engine

USE = "restore"  # of scratch databases

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """One backup, where it lies."""

    shelf: Shelf
    manifest: Manifest


def find(text: str, *, unsealed: bool = False) -> Source:
    """The backup that somebody means: its name, "latest", its folder, or a file in that.

    Raises RefusedError where there is none.
    """
    if text == "latest":
        names = storage.shelf().names()
        if not names:
            raise RefusedError("There is no backup yet: make one with manage.py backup.")
        text = names[-1]
    path = Path(text)
    if not path.exists():
        return _named(storage.shelf(), text, unsealed)
    folder = Path(os.path.abspath(path if path.is_dir() else path.parent))  # noqa: PTH100 (a symlink stays one)
    return _named(storage.shelf_of(folder), folder.name, unsealed)


def _named(shelf: Shelf, name: str, unsealed: bool) -> Source:  # noqa: FBT001
    if not is_name(name):
        raise RefusedError(
            f"{name} is no backup: give its name, its folder with the {NAME} in it, or latest."
        )
    return Source(shelf, shelf.manifest(name, unsealed=unsealed))


def restore(*, source: Source, say: Say, secrets: bool = True) -> Place:
    """Put a backup in the place of the database; returns where what was there is now.

    Until the last step, one transaction, nothing has happened to it. `secrets` False: also one whose
    channels' keys are lost. Raises RefusedError, ToolsError.
    """
    place = database.here()
    with desk(place) as at:
        say("Reading the backup whole…")
        with trial.opened(source.shelf, source.manifest) as backup:
            say("Restoring it into a scratch database…")
            with trial.restored(at, backup, use=USE, secrets=secrets) as scratch:
                say(f"All {len(source.manifest.tables)} tables are as they were. Swapping…")
                with paused():
                    settle(scratch, source.manifest.taken_at)
                    leave()
                    return at.swap(scratch)


def settle(place: Place, taken_at: dt.datetime) -> None:
    """Bring a restored database up to date, and hold in it what may have been told since."""
    run_manage(place, "settle_restored", f"--taken-at={taken_at.isoformat()}")


def upgrade(place: Place) -> None:
    run_manage(place, "upgrade")


def run_manage(place: Place, *words: str) -> None:
    """One of our commands, with another database for its own. Raises RefusedError."""
    env = {**os.environ, "DATABASE_URL": place.url()}
    env.pop("DATABASE_URL_FILE", None)  # it would have the last word
    done = subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RefusedError(f"{words[0]} failed in {place.name}: {last}")


def leave() -> None:
    """Let go of our own sessions in the database that is about to be moved."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool:
            close_pool()
    engine().dispose()
