"""Backups for one pair of eyes: files in the age format, opened by whoever has the identity."""

from collections.abc import Iterable
from pathlib import Path

import pyrage
from pyrage import x25519

from workers.backups.database import RefusedError

SUFFIX = ".age"


def check_recipients(recipients: Iterable[str]) -> list["x25519.Recipient"]:
    """Raises RefusedError where one of them is none."""
    try:
        return [x25519.Recipient.from_str(text.strip()) for text in recipients]
    except pyrage.RecipientError as error:
        raise RefusedError(
            "BACKUP_RECIPIENTS holds something that is no public key: each begins with age1 and is what "
            "`age-keygen` prints as such."
        ) from error


def check_identity(identity: str) -> "x25519.Identity | None":
    """None where there is none. Raises RefusedError where it is no private key."""
    try:
        return x25519.Identity.from_str(identity.strip()) if identity.strip() else None
    except pyrage.IdentityError as error:
        raise RefusedError(
            "BACKUP_IDENTITY is no private key: it begins with AGE-SECRET-KEY-1."
        ) from error


def encrypt(source: Path, target: Path, recipients: Iterable[str]) -> None:
    """A file for these recipients only, block by block."""
    keys = check_recipients(recipients)
    target.touch(mode=0o600)
    with source.open("rb") as plain, target.open("wb") as sealed:
        pyrage.encrypt_io(plain, sealed, keys)


def decrypt(source: Path, target: Path, identity: str) -> None:
    """Back again. Raises RefusedError where this is not the key, or the file was changed."""
    key = check_identity(identity)
    target.touch(mode=0o600)
    try:
        with source.open("rb") as sealed, target.open("wb") as plain:
            pyrage.decrypt_io(sealed, plain, [key] if key else [])
    except pyrage.DecryptError as error:
        raise RefusedError(
            f"{source.name} can't be decrypted: BACKUP_IDENTITY is not its key, or it is damaged."
        ) from error
