"""Answers that are kept for who asks again with the same Idempotency-Key.

The key's row is taken first: whoever comes with it meanwhile waits for the first one's commit, and
finds its answer. Effect and answer are committed together, so of a request that dies neither is left.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable

from accounts.models import IdempotencyKey
from stalkerr import sql
from stalkerr.crypto import decrypt, encrypt

KEPT: Final = dt.timedelta(hours=24)
PATIENCE: Final = dt.timedelta(seconds=10)  # of who waits for the first one's answer


class AnotherRequestError(Exception):
    """This key came with another request before; give each request a key of its own."""


class UnansweredError(Exception):
    """The first request with this key has no answer yet; ask again later."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, by whom, under which key."""

    user_id: int
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    body: str
    headers: dict[str, str]


def take(*, request: Request, now: dt.datetime) -> Answer | None:
    """The first one's answer; None where this is the first, which then has the key.

    Call it in the transaction that the first one's effect belongs to. Raises AnotherRequestError,
    UnansweredError, and UnreadableSecretError where the key of what was kept is gone.
    """
    if _is_first(request, now):
        return None
    found = IdempotencyKey.objects.get(user_id=request.user_id, key=request.key)
    if found.fingerprint != request.fingerprint:
        raise AnotherRequestError(AnotherRequestError.__doc__)
    if not found.answer:
        raise UnansweredError(UnansweredError.__doc__)
    return Answer(**decrypt(found.answer))


def keep(*, request: Request, answer: Answer) -> None:
    """The answer of who took the key."""
    value: dict[str, Any] = {
        "status": answer.status,
        "body": answer.body,
        "headers": answer.headers,
    }
    _of(request).update(answer=encrypt(value))


def give_back(*, request: Request) -> None:
    """Nothing came of it: the key is anybody's."""
    _of(request).delete()


def forget_answers(*, now: dt.datetime) -> int:
    """Delete what is kept no longer; how many."""
    return IdempotencyKey.objects.filter(created_at__lte=now - KEPT).delete()[0]


def _of(request: Request) -> Any:
    return IdempotencyKey.objects.filter(user_id=request.user_id, key=request.key)


def _is_first(request: Request, now: dt.datetime) -> bool:
    """Whether the key was free, or is of long ago; who holds it just now is waited for."""
    milliseconds = int(PATIENCE.total_seconds() * 1000)
    try:
        with transaction.atomic():
            sql.rows("SELECT set_config('lock_timeout', %s, true)", [str(milliseconds)])
            taken = sql.rows(
                """
                INSERT INTO idempotency_keys AS k (user_id, key, fingerprint, answer, created_at)
                VALUES (%(user)s, %(key)s, %(fingerprint)s, '', %(now)s)
                ON CONFLICT (user_id, key) DO UPDATE
                SET fingerprint = EXCLUDED.fingerprint, answer = '', created_at = %(now)s
                WHERE k.created_at <= %(old)s
                RETURNING id
                """,
                {
                    "user": request.user_id,
                    "key": request.key,
                    "fingerprint": request.fingerprint,
                    "now": now,
                    "old": now - KEPT,
                },
            )
            sql.rows("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise UnansweredError(UnansweredError.__doc__) from error
        raise
    return bool(taken)
