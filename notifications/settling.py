"""How messages went, written down by the batch: a group commit.

`claim_no` is the fencing token. Every change of a message asks that it is still `sending` under
the caller's own number; what comes back are the messages for which that was true.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.services import notify
from notifications.channels.base import Outcome
from notifications.destinations import Contact, note_contacts
from notifications.links import CONFIRM
from notifications.models import Channel
from notifications.retry import Decision
from notifications.sending import Claimed
from notifications.services import hold
from stalkerr import sql


@dataclass(frozen=True, slots=True)
class Settled:
    """A sent message, how it went, and what follows."""

    message: Claimed
    outcome: Outcome
    decision: Decision
    started_at: dt.datetime
    duration: dt.timedelta


def settle(*, settled: Sequence[Settled], now: dt.datetime) -> set[int]:
    """Write down how messages went; returns those that were still the caller's.

    A sender that lost its lease changes nothing: its message belongs to another by then.
    """
    with transaction.atomic():
        rows = sql.rows(
            _SETTLE, {"results": json.dumps([_result(each) for each in settled]), "now": now}
        )
        kept = {message_id for (message_id,) in rows}
        mine = [each for each in settled if each.message.id in kept]
        note_contacts([_contact(each) for each in mine], now=now)
        _disable_refused(mine, now)
    return kept


# Channels are locked first: a channel disabled meanwhile holds what it would have made due. Not
# FOR SHARE: two that both have to disable one would wait for each other.
_LOCKED = """
    SELECT id, disabled_at IS NOT NULL AS is_disabled, unconfirmed_since IS NOT NULL AS is_unconfirmed
    FROM channels WHERE id IN (SELECT channel_id FROM results) ORDER BY id FOR NO KEY UPDATE
"""
# An address that has to be confirmed (again) is sent the request to do so, and nothing else.
_IS_HELD = f"""
    CASE WHEN c.is_disabled THEN true WHEN c.is_unconfirmed THEN NOT EXISTS (
        SELECT FROM deliveries d JOIN accounts_notice n ON n.id = d.notice_id
        WHERE d.message_id = r.id AND starts_with(n.dedupe_key, '{CONFIRM}:'))
    ELSE false END
"""
_SETTLE = f"""
WITH results AS (
    SELECT * FROM jsonb_to_recordset(%(results)s) AS r(id bigint, created_at timestamptz,
        claim_no int, channel_id bigint, state text, tries int, ambiguous int,
        refused_at timestamptz, reason text, next_attempt_at timestamptz, remote_id text,
        verdict text, status int, detail text, started_at timestamptz, duration_ms int)
), locked AS MATERIALIZED ({_LOCKED}), ends AS (
    SELECT r.id, CASE WHEN r.state = 'due' AND {_IS_HELD} THEN 'held' ELSE r.state END AS state
    FROM results r JOIN locked c ON c.id = r.channel_id
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
    RETURNING m.id
)
INSERT INTO attempts (message_id, message_at, claim_no, verdict, status, detail, started_at,
                      duration_ms)
SELECT r.id, r.created_at, r.claim_no, r.verdict, r.status, r.detail, r.started_at, r.duration_ms
FROM results r JOIN done ON done.id = r.id
ON CONFLICT DO NOTHING
RETURNING message_id
"""  # noqa: S608 (words of ours)


def _result(each: Settled) -> dict[str, Any]:
    decision, outcome = each.decision, each.outcome
    return {
        "id": each.message.id,
        "created_at": _text(each.message.created_at),
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


def _contact(each: Settled) -> Contact:
    is_retry = each.message.claim_no > 1
    return Contact(each.message.channel_id, each.outcome, each.decision.state, is_retry)


def _disable_refused(settled: Iterable[Settled], now: dt.datetime) -> None:
    """An address that refused for good is not asked again; its owner hears of it elsewhere."""
    refused = {each.message.channel_id: each for each in settled if each.decision.disable_channel}
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
            "created_at": _text(message.created_at),
            "claim_no": message.claim_no,
            "channel_id": message.channel_id,
            "next_attempt_at": _text(now + wait),
        }
        for message, wait in waits.items()
    ]
    if rows:
        sql.rows(_PUT_BACK, [json.dumps(rows)])


_PUT_BACK = f"""
WITH results AS (
    SELECT * FROM jsonb_to_recordset(%s) AS r(id bigint, created_at timestamptz, claim_no int,
        channel_id bigint, next_attempt_at timestamptz)
), locked AS MATERIALIZED ({_LOCKED}), ends AS (
    SELECT r.id, {_IS_HELD} AS is_held FROM results r JOIN locked c ON c.id = r.channel_id
)
UPDATE messages m SET state = CASE WHEN e.is_held THEN 'held' ELSE 'due' END,
    lease_expires_at = NULL, next_attempt_at = CASE WHEN NOT e.is_held THEN r.next_attempt_at END
FROM results r JOIN ends e ON e.id = r.id
WHERE m.id = r.id AND m.created_at = r.created_at
  AND m.state = 'sending' AND m.claim_no = r.claim_no
"""  # noqa: S608 (words of ours)
