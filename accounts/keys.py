"""API keys: made for one program, shown once, known by their hash."""

import datetime as dt
import secrets
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils.crypto import constant_time_compare

from accounts.models import ApiKey, User
from accounts.refreshing import digest_of
from stalkerr.locks import lock

MARK: Final = "stk_"  # by which a key is told from other tokens, also by those who look for leaks
KEYS_MAX: Final = 20  # of one user
_PREFIX: Final = 12  # characters
USE_NOTED: Final = dt.timedelta(minutes=1)  # at most so often


class TooManyKeysError(Exception):
    """The user has as many as one may have."""


@transaction.atomic
def make_key(
    *, user: User, name: str, scope: str, expires_at: dt.datetime | None, now: dt.datetime
) -> tuple[ApiKey, str]:
    """A new key: its row, and the key itself, which is shown this once."""
    lock("api keys", user.pk)
    if user.api_keys.count() >= KEYS_MAX:
        raise TooManyKeysError
    prefix = secrets.token_hex(_PREFIX // 2)
    key = f"{MARK}{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=prefix,
        digest=digest_of(key),
        scope=scope,
        created_at=now,
        expires_at=expires_at,
    )
    return row, key


def key_of(*, key: str, now: dt.datetime) -> ApiKey | None:
    """The usable key that this is; its use is noted."""
    prefix = key[len(MARK) : len(MARK) + _PREFIX]
    if not (key.startswith(MARK) and prefix.isalnum() and prefix.isascii()):
        return None
    row = ApiKey.objects.usable(now).select_related("user").filter(prefix=prefix).first()
    if row is None or not constant_time_compare(row.digest, digest_of(key)):
        return None
    _note_use(row, now)
    return row


def _note_use(row: ApiKey, now: dt.datetime) -> None:
    """One write a minute, however many ask with it."""
    before = now - USE_NOTED
    if row.last_used_at is None or row.last_used_at <= before:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=before)
        ApiKey.objects.filter(stale, pk=row.pk).update(last_used_at=now)
