"""What a backup says of itself: its files with their checksums, and what is in its tables.

It is written last: a backup without one is none. It is sealed with the channels' keys, so that a
restore runs nothing that somebody else has put together.
"""

import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from django.conf import settings

from workers.backups.database import RefusedError, Tally
from workers.backups.encryption import SUFFIX

NAME: Final = "manifest.json"
DUMP: Final = "database.dump"
CONFIGURATION: Final = "configuration.json"
FILES: Final = frozenset({DUMP, CONFIGURATION, DUMP + SUFFIX, CONFIGURATION + SUFFIX})
FORMAT: Final = "stalkerr-backup"
VERSION: Final = 1
LARGEST: Final = 1_000_000  # bytes
PIECE: Final = 1 << 20  # bytes read at once
_FOLDER: Final = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z")


class SupportsRead(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class File:
    """One of its files, as it is stored."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """See the module. `plain_dump`: of the dump before it was encrypted."""

    name: str
    taken_at: dt.datetime
    server: int  # PostgreSQL's major version
    migrations: Mapping[str, list[str]]  # by Django's app; "jobs": the ledger's revision
    files: Mapping[str, File]
    plain_dump: File
    unpacked: int  # bytes of SQL that the dump holds
    tables: Mapping[str, Tally]

    @property
    def is_encrypted(self) -> bool:
        return DUMP not in self.files

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())

    def text(self) -> str:
        """As it is stored: JSON, with its seal."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        content["taken_at"] = self.taken_at.isoformat()
        return json.dumps({**content, "seal": _seals(content)[0]}, indent=1) + "\n"


def name_of(moment: dt.datetime) -> str:
    """The name of a backup, and of its folder."""
    utc = moment.astimezone(dt.UTC)
    return f"{utc:%Y-%m-%dT%H%M%S}.{utc.microsecond // 1000:03}Z"


def is_name(text: str) -> bool:
    return _FOLDER.fullmatch(text) is not None


def parse(text: bytes, *, unsealed: bool = False) -> Manifest:
    """A manifest that one of our own has written.

    With `unsealed` also one whose seal we can't check. Raises RefusedError.
    """
    content = _content(text)
    seal = content.pop("seal", "")
    if not unsealed and not any(hmac.compare_digest(each, str(seal)) for each in _seals(content)):
        raise RefusedError(
            "This backup was not made by an installation with these CHANNEL_KEYS, or its manifest was "
            "changed. A restore runs what is in it: only if you know where it comes from, say --unsealed."
        )
    try:
        manifest = _manifest(content)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError("This manifest is not complete: it is no backup.") from error
    _check(manifest)
    return manifest


def file_of(path: Path) -> File:
    """Size and checksum of a file, read whole."""
    with path.open("rb") as opened:
        return file_in(opened)


def file_in(opened: SupportsRead) -> File:
    """The same of one that is open."""
    digest, size = hashlib.sha256(), 0
    while piece := opened.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return File(size, digest.hexdigest())


def _content(text: bytes) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise RefusedError("This is no manifest of a backup: it is far too large.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"This is no manifest of a backup: {NAME} is no JSON.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RefusedError(f"This is no manifest of a backup: it does not say {FORMAT}.")
    if content.get("version") != VERSION:
        raise RefusedError("This backup was made by a newer Stalkerr: restore it with that one.")
    return content


def _manifest(content: Mapping[str, Any]) -> Manifest:
    return Manifest(
        name=str(content["name"]),
        taken_at=dt.datetime.fromisoformat(content["taken_at"]).astimezone(dt.UTC),
        server=int(content["server"]),
        migrations={app: list(map(str, names)) for app, names in content["migrations"].items()},
        files={name: _file(each) for name, each in content["files"].items()},
        plain_dump=_file(content["plain_dump"]),
        unpacked=int(content["unpacked"]),
        tables={
            name: Tally(int(each["rows"]), str(each["sum"]))
            for name, each in content["tables"].items()
        },
    )


def _file(content: Mapping[str, Any]) -> File:
    return File(int(content["bytes"]), str(content["sha256"]))


def _check(manifest: Manifest) -> None:
    """It names no files but those a backup has: nothing of a path is ever taken from it."""
    plain = {DUMP, CONFIGURATION}
    sealed = {name + SUFFIX for name in plain}
    if set(manifest.files) not in (plain, sealed) or not is_name(manifest.name):
        raise RefusedError("This manifest names files that no backup has: it is refused.")


def _seals(content: Mapping[str, Any]) -> list[str]:
    """A manifest's seal under each of the channels' keys; the first writes, all count."""
    text = json.dumps(content, sort_keys=True).encode()
    return [
        hmac.new(b"stalkerr backup " + key.encode(), text, hashlib.sha256).hexdigest()
        for key in settings.CHANNEL_KEYS
    ]
