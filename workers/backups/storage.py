"""Where backups lie: a folder, or whatever else django-storages reaches, S3 above all.

Each backup has a folder of its own, and its manifest comes last: until then it does not count.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.files import File as DjangoFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from workers.backups import manifest
from workers.backups.database import RefusedError
from workers.backups.manifest import PIECE, File, Manifest

ALIAS: Final = "backups"
WORK: Final = ".work-"  # folders in which backups are put together
LEFT_AFTER: Final = 24 * 3600.0  # seconds: whoever worked there is dead


class PrivateFolder(FileSystemStorage):
    """Files that only we may read, and that are there whole or not at all."""

    def _save(self, name: str, content: "DjangoFile[Any]") -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.draft")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("r+b") as target:
            shutil.copyfileobj(content, target, PIECE)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)
        _sync(path.parent)
        return name

    def delete(self, name: str) -> None:
        super().delete(name)
        with suppress(OSError):  # not empty yet
            Path(self.path(name)).parent.rmdir()


@dataclass(frozen=True, slots=True)
class Shelf:
    """Backups side by side, each in a folder of its name."""

    storage: Storage

    def names(self) -> list[str]:
        """Those that are whole, the oldest first, for all that can be seen without reading them."""
        try:
            folders, _ = self.storage.listdir("")
        except FileNotFoundError:
            return []
        found = sorted(name for name in folders if manifest.is_name(name))
        return [name for name in found if self.storage.exists(f"{name}/{manifest.NAME}")]

    def keep(self, folder: Path, made: Manifest) -> None:
        """Store a backup that lies in `folder`, read it back, and only then say that it is one.

        Raises RefusedError where what comes back is something else.
        """
        for name in made.files:
            self._put(folder, made.name, name)
        self.check(made)
        self._put(folder, made.name, manifest.NAME)

    def drop(self, name: str) -> None:
        """Remove a backup: it stops to be one first."""
        for file in (manifest.NAME, *sorted(manifest.FILES)):
            self.storage.delete(f"{name}/{file}")

    def manifest(self, name: str, *, unsealed: bool = False) -> Manifest:
        """Raises RefusedError where it is none of ours."""
        try:
            with self._open(name, manifest.NAME) as opened:
                found = manifest.parse(opened.read(manifest.LARGEST + 1), unsealed=unsealed)
        except FileNotFoundError as error:
            raise RefusedError(f"There is no whole backup {name}: it has no manifest.") from error
        if found.name != name:
            raise RefusedError(
                f"This manifest is that of {found.name}: give the folder its name back."
            )
        return found

    def check(self, made: Manifest) -> None:
        """Read every file of a backup whole. Raises RefusedError where one is damaged."""
        for name, said in made.files.items():
            with self._open_as_said(made, name) as stored:
                check_same(name, manifest.file_in(stored), said)

    def fetch(self, made: Manifest, name: str, target: Path) -> None:
        """A file of a backup, copied. Raises RefusedError where it is damaged."""
        target.touch(mode=0o600)
        with self._open_as_said(made, name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, PIECE)
        check_same(name, manifest.file_of(target), made.files[name])

    def _put(self, folder: Path, backup: str, file: str) -> None:
        name = f"{backup}/{file}"
        self.storage.delete(name)  # of an earlier try
        with (folder / file).open("rb") as source:
            saved = self.storage.save(name, DjangoFile(source))
        if saved != name:
            raise RefusedError(f"The storage would call {name} {saved}: use one that keeps names.")

    def _open_as_said(self, made: Manifest, file: str) -> "DjangoFile[Any]":
        """Before a byte is read: nothing larger than the manifest says is ever copied."""
        try:
            size = self.storage.size(f"{made.name}/{file}")
        except FileNotFoundError as error:
            raise RefusedError(f"{file} of the backup {made.name} is missing.") from error
        said = made.files[file]
        if size != said.bytes:
            raise RefusedError(
                f"{file} is not whole: it has {size} bytes, its manifest says {said.bytes}."
            )
        return self._open(made.name, file)

    def _open(self, backup: str, file: str) -> "DjangoFile[Any]":
        return self.storage.open(f"{backup}/{file}")


class ForeignFolder(FileSystemStorage):
    """A folder that somebody brought: whatever is no plain file in it is not opened."""

    def path(self, name: str) -> str:
        place = Path(super().path(name))
        for path in (place.parent, place):
            if path.is_symlink() or (path.exists() and not (path.is_file() or path.is_dir())):
                raise RefusedError(f"{path} is no plain file: it is refused.")
        return str(place)


def shelf() -> Shelf:
    """Where our own backups lie."""
    return Shelf(storages[ALIAS])


def shelf_of(folder: Path) -> Shelf:
    """The one that holds the folder of a single backup."""
    return Shelf(ForeignFolder(location=folder.parent))


def check_same(name: str, found: File, said: File) -> None:
    """Raises RefusedError where a file is not what its manifest says."""
    if found != said:
        what = "is not whole" if found.bytes != said.bytes else "was changed or is damaged"
        raise RefusedError(
            f"{name} {what}: {found.bytes} bytes, sha256 {found.sha256[:12]}…; its manifest says "
            f"{said.bytes} bytes, {said.sha256[:12]}…"
        )


@contextmanager
def work_folder() -> Iterator[Path]:
    """A private folder for what is being put together or taken apart; gone afterwards."""
    parent = Path(settings.BACKUP_DIR)
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(PermissionError):  # a volume that is somebody else's: the folders in it are ours
        parent.chmod(0o700)
    for left in parent.glob(f"{WORK}*"):
        if time.time() - left.stat().st_mtime > LEFT_AFTER:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=WORK) as folder:  # mode 0700
        yield Path(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
