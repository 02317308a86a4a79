"""Backups for tests: a folder of their own, and hands that damage what lies in it."""

import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from pytest import MonkeyPatch

from workers.backups import database, storage
from workers.backups.scratch import desk


def storages_at(folder: Path) -> dict[str, Any]:
    """Settings under which backups lie there."""
    backend = "workers.backups.storage.PrivateFolder"
    there = {"BACKEND": backend, "OPTIONS": {"location": str(folder)}}
    return {"BACKUP_DIR": folder, "STORAGES": {**settings.STORAGES, storage.ALIAS: there}}


@pytest.fixture
def backups(tmp_path: Path, settings: Any, monkeypatch: MonkeyPatch) -> Generator[Path]:
    """An empty folder for backups, for us and for our commands; no database is left behind."""
    folder = tmp_path / "backups"
    for name, value in storages_at(folder).items():
        setattr(settings, name, value)
    monkeypatch.setenv("BACKUP_DIR", str(folder))
    yield folder
    drop_others()


def drop_others() -> None:
    """The databases that restores and drills left, for people to look at."""
    place = database.here()
    connection.close()
    with desk(place) as at:
        for use in ("before", "restore", "drill"):
            at.drop_left(use)


@contextmanager
def damaged(path: Path, content: bytes) -> Iterator[None]:
    """A file holds something else for a while."""
    kept = path.with_name(f"{path.name}.kept")
    shutil.copy2(path, kept)
    path.write_bytes(content)
    try:
        yield
    finally:
        kept.replace(path)


def flipped(content: bytes, bit: int) -> bytes:
    """The same with one bit flipped."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)
