"""What is pending becomes messages: frozen by the batch, already claimed by whoever composes.

Digests are found by what is due in them, and a row of `digest_slots` makes each day's happen once.
Quiet hours put off what is due in them.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from notifications.destinations import IS_SPARED, MOST, lock_rooms
from notifications.models import Timing
from notifications.sending import PER_DESTINATION, Claimed, shards_of
from notifications.timing import Wish, digest_at, last_digest, next_digest
from notifications.wishes import quiet_ends, wish_of
from stalkerr import sql
from stalkerr.locks import lock_each


@dataclass(frozen=True, slots=True)
class Batch:
    """Whose news is composed, and how much at most."""

    kind: str
    groups: int  # pieces of news in a message
    limit: int  # messages
    now: dt.datetime
    until: dt.datetime  # the lease
    shards: Sequence[int]
    quiet: Mapping[int, dt.datetime]  # timings whose quiet hours hold, and until when

    @property
    def parameters(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "now": self.now,
            "until": self.until,
            "limit": self.limit,
            "shards": list(self.shards),
            "quiet": list(self.quiet),
        }


@dataclass(slots=True)
class Draft:
    """A message to be."""

    channel_id: int
    destination_id: int
    deliveries: list[int]
    digest_date: dt.date | None = None
    waits_until: dt.datetime | None = None  # a digest that comes late, into the quiet hours
    is_ours: bool = False  # sent by who composes it; else it is due
    place: int = 0  # among those composed with it


def compose_due(
    *,
    kind: str,
    groups: int,
    limit: int,
    now: dt.datetime,
    lease: dt.timedelta,
    shard: int | None = None,
    quiet: Mapping[int, dt.datetime] | None = None,
) -> list[Claimed]:
    """Freeze what is pending into at most `limit` messages, claimed by the caller.

    Two composers could split a group: hence the lock. A digest of more messages than the limit
    leaves the rest of them due. `quiet`: wishes.quiet_ends, where the caller has read it.
    """
    quiet = quiet_ends(now) if quiet is None else quiet
    batch = Batch(kind, groups, limit, now, now + lease, shards_of(shard), quiet)
    with transaction.atomic():
        sql.by_index()
        lock_each(*(("compose", kind, each) for each in batch.shards))
        drafts = _digests(batch)
        drafts += _ready(batch, limit - len(drafts))
        return _insert(batch, _with_room(batch, drafts))


def _with_room(batch: Batch, drafts: Sequence[Draft]) -> list[Draft]:
    """Those that their destinations take just now, marked as ours; a digest is kept for later."""
    rooms = lock_rooms((draft.destination_id for draft in drafts), now=batch.now)
    left = {destination_id: room.messages for destination_id, room in rooms.items()}
    ours = batch.limit
    for draft in drafts:
        draft.is_ours = ours > 0 and left[draft.destination_id] > 0 and not draft.waits_until
        left[draft.destination_id] -= draft.is_ours
        ours -= draft.is_ours
    return [draft for draft in drafts if draft.is_ours or draft.digest_date]


# -- at once -----------------------------------------------------------------------------------
def _ready(batch: Batch, limit: int) -> list[Draft]:
    """A channel's pending news is taken at a time: the limit never splits a group."""
    if limit <= 0:
        return []
    parameters = batch.parameters | {
        "first": batch.shards[0],
        "last": batch.shards[-1],
        "channels": limit,
        "each": batch.groups if batch.groups > 1 else PER_DESTINATION,
        "rows": limit * batch.groups,
    }
    rows = sql.prepared(_READY, parameters)
    destinations = {channel_id: destination_id for channel_id, destination_id, _ in rows}
    pending = [(channel_id, delivery_id) for channel_id, _, delivery_id in rows]
    return _grouped(pending, destinations, batch.groups)[:limit]


# A loose scan: from one waiting channel to the next, however much waits in each; all channels of a
# destination that takes nothing now are one step. The LATERAL keeps it from going on when enough
# are found.
_LAST = f"""(SELECT CASE WHEN {IS_SPARED} OR t.id IN (SELECT id FROM full_up)
    THEN {2**63 - 1} ELSE d.channel_id END FROM destinations t WHERE t.id = d.destination_id)"""  # noqa: S608
_READY = f"""
WITH RECURSIVE full_up AS MATERIALIZED (  -- counted once, not for every channel
    SELECT t.id FROM destinations t JOIN (
        SELECT destination_id, count(*) AS under_way FROM messages WHERE state = 'sending'
        GROUP BY destination_id) m ON m.destination_id = t.id
    WHERE m.under_way >= {MOST}
), waiting AS (
    (SELECT d.shard, d.destination_id, d.channel_id, d.due_at, {_LAST} AS last FROM deliveries d
     WHERE d.state = 'pending' AND NOT d.in_digest AND d.channel_kind = %(kind)s
       AND d.shard BETWEEN %(first)s AND %(last)s
     ORDER BY d.shard, d.destination_id, d.channel_id, d.due_at LIMIT 1)
    UNION ALL
    SELECT next.* FROM waiting w CROSS JOIN LATERAL (
        SELECT d.shard, d.destination_id, d.channel_id, d.due_at, {_LAST} FROM deliveries d
        WHERE d.state = 'pending' AND NOT d.in_digest AND d.channel_kind = %(kind)s
          AND d.shard BETWEEN %(first)s AND %(last)s
          AND (d.shard, d.destination_id, d.channel_id) > (w.shard, w.destination_id, w.last)
        ORDER BY d.shard, d.destination_id, d.channel_id, d.due_at LIMIT 1) next
)
SELECT c.id, c.destination_id, d.id FROM (
    SELECT c.*, w.shard, w.destination_id AS bound_for FROM waiting w CROSS JOIN LATERAL (
        SELECT c.id, c.destination_id, c.unconfirmed_since IS NULL AS is_open
        FROM channels c JOIN destinations t ON t.id = c.destination_id
        WHERE c.id = w.channel_id AND w.due_at <= %(now)s AND c.disabled_at IS NULL
          -- what was promised since its quiet hours were looked at
          AND coalesce(c.timing_id <> ALL(%(quiet)s::bigint[]), true)
          AND NOT {IS_SPARED} AND t.id NOT IN (SELECT id FROM full_up)
          AND (c.unconfirmed_since IS NULL OR EXISTS (
              SELECT FROM deliveries d WHERE d.channel_id = c.id AND d.state = 'pending'
              AND NOT d.in_digest AND d.channel_kind = %(kind)s AND d.shard = w.shard
              AND d.due_at <= %(now)s AND d.notice_id IS NOT NULL))
        OFFSET 0) c
    LIMIT %(channels)s) c
CROSS JOIN LATERAL (
    SELECT id FROM deliveries WHERE channel_id = c.id AND channel_kind = %(kind)s
        AND shard = c.shard AND destination_id = c.bound_for AND state = 'pending'
        AND NOT in_digest AND due_at <= %(now)s
        AND (c.is_open OR notice_id IS NOT NULL)
    ORDER BY due_at, id LIMIT %(each)s FOR UPDATE SKIP LOCKED) d
LIMIT %(rows)s
"""  # noqa: S608 (numbers of ours)


def _grouped(
    rows: Iterable[tuple[int, int]],
    destinations: Mapping[int, int],
    groups: int,
) -> list[Draft]:
    """(channel, delivery) in order of channels, at most `groups` deliveries a message."""
    drafts: list[Draft] = []
    for channel_id, delivery_id in rows:
        last = drafts[-1] if drafts else None
        if last and last.channel_id == channel_id and len(last.deliveries) < groups:
            last.deliveries.append(delivery_id)
            continue
        drafts.append(Draft(channel_id, destinations[channel_id], [delivery_id]))
    return drafts


# -- digests -----------------------------------------------------------------------------------
def _digests(batch: Batch) -> list[Draft]:
    """The digests that are due; what came too late for its channel's waits for the next one."""
    due = sql.prepared(_DIGESTS_DUE, batch.parameters)
    if not due:
        return []
    wishes = {
        timing.id: wish_of(timing)
        for timing in Timing.objects.filter(id__in={timing_id for *_, timing_id in due})
    }
    at_once = [channel_id for channel_id, _, t in due if t not in wishes or not wishes[t].digest]
    if at_once:
        sql.rows(_LEFT_BEHIND, batch.parameters | {"channels": at_once})
    wished = {channel_id: wishes[t] for channel_id, _, t in due if channel_id not in at_once}
    rows = _closed(wished, batch)
    drafts = _grouped(rows, {c: destination_id for c, destination_id, _ in due}, batch.groups)
    quiet = {channel_id: batch.quiet.get(t) for channel_id, _, t in due}
    for draft in drafts:
        draft.digest_date = last_digest(wished[draft.channel_id], batch.now)
        draft.waits_until = quiet[draft.channel_id]
    return drafts


def _closed(wishes: Mapping[int, Wish], batch: Batch) -> list[tuple[int, int]]:
    """(channel, delivery) of the digests of these channels that nobody has composed."""
    closed = [
        {
            "channel_id": channel_id,
            "local_date": (day := last_digest(wish, batch.now)),
            "closes_at": digest_at(wish, day),
            "next_at": next_digest(wish, batch.now),
        }
        for channel_id, wish in wishes.items()
    ]
    parameters = batch.parameters | {"closed": sql.as_json(closed)}
    rows = sql.rows(_OPEN_SLOTS, parameters)
    sql.rows(_TOO_LATE, parameters | {"taken": [delivery_id for _, delivery_id in rows]})
    return rows


# Not those whose address is yet to be confirmed: their news is about to be held.
_DIGESTS_DUE = f"""
SELECT c.id, c.destination_id, c.timing_id FROM (
    SELECT DISTINCT channel_id FROM deliveries
    WHERE state = 'pending' AND in_digest AND channel_kind = %(kind)s
      AND shard = ANY(%(shards)s) AND due_at <= %(now)s) d
JOIN channels c ON c.id = d.channel_id AND c.disabled_at IS NULL AND c.unconfirmed_since IS NULL
JOIN destinations t ON t.id = c.destination_id AND NOT {IS_SPARED}
ORDER BY c.id LIMIT %(limit)s
"""  # noqa: S608 (no value comes from outside)
# Of a channel that has no digest any more: promised while that was changed.
_LEFT_BEHIND = """
UPDATE deliveries SET in_digest = false, due_at = %(now)s
WHERE state = 'pending' AND in_digest AND id IN (
    SELECT id FROM deliveries WHERE channel_id = ANY(%(channels)s) AND channel_kind = %(kind)s
        AND shard = ANY(%(shards)s) AND state = 'pending' AND in_digest
    ORDER BY id FOR UPDATE)
"""
_CLOSED = """jsonb_to_recordset(%(closed)s) AS s(channel_id bigint, local_date date,
    closes_at timestamptz, next_at timestamptz)"""
_OPEN_SLOTS = f"""
WITH mine AS (
    INSERT INTO digest_slots (channel_id, local_date)
    SELECT s.channel_id, s.local_date FROM {_CLOSED}
    WHERE EXISTS (SELECT FROM deliveries d WHERE d.channel_id = s.channel_id
                  AND d.channel_kind = %(kind)s AND d.shard = ANY(%(shards)s)
                  AND d.state = 'pending' AND d.in_digest AND d.due_at <= s.closes_at)
    ORDER BY s.channel_id
    ON CONFLICT DO NOTHING
    RETURNING channel_id
), taken AS MATERIALIZED (
    SELECT d.channel_id, d.due_at, d.id FROM mine
    JOIN {_CLOSED} ON s.channel_id = mine.channel_id
    JOIN deliveries d ON d.channel_id = s.channel_id AND d.channel_kind = %(kind)s
         AND d.shard = ANY(%(shards)s) AND d.state = 'pending' AND d.in_digest
         AND d.due_at <= s.closes_at
    ORDER BY d.id FOR UPDATE OF d  -- in one order everywhere
)
SELECT channel_id, id FROM taken ORDER BY channel_id, due_at, id
"""  # noqa: S608 (no value comes from outside)
_TOO_LATE = f"""
UPDATE deliveries d SET due_at = late.next_at FROM (
    SELECT d.id, s.next_at FROM deliveries d JOIN {_CLOSED} ON s.channel_id = d.channel_id
    WHERE d.channel_kind = %(kind)s AND d.shard = ANY(%(shards)s)
      AND d.state = 'pending' AND d.in_digest AND d.due_at <= %(now)s AND NOT d.id = ANY(%(taken)s)
    ORDER BY d.id FOR UPDATE OF d) late
WHERE d.id = late.id AND d.state = 'pending'
"""  # noqa: S608


# -- quiet hours -------------------------------------------------------------------------------
def put_off_quiet(
    *, kind: str, now: dt.datetime, quiet: Mapping[int, dt.datetime], shard: int | None = None
) -> None:
    """What is due while its channel's quiet hours hold (wishes.quiet_ends) is due when they end."""
    rows = [{"timing_id": timing_id, "ends_at": end} for timing_id, end in quiet.items()]
    parameters = {
        "kind": kind,
        "now": now,
        "shards": shards_of(shard),
        "quiet": sql.as_json(rows),
    }
    for statement in (_PUT_OFF_PENDING, _PUT_OFF_DUE):
        sql.rows(statement, parameters)


_QUIET = "jsonb_to_recordset(%(quiet)s) AS q(timing_id bigint, ends_at timestamptz)"
# The request to confirm an address (all that it may be sent) comes while its owner waits for it.
# In one order, as whoever locks several; what was frozen meanwhile is not touched.
_PUT_OFF_PENDING = f"""
UPDATE deliveries d SET due_at = q.ends_at FROM (
    SELECT d.id, q.ends_at
    FROM channels c JOIN {_QUIET} ON q.timing_id = c.timing_id
    JOIN deliveries d ON d.channel_id = c.id
    WHERE c.unconfirmed_since IS NULL AND d.channel_kind = %(kind)s AND d.shard = ANY(%(shards)s)
      AND d.state = 'pending' AND NOT d.in_digest AND d.due_at <= %(now)s
    ORDER BY d.id FOR UPDATE OF d) q
WHERE d.id = q.id AND d.state = 'pending'
"""  # noqa: S608 (no value comes from outside)
_PUT_OFF_DUE = f"""
UPDATE messages m SET next_attempt_at = q.ends_at FROM (
    SELECT m.id, m.created_at, q.ends_at
    FROM channels c JOIN {_QUIET} ON q.timing_id = c.timing_id
    JOIN messages m ON m.channel_id = c.id
    WHERE c.unconfirmed_since IS NULL AND m.channel_kind = %(kind)s AND m.shard = ANY(%(shards)s)
      AND m.state = 'due' AND m.next_attempt_at <= %(now)s
    ORDER BY m.id FOR UPDATE OF m) q
WHERE m.id = q.id AND m.created_at = q.created_at AND m.state = 'due'
"""  # noqa: S608 (no value comes from outside)


# -- into rows ---------------------------------------------------------------------------------
def _insert(batch: Batch, drafts: Sequence[Draft]) -> list[Claimed]:
    """Store messages; those that are ours come back, claimed."""
    if not drafts:
        return []
    for place, draft in enumerate(drafts):
        draft.place = place
    found = sql.prepared(_INSERT, batch.parameters | {"drafts": sql.as_json(drafts)})
    return [
        Claimed(
            id=message_id,
            wire_id=wire_id,
            claim_no=1,
            channel_id=drafts[place].channel_id,
            tries=0,
            ambiguous=0,
            created_at=batch.now,
            refused_at=None,
            digest_date=drafts[place].digest_date,
        )
        for message_id, wire_id, place in found
    ]


_INSERT = """
WITH drafts AS MATERIALIZED (  -- read once
    SELECT gen_random_uuid() AS wire_id, n.* FROM jsonb_to_recordset(%(drafts)s) AS n(place int,
        channel_id bigint, destination_id bigint, deliveries bigint[], digest_date date,
        is_ours boolean, waits_until timestamptz)
), new AS (
    INSERT INTO messages AS m (wire_id, channel_id, channel_kind, destination_id, digest_date,
        state, claim_no, lease_expires_at, next_attempt_at, tries, ambiguous, lost_leases,
        created_at, remote_id, reason)
    SELECT wire_id, channel_id, %(kind)s, destination_id, digest_date,
        CASE WHEN is_ours THEN 'sending' ELSE 'due' END, CASE WHEN is_ours THEN 1 ELSE 0 END,
        CASE WHEN is_ours THEN %(until)s::timestamptz END,
        CASE WHEN NOT is_ours THEN coalesce(waits_until, %(now)s) END, 0, 0, 0, %(now)s, '', ''
    FROM drafts
    RETURNING m.id, m.wire_id, m.created_at
), composed AS (
    UPDATE deliveries d SET state = 'composed', message_id = new.id, message_at = new.created_at
    FROM drafts n JOIN new ON new.wire_id = n.wire_id
    CROSS JOIN LATERAL unnest(n.deliveries) AS each(id)
    WHERE d.id = each.id AND d.state = 'pending'
)
SELECT new.id, new.wire_id::text, n.place
FROM new JOIN drafts n ON n.wire_id = new.wire_id WHERE n.is_ours
"""
