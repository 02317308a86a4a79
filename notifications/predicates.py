"""What the matching statement asks of a watch and an event, each condition by itself.

The conditions are the statement's own (notifications/matching.py), and what its joins ask comes
beside them; tests hold the two against each other over many cases.
"""

import datetime as dt
from collections.abc import Iterable

from notifications.matching import CONDITIONS, HEARD_SINCE, NEWS, Matcher, Range, asked
from stalkerr import sql

_ASKED = {
    "muted": "NOT w.muted",
    "keys": """EXISTS (SELECT FROM watch_keys wk WHERE wk.watch_id = w.id AND wk.user_id = w.user_id
                       AND wk.key = ANY(n.keys))""",
    "baseline": "q.active_from IS NOT NULL",
    **CONDITIONS,
    # These say nothing yet of a watch that still learns what is there.
    "age": f"q.active_from IS NULL OR ({CONDITIONS['age']})",
    "announced_before": f"q.active_from IS NULL OR ({CONDITIONS['announced_before']})",
}
_SELECT = f"""
WITH {NEWS}
SELECT {", ".join(f"coalesce(({each}), false)" for each in _ASKED.values())}
FROM news n CROSS JOIN watches w
{HEARD_SINCE}
WHERE w.id = %(watch_id)s
"""  # noqa: S608 (no value comes from outside)


def conditions(match: Matcher, *, watch_id: int) -> dict[str, bool]:
    """Which conditions hold, by name, for a watch that exists."""
    (held,) = sql.rows(_SELECT, {**asked([Range(match)]), "watch_id": watch_id})
    return dict(zip(_ASKED, held, strict=True))


# The watch is a parameter here, under the name of the table that the conditions speak of.
_SUPPOSE = f"""
WITH {NEWS}, watches AS (
    SELECT * FROM jsonb_populate_record(NULL::watches, %(watch)s::jsonb)
), watch_queries AS (
    SELECT w.id AS watch_id, m.marketplace, %(since)s::timestamptz AS active_from
    FROM watches w CROSS JOIN LATERAL unnest(w.marketplaces) AS m(marketplace)
)
SELECT n.event_id, {", ".join(f"coalesce(({each}), false)" for each in CONDITIONS.values())}
FROM news n CROSS JOIN watches w
{HEARD_SINCE}
"""  # noqa: S608


def suppose(
    matches: Iterable[Matcher], *, watch: str, since: dt.datetime
) -> dict[int, dict[str, bool]]:
    """By event: which conditions hold for a watch, had it been heard everywhere since then.

    `watch`: its row as JSON; there need not be one. That they share a key is not asked.
    """
    ranges = [Range(match) for match in matches]
    rows = sql.rows(_SUPPOSE, {**asked(ranges), "watch": watch, "since": since})
    return {event_id: dict(zip(CONDITIONS, held, strict=True)) for event_id, *held in rows}
