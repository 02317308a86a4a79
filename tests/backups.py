"""Backups for tests: a folder of their own, and hands that damage what lies in it."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from stalkerr.processes import ROOT
from workers.backups import database, storage
from workers.backups.scratch import desk


def storages_at(folder: Path) -> dict[str, Any]:
    """Settings under which backups lie there."""
    backend = "workers.backups.storage.PrivateFolder"
    there = {"BACKEND": backend, "OPTIONS": {"location": str(folder)}}
    return {"BACKUP_DIR": folder, "STORAGES": {**settings.STORAGES, storage.ALIAS: there}}


@pytest.fixture
def backups(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
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


def start(*words: str, folder: Path, largest: int | None = None) -> "subprocess.Popen[str]":
    """One of our commands in a process of its own, with backups there, that may write files so large."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.Popen(  # noqa: S603 (our own words)
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.here().url(), "BACKUP_DIR": str(folder)},
        preexec_fn=limit,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def manage(*words: str, folder: Path, largest: int | None = None) -> tuple[int, str, str]:
    """The same to its end: status, output, complaint."""
    process = start(*words, folder=folder, largest=largest)
    output, complaint = process.communicate()
    return process.returncode, output, complaint
