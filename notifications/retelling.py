"""What flapped and then stood: told once more, so that the last thing heard is the true one."""

import datetime as dt

from django.db import transaction

from notifications.matching import DIGESTS, digest_rows
from notifications.services import PROMISES
from notifications.wishes import next_digests
from stalkerr import sql
from stalkerr.locks import lock

LOOK_BACK = dt.timedelta(days=30)
STOOD = dt.timedelta(hours=72)
AT_MOST = dt.timedelta(days=7)


def retell(*, now: dt.datetime) -> int:
    """Tell dates that have stood for 72 hours to channels that last heard another one.

    A date that was told, left and came back is not news a second time (`Told`); a channel would
    be left with the one in between. Its row of `Told` moves on, and the newest event is promised.
    At most weekly; only where a watch that asked then still stands, and not where the newest date
    waits for a person (catalog/brake.py). Returns how many promises.
    """
    with transaction.atomic():
        lock(PROMISES, shared=True)  # merging works moves rows of Told
        return sql.count(
            _RETELL,
            {
                "now": now,
                "since": now - LOOK_BACK,
                "stood_since": now - STOOD,
                "week_ago": now - AT_MOST,
                "digests": digest_rows(next_digests(now)),
            },
        )


_RETELL = f"""
WITH newest AS (
    SELECT DISTINCT ON (e.audiobook_id) e.id, e.audiobook_id, e.seen_at, e.new_date, e.held_by
    FROM release_events e
    WHERE e.kind = 'date_moved' AND e.seen_at > %(since)s
    ORDER BY e.audiobook_id, e.revision DESC
), stood AS (
    SELECT n.id AS event_id, n.audiobook_id, a.work_id, n.new_date::text AS value
    FROM newest n JOIN audiobooks a ON a.id = n.audiobook_id
    WHERE n.seen_at <= %(stood_since)s AND n.held_by IS NULL AND a.release_date = n.new_date
      AND a.out_at IS NULL AND a.withdrawn_at IS NULL AND a.hidden_at IS NULL
), last_told AS (
    SELECT DISTINCT ON (s.event_id, t.channel_id, t.audiobook_id)
           s.event_id, s.work_id, s.value, t.channel_id, t.audiobook_id AS edition,
           t.value AS heard, t.event_id AS heard_event
    FROM stood s
    JOIN told t ON t.work_id = s.work_id AND t.kind = 'date_moved'
         AND coalesce(t.audiobook_id, s.audiobook_id) = s.audiobook_id
    -- of the work's dates, those this edition ever had: another edition may have told them
    WHERE EXISTS (SELECT FROM release_events e
                  WHERE e.audiobook_id = s.audiobook_id AND e.kind = 'date_moved'
                    AND e.new_date::text = t.value)
    ORDER BY s.event_id, t.channel_id, t.audiobook_id, coalesce(t.retold_at, t.told_at) DESC, t.id DESC
), asked AS (
    SELECT l.*, d.user_id, array_agg(w.id ORDER BY w.id) AS watch_ids
    FROM last_told l
    JOIN deliveries d ON d.event_id = l.heard_event AND d.channel_id = l.channel_id
    JOIN watches w ON w.id = ANY(d.watch_ids) AND w.ended_at IS NULL AND NOT w.muted
    WHERE l.heard <> l.value
      AND NOT EXISTS (SELECT FROM marks m WHERE m.work_id = l.work_id AND m.user_id = d.user_id)
    GROUP BY l.event_id, l.work_id, l.value, l.channel_id, l.edition, l.heard, l.heard_event, d.user_id
), retold AS (
    UPDATE told t SET retold_at = %(now)s, event_id = a.event_id
    FROM asked a
    WHERE t.work_id = a.work_id AND t.channel_id = a.channel_id
      AND t.audiobook_id IS NOT DISTINCT FROM a.edition
      AND t.kind = 'date_moved' AND t.value = a.value
      AND coalesce(t.retold_at < %(week_ago)s, true)
    RETURNING a.event_id, a.channel_id, a.user_id, a.watch_ids
)
INSERT INTO deliveries (event_id, source_at, user_id, channel_id, channel_kind, destination_id,
                        watch_ids, state, due_at, in_digest, created_at)
SELECT r.event_id, e.seen_at, r.user_id, r.channel_id, c.kind, c.destination_id, r.watch_ids,
       CASE WHEN c.disabled_at IS NULL AND c.unconfirmed_since IS NULL
            THEN 'pending' ELSE 'held' END,
       coalesce(g.due_at, %(now)s), g.due_at IS NOT NULL, %(now)s
FROM retold r
JOIN release_events e ON e.id = r.event_id
JOIN channels c ON c.id = r.channel_id
LEFT JOIN {DIGESTS} ON g.timing_id = c.timing_id
ON CONFLICT (event_id, channel_id, source_at) DO NOTHING
"""  # noqa: S608 (no value comes from outside)
