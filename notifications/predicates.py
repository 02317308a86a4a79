"""What the matching statement asks of one watch and one event, each condition by itself.

Whether a watch wants an event is said by notifications/matching.py alone. This only finds the
words for it, and a test holds the two against each other over many cases.
"""

from notifications.matching import Matcher
from stalkerr import sql

# In the order in which people ask. `q`: since when the watch is heard in that marketplace.
_CONDITIONS = {
    "ended": "w.ended_at IS NULL",
    "muted": "NOT w.muted",
    "keys": """EXISTS (SELECT FROM watch_keys wk WHERE wk.watch_id = w.id AND wk.user_id = w.user_id
                       AND wk.key = ANY(%(keys)s::text[]))""",
    "required": "w.required_keys <@ %(keys)s::text[]",
    "excluded": "NOT w.excluded_keys && %(keys)s::text[]",
    "phrase": "w.phrase = '' OR strpos(%(folded)s, w.phrase) > 0",
    "hidden": "w.kind = 'asin' OR NOT w.hidden && %(traits)s::text[]",
    "language": """w.kind = 'asin' OR %(language)s = '' OR w.languages && ARRAY['any', %(language)s]
                   OR (w.languages = '{}' AND %(language)s = %(own_language)s)""",
    "mark": """NOT EXISTS (SELECT FROM marks m
                           WHERE m.work_id = %(work_id)s AND m.user_id = w.user_id)""",
    "event_kind": "%(kind)s = ANY(w.event_kinds)",
    "baseline": "q.active_from IS NOT NULL",
    "age": "q.active_from IS NULL OR q.active_from <= %(seen_at)s",
    "announced_before": """q.active_from IS NULL OR q.active_from <= %(first_seen_at)s
        OR (w.include_announced AND coalesce(
            %(planned_date)s::date >= (q.active_from AT TIME ZONE %(zone)s)::date, true))""",
}
_SELECT = f"""
SELECT {", ".join(f"coalesce(({asked}), false)" for asked in _CONDITIONS.values())}
FROM watches w
CROSS JOIN LATERAL (
    SELECT min(wq.active_from) AS active_from FROM watch_queries wq
    WHERE wq.watch_id = w.id AND wq.marketplace = %(marketplace)s) q
WHERE w.id = %(watch_id)s
"""  # noqa: S608 (no value comes from outside)


def conditions(match: Matcher, *, watch_id: int) -> dict[str, bool]:
    """Which conditions hold, by name, for a watch that exists."""
    (held,) = sql.rows(_SELECT, {**match.parameters, "watch_id": watch_id})
    return dict(zip(_CONDITIONS, held, strict=True))
