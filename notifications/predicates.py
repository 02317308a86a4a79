"""What the matching statement asks of one watch and one event, each condition by itself.

The conditions are the statement's own (notifications/matching.py), and what its joins ask comes
beside them; a test holds the two against each other over many cases.
"""

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
