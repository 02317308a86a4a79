"""Who has left, kept outside the database: a backup from before brings nobody back.

A tombstone is an empty file whose name is a digest; it tells nothing about whom it is of.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

Born = tuple[int, dt.datetime]  # a user's id and created_at: neither ever changes


def _folder() -> Path:
    return Path(settings.VAR_DIR) / "tombstones"


def _name(born: Born) -> str:
    user_id, created_at = born
    text = f"stalkerr user {user_id} {created_at.astimezone(dt.UTC).isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()


def bury(born: Born) -> None:
    """Leave a tombstone; one that is there already stays."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / _name(born)).touch(mode=0o600)


def buried(users: Iterable[Born]) -> list[int]:
    """The ids of those users who left, whatever the database says."""
    folder = _folder()
    stones = {stone.name for stone in folder.iterdir()} if folder.is_dir() else set()
    return [born[0] for born in users if _name(born) in stones]
