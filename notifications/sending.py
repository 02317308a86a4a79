"""Messages to be tried again, and those whose sender vanished: claimed by the batch.

`claim_no` is the fencing token (notifications/settling.py asks for it).
"""

import datetime as dt
from typing import NamedTuple

import structlog
from django.db import transaction

from accounts.services import notify
from notifications.destinations import RETRIES, ROOM, lock_rooms
from notifications.models import SHARDS
from stalkerr import sql

# One destination's share of a batch, so that a crowded one does not stand before the others.
PER_DESTINATION = 20
MAX_LOST_LEASES = 4  # times that another takes over: five senders in all
# What took so many senders along is sent alone from then on: whatever was on its way beside it
# would share its fate to the end.
SUSPECT_AFTER = 2
_DESTINATIONS = 100  # looked at for a batch

_log = structlog.get_logger(__name__)

CLAIMED = (
    "m.id, m.wire_id::text, m.claim_no, m.channel_id, m.tries, m.ambiguous, m.created_at, m.refused_at,"
    " m.digest_date"
)


class Claimed(NamedTuple):
    """A message that the caller alone may send while its lease lasts."""

    id: int
    wire_id: str
    claim_no: int
    channel_id: int
    tries: int
    ambiguous: int
    created_at: dt.datetime
    refused_at: dt.datetime | None
    digest_date: dt.date | None


def shards_of(shard: int | None) -> list[int]:
    """That shard; without one, all of them."""
    return list(range(SHARDS)) if shard is None else [shard]


def claim_due(
    *,
    kind: str,
    limit: int,
    now: dt.datetime,
    lease: dt.timedelta,
    shard: int | None = None,
    suspects: bool = False,
) -> list[Claimed]:
    """Claim messages to be tried again, and those whose sender vanished.

    These come back by the same door: into a destination that is spared nobody goes. `suspects`: only
    those that are to be sent alone, else only the others.
    """
    parameters = {
        "kind": kind,
        "shards": shards_of(shard),
        "limit": limit,
        "now": now,
        "until": now + lease,
        "lost": MAX_LOST_LEASES,
        "destinations": _DESTINATIONS,
        "suspects": suspects,
    }
    with transaction.atomic():
        sql.by_index()
        sql.prepared(_LET_GO, parameters)
        due = [destination_id for (destination_id,) in sql.prepared(_DUE, parameters)]
        most = PER_DESTINATION if len(due) > 1 else limit
        rooms = [
            {"destination_id": destination_id, "room": min(room.retries, most)}
            for destination_id, room in lock_rooms(due, now=now, retries=True).items()
        ]
        rows = sql.prepared(_CLAIM, parameters | {"rooms": sql.as_json(rooms)}) if rooms else []
    return [Claimed(*row) for row in rows]


def has_suspects(*, kind: str, now: dt.datetime, shard: int | None = None) -> bool:
    """Whether something waits to be sent alone."""
    return bool(
        sql.prepared(
            """
            SELECT 1 FROM messages WHERE state = 'due' AND channel_kind = %(kind)s
              AND shard = ANY(%(shards)s) AND next_attempt_at <= %(now)s AND lost_leases >= %(least)s
            LIMIT 1
            """,
            {"kind": kind, "shards": shards_of(shard), "now": now, "least": SUSPECT_AFTER},
        )
    )


@transaction.atomic
def bury_lost(*, now: dt.datetime) -> int:
    """Give up messages that took so many senders along, and tell the operators; returns how many."""
    buried = sql.rows(
        """
        UPDATE messages SET state = 'failed', reason = 'worker lost', finalized_at = %(now)s,
            lease_expires_at = NULL
        WHERE state = 'sending' AND lease_expires_at < %(now)s AND lost_leases >= %(lost)s
        RETURNING wire_id::text
        """,
        {"now": now, "lost": MAX_LOST_LEASES},
    )
    for (wire_id,) in buried:
        say_poisoned(wire_id, f"{MAX_LOST_LEASES + 1} senders in a row ended over it", now)
    return len(buried)


def say_poisoned(wire_id: str, why: str, now: dt.datetime) -> None:
    """To the operators: a message that we can't send, through no fault of its receiver."""
    _log.error("message_poisoned", wire_id=wire_id, why=why)
    notify(
        subject="A message was given up that we could not send",
        text=f"Message {wire_id}: {why}. What is wrong is ours: look for this id in the logs of the"
        " workers. Its owner sees it as failed and can have it sent again.",
        dedupe_key=f"poisoned:{wire_id}",
        now=now,
    )


_IS_ASKED_FOR = f"(lost_leases >= {SUSPECT_AFTER}) = %(suspects)s"
_LET_GO = """
UPDATE messages m SET lost_leases = lost_leases + 1, lease_expires_at = NULL,
    state = CASE WHEN c.disabled_at IS NULL THEN 'due' ELSE 'held' END,
    next_attempt_at = CASE WHEN c.disabled_at IS NULL THEN m.lease_expires_at END
FROM channels c
WHERE c.id = m.channel_id AND (m.id, m.created_at) IN (
    SELECT id, created_at FROM messages
    WHERE state = 'sending' AND lease_expires_at < %(now)s AND channel_kind = %(kind)s
      AND shard = ANY(%(shards)s) AND lost_leases < %(lost)s
    ORDER BY lease_expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""
# A loose scan: from one destination to the next, however much is due to each.
_DUE = f"""
WITH RECURSIVE due AS (
    (SELECT shard, destination_id FROM messages
     WHERE state = 'due' AND channel_kind = %(kind)s AND shard = ANY(%(shards)s)
     ORDER BY shard, destination_id LIMIT 1)
    UNION ALL
    SELECT next.shard, next.destination_id FROM due d CROSS JOIN LATERAL (
        SELECT m.shard, m.destination_id FROM messages m
        WHERE m.state = 'due' AND m.channel_kind = %(kind)s AND m.shard = ANY(%(shards)s)
          AND (m.shard, m.destination_id) > (d.shard, d.destination_id)
        ORDER BY m.shard, m.destination_id LIMIT 1) next
)
SELECT t.id FROM due d CROSS JOIN LATERAL (
    SELECT t.id FROM destinations t
    WHERE t.id = d.destination_id AND {ROOM} > 0 AND {RETRIES} > 0
      AND EXISTS (SELECT FROM messages m WHERE m.state = 'due' AND m.channel_kind = %(kind)s
                  AND m.shard = d.shard AND m.destination_id = t.id
                  AND m.next_attempt_at <= %(now)s AND {_IS_ASKED_FOR})
    OFFSET 0) t
LIMIT %(destinations)s
"""  # noqa: S608 (numbers of ours)
_CLAIM = f"""
WITH mine AS MATERIALIZED (
    SELECT n.id, n.created_at
    FROM jsonb_to_recordset(%(rooms)s) AS r(destination_id bigint, room int)
    CROSS JOIN LATERAL (
        SELECT id, created_at FROM messages
        WHERE state = 'due' AND channel_kind = %(kind)s AND shard = ANY(%(shards)s)
          AND destination_id = r.destination_id AND next_attempt_at <= %(now)s
          AND {_IS_ASKED_FOR}
        ORDER BY next_attempt_at LIMIT r.room FOR UPDATE SKIP LOCKED) n
    LIMIT %(limit)s
)
UPDATE messages m SET state = 'sending', claim_no = m.claim_no + 1, next_attempt_at = NULL,
    lease_expires_at = %(until)s
FROM mine WHERE m.id = mine.id AND m.created_at = mine.created_at
RETURNING {CLAIMED}
"""  # noqa: S608 (column names of ours)


def due_shards(*, now: dt.datetime) -> list[tuple[str, int]]:
    """(kind of channel, shard) of all that have something to send or to take over."""
    return [
        (kind, shard)
        for kind, shard in sql.rows(
            """
            WITH RECURSIVE kinds AS (
                (SELECT kind FROM channels ORDER BY kind LIMIT 1)
                UNION ALL
                SELECT (SELECT c.kind FROM channels c WHERE c.kind > k.kind ORDER BY c.kind LIMIT 1)
                FROM kinds k WHERE k.kind IS NOT NULL
            )
            SELECT k.kind, s.shard FROM kinds k CROSS JOIN generate_series(0, %(last)s) AS s(shard)
            WHERE k.kind IS NOT NULL AND (
                EXISTS (SELECT FROM deliveries d WHERE d.state = 'pending'
                        AND d.channel_kind = k.kind AND d.shard = s.shard AND d.due_at <= %(now)s)
                OR EXISTS (SELECT FROM messages m WHERE m.state = 'due' AND m.channel_kind = k.kind
                           AND m.shard = s.shard AND m.next_attempt_at <= %(now)s)
                OR EXISTS (SELECT FROM messages m WHERE m.state = 'sending'
                           AND m.channel_kind = k.kind AND m.shard = s.shard
                           AND m.lease_expires_at < %(now)s))
            """,
            {"now": now, "last": SHARDS - 1},
        )
    ]
