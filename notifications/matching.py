"""Who hears of an event: one statement from match keys to deliveries, for a range of users.

The same statement fans a chunk out, fans out again for one user, and says after an edit what is
still wanted. Candidates come from an index join on match keys; the LATERALs with OFFSET 0 keep
the planner from scanning all watches instead. All else is a predicate on candidates.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.marketplaces import MARKETPLACES
from catalog.models import ReleaseEvent
from stalkerr import sql

ALL_USERS = 2**63 - 1

# What a watch that shares a key must fulfil besides. `q`: since when it is heard in that marketplace.
CONDITIONS = {
    "ended": "w.ended_at IS NULL",
    "event_kind": "%(kind)s = ANY(w.event_kinds)",
    # younger than the event: it does not take part, nor during its baseline
    "age": "q.active_from <= %(seen_at)s",
    # a title that was there before the watch: only if asked for, and if not out by then
    "announced_before": """q.active_from <= %(first_seen_at)s OR (w.include_announced AND coalesce(
        %(planned_date)s::date >= (q.active_from AT TIME ZONE %(zone)s)::date, true))""",
    # one title that was asked for by its ASIN is wanted whatever it is
    "language": """w.kind = 'asin' OR %(language)s = '' OR w.languages && ARRAY['any', %(language)s]
        OR (w.languages = '{}' AND %(language)s = %(own_language)s)""",
    "hidden": "w.kind = 'asin' OR NOT w.hidden && %(traits)s::text[]",
    "required": "w.required_keys <@ %(keys)s::text[]",
    "excluded": "NOT w.excluded_keys && %(keys)s::text[]",
    "phrase": "w.phrase = '' OR strpos(%(folded)s, w.phrase) > 0",
    "mark": """NOT EXISTS (SELECT FROM marks m
                           WHERE m.work_id = %(work_id)s AND m.user_id = w.user_id)""",
}
# Heard there since the first of its queries is.
HEARD_SINCE = """CROSS JOIN LATERAL (
        SELECT min(wq.active_from) AS active_from FROM watch_queries wq
        WHERE wq.watch_id = w.id AND wq.marketplace = %(marketplace)s
        OFFSET 0) q"""

_ROUTED = f"""
matched AS (
    SELECT w.id AS watch_id, w.user_id, w.per_edition, w.muted,
           greatest(%(now)s, coalesce(w.snoozed_until, %(now)s)) AS due_at
    FROM unnest(%(keys)s::text[]) AS k(key)
    CROSS JOIN LATERAL (
        SELECT wk.watch_id FROM watch_keys wk
        WHERE wk.key = k.key COLLATE "C" AND wk.user_id > %(after)s AND wk.user_id <= %(through)s
        OFFSET 0) c
    CROSS JOIN LATERAL (SELECT * FROM watches w WHERE w.id = c.watch_id OFFSET 0) w
    {HEARD_SINCE}
    WHERE {" AND ".join(f"({asked})" for asked in CONDITIONS.values())}
), routed AS (
    SELECT m.*, r.channel_id, r.event_kinds FROM matched m
    JOIN routes r ON r.user_id = m.user_id AND r.watch_id = m.watch_id
    UNION ALL
    SELECT m.*, r.channel_id, r.event_kinds FROM matched m
    JOIN routes r ON r.user_id = m.user_id AND r.watch_id IS NULL
    WHERE NOT EXISTS (SELECT FROM routes own WHERE own.watch_id = m.watch_id)
), heard AS (
    SELECT DISTINCT channel_id, watch_id, user_id, per_edition, muted, due_at FROM routed
    WHERE cardinality(event_kinds) = 0 OR %(kind)s = ANY(event_kinds)
)"""  # noqa: S608 (no value comes from outside)

_PROMISE = f"""
WITH {_ROUTED}, remembered AS (
    INSERT INTO told (work_id, channel_id, audiobook_id, kind, value, event_id, told_at)
    SELECT %(work_id)s::bigint, channel_id,
           CASE WHEN per_edition THEN %(audiobook_id)s::bigint END,
           %(kind)s, %(value)s, %(event_id)s::bigint, %(now)s
    FROM heard
    -- in one order everywhere, or two events of one work would wait for each other in a ring
    GROUP BY user_id, channel_id, per_edition ORDER BY user_id, channel_id, per_edition
    ON CONFLICT (work_id, channel_id, audiobook_id, kind, value) DO NOTHING
    RETURNING channel_id, audiobook_id
)
INSERT INTO deliveries (event_id, user_id, channel_id, channel_kind, watch_ids, state, due_at,
                        created_at)
SELECT %(event_id)s::bigint, h.user_id, h.channel_id, c.kind, array_agg(DISTINCT h.watch_id),
       CASE WHEN c.disabled_at IS NULL THEN 'pending' ELSE 'held' END, min(h.due_at), %(now)s
FROM heard h
JOIN remembered r ON r.channel_id = h.channel_id AND (r.audiobook_id IS NOT NULL) = h.per_edition
JOIN channels c ON c.id = h.channel_id
WHERE NOT h.muted
GROUP BY h.channel_id, h.user_id, c.kind, c.disabled_at
ON CONFLICT (event_id, channel_id) DO UPDATE
SET state = EXCLUDED.state, watch_ids = EXCLUDED.watch_ids, due_at = EXCLUDED.due_at
WHERE deliveries.state = 'cancelled'
"""  # noqa: S608 (no value comes from outside)

_WANTED = f"WITH {_ROUTED} SELECT channel_id, watch_id, due_at FROM heard WHERE NOT muted"  # noqa: S608

# The n-th candidate user over all keys: each key's scan stops at n.
_UPPER_BOUND = """
SELECT c.user_id FROM unnest(%(keys)s::text[]) AS k(key)
CROSS JOIN LATERAL (
    SELECT wk.user_id FROM watch_keys wk
    WHERE wk.key = k.key COLLATE "C" AND wk.user_id > %(after)s
    ORDER BY wk.user_id LIMIT %(rows)s) c
ORDER BY c.user_id OFFSET %(rows)s - 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Matcher:
    """An event with all that matching asks of it and of its audiobook."""

    parameters: Mapping[str, Any]

    def upper_bound(self, *, after: int, rows: int) -> int:
        """The last user of the next chunk of about `rows` candidates."""
        found = self._run(_UPPER_BOUND, after=after, rows=rows)
        return int(found[0][0]) if found else ALL_USERS

    def promise(self, *, after: int, through: int, now: dt.datetime) -> None:
        """Insert what users in (after, through] are to be told and have not been."""
        self._run(_PROMISE, after=after, through=through, now=now)

    def wanted(self, *, user_id: int, now: dt.datetime) -> dict[tuple[int, int], dt.datetime]:
        """The (channel, watch) pairs of one user that want this event as things stand, and when."""
        found = self._run(_WANTED, after=user_id - 1, through=user_id, now=now)
        return {(channel_id, watch_id): due_at for channel_id, watch_id, due_at in found}

    def _run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return sql.rows(statement, {**self.parameters, **values})


def matcher(event: ReleaseEvent) -> Matcher:
    """`event` with its audiobook loaded."""
    audiobook = event.audiobook
    return Matcher(
        {
            "event_id": event.id,
            "kind": event.kind,
            "value": event.value,
            "seen_at": event.seen_at,
            "planned_date": event.old_date or audiobook.release_date,
            "audiobook_id": audiobook.id,
            "work_id": audiobook.work_id,
            "marketplace": audiobook.marketplace,
            "zone": str(MARKETPLACES[audiobook.marketplace].zone),
            "first_seen_at": audiobook.first_seen_at,
            "language": audiobook.language,
            "own_language": MARKETPLACES[audiobook.marketplace].language,
            "traits": audiobook.traits,
            "keys": audiobook.match_keys,
            "folded": audiobook.folded,
        }
    )
