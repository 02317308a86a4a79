"""A backup is opened, read whole, and restored into a scratch database that is held against it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from stalkerr import crypto
from workers.backups import database, encryption, making, manifest, storage
from workers.backups.database import Place, RefusedError, Tallies, Tally
from workers.backups.encryption import SUFFIX
from workers.backups.manifest import DUMP, Manifest
from workers.backups.scratch import Desk
from workers.backups.storage import Shelf
from workers.backups.tools import ToolsError

ROOM: Final = 64 * 2**20  # bytes to be left on the disk
SPARE: Final = 2**16  # bytes: another version of the tool says some things in other words


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup whose dump lies here, plain, and is what its manifest says."""

    manifest: Manifest
    dump: Path


@contextmanager
def opened(shelf: Shelf, made: Manifest) -> Iterator[Opened]:
    """Fetch, decrypt and read a dump whole. Raises RefusedError where it is not good."""
    check_fits(made)
    with storage.work_folder() as folder:
        _check_room(folder, made)
        dump = folder / DUMP
        if made.is_encrypted:
            sealed = folder / f"{DUMP}{SUFFIX}"
            shelf.fetch(made, sealed.name, sealed)
            encryption.decrypt(sealed, dump, settings.BACKUP_IDENTITY)
            sealed.unlink()
        else:
            shelf.fetch(made, DUMP, dump)
        storage.check_same(DUMP, manifest.file_of(dump), made.plain_dump)
        _check_whole(dump, made)
        yield Opened(made, dump)


@contextmanager
def restored(desk: Desk, backup: Opened, *, use: str, secrets: bool = True) -> Iterator[Place]:
    """The backup in a scratch database, found the same; dropped afterwards, unless it was moved.

    With `secrets`, one of its secrets was decrypted. Raises RefusedError, ToolsError.
    """
    desk.drop_left(use)
    scratch = desk.make(use)
    try:
        database.load(making.tools_at(scratch), scratch, backup.dump)
        check_equal(database.tally_of(scratch), backup.manifest.tables)
        if secrets:
            _check_secret(scratch)
        yield scratch
    finally:
        desk.drop(scratch)


def check_fits(made: Manifest) -> None:
    """Raises RefusedError where this server or this Stalkerr is too old for it."""
    with database.here().connect() as session:
        server = database.major_of(session)
    if made.server > server:
        raise RefusedError(
            f"This backup is from PostgreSQL {made.server}, the server is PostgreSQL {server}: restore "
            "it on a server at least as new."
        )
    unknown = making.unknown_migrations(dict(made.migrations))
    if unknown:
        raise RefusedError(
            f"This backup is from a newer Stalkerr ({unknown[0]} is unknown here): install that one "
            "first."
        )
    if made.is_encrypted and not settings.BACKUP_IDENTITY:
        raise RefusedError(
            "This backup is encrypted: set BACKUP_IDENTITY (or BACKUP_IDENTITY_FILE) to its private "
            "key."
        )


def check_equal(found: Tallies, said: Mapping[str, Tally]) -> None:
    """Raises RefusedError with the first table that is not what the manifest says."""
    for table in sorted({*found, *said}):
        one, other = found.get(table), said.get(table)
        if one != other:
            rows = [str(each.rows) if each else "no such table" for each in (one, other)]
            raise RefusedError(
                f"The restored {table} is not what was backed up: {rows[0]} rows, {rows[1]} were, or "
                "they say something else."
            )


def _check_whole(dump: Path, made: Manifest) -> None:
    """Before anything of it is run: that it can be unpacked, and to no more than was packed."""
    tools = making.tools_at(database.here())
    try:
        making.read_whole(tools, dump, most=made.unpacked + SPARE)
    except ToolsError as error:
        raise RefusedError(f"The dump is damaged: {error}") from error


def _check_room(folder: Path, made: Manifest) -> None:
    needed = made.plain_dump.bytes * (2 if made.is_encrypted else 1) + ROOM
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RefusedError(
            f"Opening this backup takes {needed // 2**20} MB under {folder.parent}, and {free // 2**20} "
            "MB are free: make room, or choose another folder with BACKUP_DIR."
        )


def _check_secret(scratch: Place) -> None:
    """Decrypt one secret of its: a backup whose keys are lost has lost its channels."""
    with scratch.connect() as session:
        row = session.execute(
            "SELECT sealed_config FROM channels ORDER BY id DESC LIMIT 1"
        ).fetchone()
    if row is None:
        return
    try:
        crypto.decrypt(row[0])
    except crypto.UnreadableSecretError as error:
        raise RefusedError(
            "The secrets in this backup were written under a key that is not in CHANNEL_KEYS: put "
            "that key back."
        ) from error
