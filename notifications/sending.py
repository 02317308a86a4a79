"""Messages between rows and the wire: composed, claimed and settled, each by the batch.

`claim_no` is the fencing token. Every change of a message asks that it is still `sending` under
the caller's own number; what comes back are the messages for which that was true.
"""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.services import notify
from notifications.channels.base import Outcome, Verdict
from notifications.models import Channel
from notifications.retry import Decision
from notifications.services import hold
from stalkerr import sql
from stalkerr.locks import lock

# One destination's share of a batch, so that a crowded one does not stand before the others.
PER_DESTINATION = 20
MAX_LOST_LEASES = 5
# The breaker: so many contacts in a row that came to nothing, then a pause that doubles.
BREAKER_AFTER = 5
BREAKER_FIRST = dt.timedelta(minutes=1)
BREAKER_LONGEST = dt.timedelta(hours=1)

_CLAIMED = (
    "m.id, m.wire_id, m.claim_no, m.channel_id, m.tries, m.ambiguous, m.created_at, m.refused_at"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that the caller alone may send while its lease lasts."""

    id: int
    wire_id: uuid.UUID
    claim_no: int
    channel_id: int
    tries: int
    ambiguous: int
    created_at: dt.datetime
    refused_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A sent message, how it went, and what follows."""

    message: Claimed
    outcome: Outcome
    decision: Decision
    started_at: dt.datetime
    duration: dt.timedelta


def compose_due(
    *, kind: str, groups: int, limit: int, now: dt.datetime, lease: dt.timedelta
) -> list[Claimed]:
    """Freeze what is pending into at most `limit` messages, already claimed by the caller.

    Channels are chosen first, then their deliveries (at most `groups` a message), so that the
    limit never splits a group. Two composers could: hence the lock.
    """
    with transaction.atomic():
        lock("compose", kind)
        rows = sql.rows(
            _PENDING,
            {
                "kind": kind,
                "now": now,
                "channels": limit,
                "each": groups if groups > 1 else PER_DESTINATION,
                "rows": limit * groups,
            },
        )
        messages = _grouped(rows, groups)
        if not messages:
            return []
        claimed = sql.rows(
            f"""
            INSERT INTO messages AS m (wire_id, channel_id, channel_kind, destination_id, state,
                claim_no, lease_expires_at, tries, ambiguous, lost_leases, created_at, remote_id,
                reason)
            SELECT wire_id, channel_id, %(kind)s, destination_id, 'sending', 1, %(until)s, 0, 0, 0,
                %(now)s, '', ''
            FROM jsonb_to_recordset(%(messages)s) AS n(wire_id uuid, channel_id bigint,
                destination_id bigint)
            RETURNING {_CLAIMED}
            """,  # noqa: S608 (column names of ours)
            {"kind": kind, "now": now, "until": now + lease, "messages": json.dumps(messages)},
        )
        sql.rows(
            """
            UPDATE deliveries d SET state = 'composed', message_id = m.id
            FROM jsonb_to_recordset(%s) AS n(wire_id uuid, deliveries bigint[])
            JOIN messages m ON m.wire_id = n.wire_id
            WHERE d.id = ANY(n.deliveries)
            """,
            [json.dumps(messages)],
        )
    return [Claimed(*row) for row in claimed]


# A loose scan: from one waiting channel to the next, however much waits in each.
_PENDING = """
WITH RECURSIVE waiting AS (
    (SELECT channel_id FROM deliveries WHERE state = 'pending' AND channel_kind = %(kind)s
     ORDER BY channel_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.channel_id FROM deliveries d
            WHERE d.state = 'pending' AND d.channel_kind = %(kind)s AND d.channel_id > w.channel_id
            ORDER BY d.channel_id LIMIT 1)
    FROM waiting w WHERE w.channel_id IS NOT NULL
), chosen AS (
    SELECT c.id, c.destination_id FROM waiting w
    JOIN channels c ON c.id = w.channel_id AND c.disabled_at IS NULL
    JOIN destinations t ON t.id = c.destination_id
    WHERE coalesce(t.open_until <= %(now)s, true)
      AND EXISTS (SELECT FROM deliveries d WHERE d.channel_id = c.id AND d.state = 'pending'
                  AND d.channel_kind = %(kind)s AND d.due_at <= %(now)s)
    LIMIT %(channels)s
)
SELECT c.id, c.destination_id, d.id FROM chosen c
CROSS JOIN LATERAL (
    SELECT id FROM deliveries WHERE channel_id = c.id AND channel_kind = %(kind)s
        AND state = 'pending' AND due_at <= %(now)s
    ORDER BY due_at, id LIMIT %(each)s FOR UPDATE SKIP LOCKED) d
LIMIT %(rows)s
"""


def _grouped(rows: Sequence[tuple[int, int, int]], groups: int) -> list[dict[str, Any]]:
    """Deliveries by channel, at most `groups` a message."""
    messages: list[dict[str, Any]] = []
    for channel_id, destination_id, delivery_id in rows:
        last = messages[-1] if messages else None
        if last and last["channel_id"] == channel_id and len(last["deliveries"]) < groups:
            last["deliveries"].append(delivery_id)
            continue
        messages.append(
            {
                "wire_id": str(uuid.uuid4()),
                "channel_id": channel_id,
                "destination_id": destination_id,
                "deliveries": [delivery_id],
            }
        )
    return messages


def claim_due(*, kind: str, limit: int, now: dt.datetime, lease: dt.timedelta) -> list[Claimed]:
    """Claim messages to be tried again, and those whose sender vanished."""
    parameters = {
        "kind": kind,
        "limit": limit,
        "now": now,
        "until": now + lease,
        "each": PER_DESTINATION,
        "lost": MAX_LOST_LEASES,
    }
    with transaction.atomic():
        sql.rows(_BURY_LOST, parameters)
        rows = sql.rows(_RECLAIM, parameters)
        rows += sql.rows(_CLAIM, {**parameters, "limit": limit - len(rows)})
    return [Claimed(*row) for row in rows]


_BURY_LOST = """
UPDATE messages SET state = 'failed', reason = 'worker lost', finalized_at = %(now)s,
    lease_expires_at = NULL
WHERE state = 'sending' AND lease_expires_at < %(now)s AND lost_leases >= %(lost)s
  AND channel_kind = %(kind)s
"""
_RECLAIM = f"""
UPDATE messages m SET claim_no = claim_no + 1, lost_leases = lost_leases + 1,
    lease_expires_at = %(until)s
WHERE id IN (SELECT id FROM messages
             WHERE state = 'sending' AND lease_expires_at < %(now)s AND channel_kind = %(kind)s
             ORDER BY lease_expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING {_CLAIMED}
"""  # noqa: S608 (column names of ours)
_CLAIM = f"""
WITH RECURSIVE due AS (
    (SELECT destination_id FROM messages WHERE state = 'due' AND channel_kind = %(kind)s
     ORDER BY destination_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.destination_id FROM messages m WHERE m.state = 'due'
            AND m.channel_kind = %(kind)s AND m.destination_id > d.destination_id
            ORDER BY m.destination_id LIMIT 1)
    FROM due d WHERE d.destination_id IS NOT NULL
), mine AS MATERIALIZED (
    SELECT n.id FROM due d
    JOIN destinations t ON t.id = d.destination_id AND coalesce(t.open_until <= %(now)s, true)
    CROSS JOIN LATERAL (
        SELECT id FROM messages WHERE state = 'due' AND channel_kind = %(kind)s
            AND destination_id = t.id AND next_attempt_at <= %(now)s
        ORDER BY next_attempt_at LIMIT %(each)s FOR UPDATE SKIP LOCKED) n
    LIMIT %(limit)s
)
UPDATE messages m SET state = 'sending', claim_no = m.claim_no + 1, next_attempt_at = NULL,
    lease_expires_at = %(until)s
FROM mine WHERE m.id = mine.id
RETURNING {_CLAIMED}
"""  # noqa: S608 (column names of ours)


def settle(*, settled: Sequence[Settled], now: dt.datetime) -> set[int]:
    """Write down how messages went; returns those that were still the caller's.

    A sender that lost its lease changes nothing: its message belongs to another by then.
    """
    with transaction.atomic():
        rows = sql.rows(
            _SETTLE, {"results": json.dumps([_result(each) for each in settled]), "now": now}
        )
        mine = {message_id for (message_id,) in rows}
        _note_contacts([each for each in settled if each.message.id in mine], now)
        _disable_refused([each for each in settled if each.message.id in mine], now)
    return mine


# Channels are locked first: a channel disabled meanwhile holds what it would have made due. Not
# FOR SHARE: two that both have to disable one would wait for each other.
_SETTLE = """
WITH results AS (
    SELECT * FROM jsonb_to_recordset(%(results)s) AS r(id bigint, claim_no int, channel_id bigint,
        state text, tries int, ambiguous int, refused_at timestamptz, reason text,
        next_attempt_at timestamptz, remote_id text, verdict text, status int, detail text,
        started_at timestamptz, duration_ms int)
), locked AS MATERIALIZED (
    SELECT id, disabled_at IS NOT NULL AS is_disabled FROM channels
    WHERE id IN (SELECT channel_id FROM results) ORDER BY id FOR NO KEY UPDATE
), done AS (
    UPDATE messages m SET
        state = CASE WHEN r.state = 'due' AND c.is_disabled THEN 'held' ELSE r.state END,
        next_attempt_at = CASE WHEN r.state = 'due' AND NOT c.is_disabled THEN r.next_attempt_at END,
        finalized_at = CASE WHEN r.state IN ('sent', 'failed') THEN %(now)s END,
        lease_expires_at = NULL, tries = r.tries, ambiguous = r.ambiguous,
        refused_at = r.refused_at, reason = r.reason, remote_id = r.remote_id
    FROM results r JOIN locked c ON c.id = r.channel_id
    WHERE m.id = r.id AND m.state = 'sending' AND m.claim_no = r.claim_no
    RETURNING m.id
)
INSERT INTO attempts (message_id, claim_no, verdict, status, detail, started_at, duration_ms)
SELECT r.id, r.claim_no, r.verdict, r.status, r.detail, r.started_at, r.duration_ms
FROM results r JOIN done ON done.id = r.id
ON CONFLICT DO NOTHING
RETURNING message_id
"""


def _result(each: Settled) -> dict[str, Any]:
    decision, outcome = each.decision, each.outcome
    return {
        "id": each.message.id,
        "claim_no": each.message.claim_no,
        "channel_id": each.message.channel_id,
        "state": decision.state,
        "tries": decision.tries,
        "ambiguous": decision.ambiguous,
        "refused_at": _text(decision.refused_at),
        "reason": decision.reason,
        "next_attempt_at": _text(decision.next_attempt_at),
        "remote_id": outcome.remote_id,
        "verdict": outcome.verdict.value,
        "status": outcome.status,
        "detail": outcome.detail,
        "started_at": _text(each.started_at),
        "duration_ms": int(each.duration.total_seconds() * 1000),
    }


def _text(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _note_contacts(settled: Iterable[Settled], now: dt.datetime) -> None:
    """Count for metrics, and open or close the breakers of the destinations concerned."""
    contacts = [
        {
            "channel_id": each.message.channel_id,
            "sent": each.decision.state == "sent",
            "failed": each.decision.state == "failed",
            "answered": _is_answered(each.outcome),
            "wait_s": each.outcome.retry_after.total_seconds() if each.outcome.retry_after else 0,
        }
        for each in settled
    ]
    sql.rows(
        """
        WITH contacts AS (
            SELECT c.destination_id, count(*) FILTER (WHERE n.sent) AS sent,
                   count(*) FILTER (WHERE n.failed) AS failed, bool_or(n.answered) AS answered,
                   count(*) AS contacts, max(n.wait_s) AS wait_s
            FROM jsonb_to_recordset(%(contacts)s) AS n(channel_id bigint, sent boolean,
                 failed boolean, answered boolean, wait_s float)
            JOIN channels c ON c.id = n.channel_id GROUP BY c.destination_id
        ), locked AS MATERIALIZED (
            SELECT t.id, CASE WHEN c.answered THEN 0 ELSE t.failures + c.contacts END AS failures,
                   c.sent, c.failed, c.wait_s
            FROM destinations t JOIN contacts c ON c.destination_id = t.id
            ORDER BY t.id FOR UPDATE OF t
        )
        UPDATE destinations t SET failures = l.failures,
            sent_total = t.sent_total + l.sent, failed_total = t.failed_total + l.failed,
            open_until = CASE
                WHEN l.wait_s > 0 THEN %(now)s + make_interval(secs => l.wait_s)
                WHEN l.failures >= %(after)s THEN %(now)s + least(%(longest)s,
                    %(first)s * power(2, least(l.failures - %(after)s, 10)))
            END
        FROM locked l WHERE t.id = l.id
        """,
        {
            "contacts": json.dumps(contacts),
            "now": now,
            "after": BREAKER_AFTER,
            "first": BREAKER_FIRST,
            "longest": BREAKER_LONGEST,
        },
    )


def _is_answered(outcome: Outcome) -> bool:
    """Whether somebody is there: a yes, a clear no, or a complaint about this one message."""
    clear = outcome.verdict in (Verdict.ACCEPTED, Verdict.REFUSED)
    return clear or (outcome.status is not None and 400 <= outcome.status < 500)


def _disable_refused(settled: Iterable[Settled], now: dt.datetime) -> None:
    """An address that refused for good is not asked again; its owner hears of it elsewhere."""
    refused = {each.message.channel_id: each for each in settled if each.decision.disable_channel}
    for channel in Channel.objects.enabled().filter(id__in=refused).order_by("id"):
        reason = refused[channel.id].decision.reason
        Channel.objects.filter(id=channel.id).update(disabled_at=now, disabled_reason=reason)
        notify(
            user_id=channel.user_id,
            subject=f"Your channel {channel} was switched off",
            text=f"{reason} What it would have been told is kept; check its address, enable it "
            "and replay what was held.",
            dedupe_key=f"channel-disabled:{channel.id}:{now.isoformat()}",
            now=now,
        )
    hold(channel_ids=list(refused))


def kinds_due(*, now: dt.datetime) -> list[str]:
    """The kinds of channel that have something to send or to take over."""
    rows = sql.rows(
        """
        WITH RECURSIVE kinds AS (
            (SELECT kind FROM channels ORDER BY kind LIMIT 1)
            UNION ALL
            SELECT (SELECT c.kind FROM channels c WHERE c.kind > k.kind ORDER BY c.kind LIMIT 1)
            FROM kinds k WHERE k.kind IS NOT NULL
        )
        SELECT kind FROM kinds WHERE kind IS NOT NULL AND (
            EXISTS (SELECT FROM deliveries d WHERE d.state = 'pending' AND d.channel_kind = kind
                    AND d.due_at <= %(now)s)
            OR EXISTS (SELECT FROM messages m WHERE m.state = 'due' AND m.channel_kind = kind
                       AND m.next_attempt_at <= %(now)s)
            OR EXISTS (SELECT FROM messages m WHERE m.state = 'sending' AND m.channel_kind = kind
                       AND m.lease_expires_at < %(now)s))
        """,
        {"now": now},
    )
    return [kind for (kind,) in rows]
