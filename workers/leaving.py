"""A user leaves: at once nothing is sent or matched for them any more, soon no row of theirs is left."""

import datetime as dt
from typing import Final

from django.db import transaction

from accounts.models import User
from accounts.tombstones import Born, buried, bury
from catalog.models import WatchKey
from notifications.models import Channel
from notifications.services import PROMISES, lock_channels
from stalkerr import sql
from stalkerr.locks import lock

REASON: Final = "Its owner has left."
AT_ONCE: Final = 10_000  # rows of a log in one transaction
# By then whatever was on the wire has been settled, and writes no row any more.
GRACE: Final = dt.timedelta(minutes=2)

_CANCEL_DELIVERIES = """
UPDATE deliveries SET state = 'cancelled'
WHERE user_id = %(user)s AND state IN ('pending', 'held')
"""
_CANCEL_MESSAGES = """
UPDATE messages SET state = 'failed', next_attempt_at = NULL, finalized_at = %(now)s,
    reason = %(reason)s
WHERE channel_id IN (SELECT id FROM channels WHERE user_id = %(user)s) AND state IN ('due', 'held')
"""

# What a user may have very much of, the innermost first. Whatever else there is of them, also in
# tables yet to come, goes with the user's own row: Django follows every key that leads to it.
_LOGS = (
    """
    DELETE FROM attempts WHERE (message_id, message_at, claim_no) IN (
        SELECT l.message_id, l.message_at, l.claim_no FROM channels c
        JOIN messages m ON m.channel_id = c.id
        JOIN attempts l ON l.message_id = m.id AND l.message_at = m.created_at
        WHERE c.user_id = %(user)s LIMIT %(limit)s)
    """,
    """
    DELETE FROM deliveries WHERE (id, source_at) IN (
        SELECT id, source_at FROM deliveries WHERE user_id = %(user)s LIMIT %(limit)s)
    """,
    """
    DELETE FROM messages WHERE (id, created_at) IN (
        SELECT m.id, m.created_at FROM channels c JOIN messages m ON m.channel_id = c.id
        WHERE c.user_id = %(user)s LIMIT %(limit)s)
    """,
    """
    DELETE FROM told WHERE id IN (
        SELECT t.id FROM channels c JOIN told t ON t.channel_id = c.id
        WHERE c.user_id = %(user)s LIMIT %(limit)s)
    """,
)


def leave(*, user: User, now: dt.datetime) -> None:
    """End a user's sign-in and watches, and cancel what is unsent; what is on the wire arrives.

    The tombstone is written once this is committed, and by `remove_left` again: a user whose
    leaving failed must not have one.
    """
    with transaction.atomic():
        ids = list(Channel.objects.filter(user_id=user.pk).values_list("id", flat=True))
        lock_channels(ids)
        lock(PROMISES)  # every chunk that is promising something has done so by then
        User.objects.filter(id=user.pk, left_at=None).update(is_active=False, left_at=now)
        WatchKey.objects.filter(user_id=user.pk).delete()
        Channel.objects.filter(id__in=ids).update(disabled_at=now, disabled_reason=REASON)
        parameters = {"user": user.pk, "now": now, "reason": REASON}
        sql.count(_CANCEL_DELIVERIES, parameters)
        sql.count(_CANCEL_MESSAGES, parameters)
        transaction.on_commit(lambda: bury((user.pk, user.created_at)))


def remove_left(*, before: dt.datetime, limit: int) -> int:
    """Remove the rows of users who left before then, about `limit` of them; returns how many."""
    removed = 0
    left = User.objects.filter(left_at__lt=before).order_by("id")
    for born in left.values_list("id", "created_at"):
        if removed >= limit:
            break
        bury(born)
        removed += _remove(born[0], limit - removed)
    return removed


def _remove(user_id: int, limit: int) -> int:
    removed = 0
    for statement in _LOGS:
        some = AT_ONCE
        while some == AT_ONCE and removed < limit:
            some = sql.count(statement, {"user": user_id, "limit": AT_ONCE})
            removed += some
    if removed < limit:
        with transaction.atomic():
            removed += User.objects.filter(id=user_id).exclude(left_at=None).delete()[0]
    return removed


def apply_tombstones(*, now: dt.datetime) -> int:
    """After a restore: those who have left since leave again. Returns how many."""
    there: list[Born] = list(User.objects.filter(left_at=None).values_list("id", "created_at"))
    left = User.objects.in_bulk(buried(there))
    for user in left.values():
        leave(user=user, now=now)
    return len(left)
