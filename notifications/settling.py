"""How messages went, written down by the batch: a group commit.

`claim_no` is the fencing token. Every change of a message asks that it is still `sending` under
the caller's own number; what comes back are the messages for which that was true.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from django.db import transaction

from accounts.services import notify
from notifications.channels.base import Outcome
from notifications.destinations import NOTE_CONTACTS, credit_of, is_answered, wait_of
from notifications.links import CONFIRM
from notifications.models import Channel
from notifications.retry import Decision
from notifications.sending import Claimed, say_poisoned
from notifications.services import hold
from stalkerr import figures, sql


class Settled(NamedTuple):
    """A sent message, how it went, and what follows."""

    message: Claimed
    outcome: Outcome
    decision: Decision
    started_at: dt.datetime
    duration: dt.timedelta
    was_made: bool = True  # False where we never got so far as to ask the other side
    kind: str = ""  # of channel
    seen_at: dt.datetime | None = None  # what it tells at once, and nobody wished to hear later


def settle(*, settled: Sequence[Settled], now: dt.datetime) -> set[int]:
    """Write down how messages went; returns those that were still the caller's.

    A sender that lost its lease changes nothing: its message belongs to another by then.
    """
    refused = [each for each in settled if each.decision.disable_channel]
    broken = [each for each in settled if each.outcome.is_ours and each.decision.state == "failed"]
    # One statement needs no transaction.
    with transaction.atomic() if refused or broken else nullcontext():
        results = sql.as_json([_result(each) for each in settled])
        found = sql.prepared(_SETTLE, {"results": results, "now": now})
        kept = {message_id for (message_id,) in found}
        _disable_refused([each for each in refused if each.message.id in kept], now)
        for each in broken:
            if each.message.id in kept:
                say_poisoned(each.message.wire_id, each.decision.reason, now)
    _count(each for each in settled if each.message.id in kept)
    return kept


def _count(settled: Iterable[Settled]) -> None:
    for each in settled:
        figures.ATTEMPTS.labels(each.kind, each.outcome.verdict.value).inc()
        if each.seen_at and each.decision.state == "sent":
            passed = each.started_at + each.duration - each.seen_at
            figures.DELIVERY_SECONDS.labels(each.kind).observe(max(0.0, passed.total_seconds()))


# Channels are locked first, of what is to be tried again: one disabled meanwhile holds it. Not
# FOR SHARE: two that both have to disable one would wait for each other.
_LOCKED = """locked AS MATERIALIZED (
    SELECT id, disabled_at IS NOT NULL AS is_disabled, unconfirmed_since IS NOT NULL AS is_unconfirmed
    FROM channels WHERE id IN (SELECT channel_id FROM results WHERE state = 'due')
    ORDER BY id FOR NO KEY UPDATE
)"""
# An address that has to be confirmed (again) is sent the request to do so, and nothing else.
_IS_HELD = f"""
    CASE WHEN c.is_disabled THEN true WHEN c.is_unconfirmed THEN EXISTS (
        SELECT FROM deliveries d LEFT JOIN accounts_notice n ON n.id = d.notice_id
        WHERE d.message_id = r.id AND NOT coalesce(starts_with(n.dedupe_key, '{CONFIRM}:'), false))
    ELSE false END
"""
_SETTLE = f"""
WITH results AS (
    SELECT * FROM jsonb_to_recordset(%(results)s) AS r(id bigint, created_at timestamptz,
        claim_no int, channel_id bigint, state text, tries int, ambiguous int,
        refused_at timestamptz, reason text, next_attempt_at timestamptz, remote_id text,
        verdict text, status int, detail text, started_at timestamptz, duration_ms int,
        answered boolean, was_made boolean, wait_s float, credit float)
), {_LOCKED}, ends AS (
    SELECT r.id, CASE WHEN r.state = 'due' AND {_IS_HELD} THEN 'held' ELSE r.state END AS state
    FROM results r LEFT JOIN locked c ON c.id = r.channel_id
), done AS (
    UPDATE messages m SET
        state = e.state,
        next_attempt_at = CASE WHEN e.state = 'due' THEN r.next_attempt_at END,
        finalized_at = CASE WHEN r.state IN ('sent', 'failed') THEN %(now)s END,
        lease_expires_at = NULL, tries = r.tries, ambiguous = r.ambiguous,
        refused_at = r.refused_at, reason = r.reason, remote_id = r.remote_id
    FROM results r JOIN ends e ON e.id = r.id
    WHERE m.id = r.id AND m.created_at = r.created_at
      AND m.state = 'sending' AND m.claim_no = r.claim_no
    RETURNING m.id, m.destination_id
), logged AS (
    INSERT INTO attempts (message_id, message_at, claim_no, verdict, status, detail, started_at,
                          duration_ms)
    SELECT r.id, r.created_at, r.claim_no, r.verdict, r.status, r.detail, r.started_at,
           r.duration_ms
    FROM results r JOIN done ON done.id = r.id
    ON CONFLICT DO NOTHING
), {NOTE_CONTACTS}
SELECT id FROM done
"""  # noqa: S608 (numbers of ours)


def _result(each: Settled) -> dict[str, Any]:
    message, outcome, decision = each.message, each.outcome, each.decision
    return {
        "id": message.id,
        "created_at": message.created_at,
        "claim_no": message.claim_no,
        "channel_id": message.channel_id,
        "state": decision.state,
        "tries": decision.tries,
        "ambiguous": decision.ambiguous,
        "refused_at": decision.refused_at,
        "reason": decision.reason,
        "next_attempt_at": decision.next_attempt_at,
        "remote_id": outcome.remote_id,
        "verdict": outcome.verdict.value,
        "status": outcome.status,
        "detail": outcome.detail,
        "started_at": each.started_at,
        "duration_ms": int(each.duration.total_seconds() * 1000),
        "answered": each.was_made and is_answered(outcome),
        "was_made": each.was_made,
        "wait_s": wait_of(outcome),
        "credit": credit_of(outcome, is_retry=message.tries > 0) if each.was_made else 0.0,
    }


def _disable_refused(settled: Iterable[Settled], now: dt.datetime) -> None:
    """An address that refused for good is not asked again; its owner hears of it elsewhere."""
    refused = {each.message.channel_id: each for each in settled}
    if not refused:
        return
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


def put_back(*, waits: Mapping[Claimed, dt.timedelta], now: dt.datetime) -> None:
    """Give claimed messages back whose turn has not come: no attempt was made, no try is spent.

    What its channel does not hear any more is held.
    """
    rows = [
        {
            "id": message.id,
            "created_at": message.created_at,
            "claim_no": message.claim_no,
            "channel_id": message.channel_id,
            "state": "due",
            "next_attempt_at": now + wait,
        }
        for message, wait in waits.items()
    ]
    if rows:
        sql.rows(_PUT_BACK, {"results": sql.as_json(rows)})


_PUT_BACK = f"""
WITH results AS (
    SELECT * FROM jsonb_to_recordset(%(results)s) AS r(id bigint, created_at timestamptz,
        claim_no int, channel_id bigint, state text, next_attempt_at timestamptz)
), {_LOCKED}, ends AS (
    SELECT r.id, {_IS_HELD} AS is_held FROM results r JOIN locked c ON c.id = r.channel_id
)
UPDATE messages m SET state = CASE WHEN e.is_held THEN 'held' ELSE 'due' END,
    next_attempt_at = CASE WHEN NOT e.is_held THEN r.next_attempt_at END,
    lease_expires_at = NULL
FROM results r JOIN ends e ON e.id = r.id
WHERE m.id = r.id AND m.created_at = r.created_at
  AND m.state = 'sending' AND m.claim_no = r.claim_no
"""  # noqa: S608 (no value comes from outside)
