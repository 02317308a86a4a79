"""Secrets at rest: Fernet under CHANNEL_KEYS, the first key writes, all keys read."""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableSecretError(Exception):
    """A stored secret was written under a key that is not in CHANNEL_KEYS; put that key back."""


def encrypt(value: dict[str, Any]) -> str:
    """`value` as text that only CHANNEL_KEYS opens."""
    return _fernet().encrypt(json.dumps(value).encode()).decode()


def decrypt(text: str) -> dict[str, Any]:
    """What `encrypt` was given. Raises UnreadableSecretError, never returns the cipher text."""
    try:
        value: dict[str, Any] = json.loads(_fernet().decrypt(text))
    except InvalidToken as error:
        raise UnreadableSecretError(UnreadableSecretError.__doc__) from error
    return value


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.CHANNEL_KEYS])
