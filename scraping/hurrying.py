"""A visit that somebody would like soon: brought forward, as far as politeness allows.

Nobody comes earlier by it than a target is worth asking again, nor while its store is in trouble;
turns, breakers and silences (scraping/politeness.py) are for whoever makes the visit.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.db import transaction

from stalkerr import sql

State = Literal["visiting", "waiting", "in_trouble"]


@dataclass(frozen=True, slots=True)
class Errand:
    """One place that a watch needs looked at, and when that will be, at the earliest."""

    marketplace: str
    kind: str
    query: str
    state: State
    due_at: dt.datetime
    visited_at: dt.datetime | None


def bring_forward(*, watch_id: int, now: dt.datetime) -> list[Errand]:
    """Have all that a watch needs visited as soon as may be; asking again changes nothing."""
    parameters = {"watch": watch_id, "now": now, "pause": settings.STORE_SAME_URL_INTERVAL}
    with transaction.atomic():
        sql.count(_BRING_FORWARD, parameters)
        return [Errand(*row) for row in sql.rows(_ERRANDS, parameters)]


# A visit that is under way, or that waits for its store to recover, is as soon as may be already.
_BRING_FORWARD = """
WITH wanted AS (
    SELECT t.id, greatest(%(now)s, t.visited_at + %(pause)s) AS due_at FROM targets t
    JOIN watch_queries q ON (q.marketplace, q.kind, q.query) = (t.marketplace, t.kind, t.query)
    WHERE q.watch_id = %(watch)s AND t.failures = 0
      AND coalesce(t.lease_expires_at < %(now)s, true)
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE targets t SET next_visit_at = w.due_at
FROM wanted w WHERE t.id = w.id AND w.due_at < t.next_visit_at
"""
_ERRANDS = """
SELECT q.marketplace, q.kind, q.query,
       CASE WHEN t.lease_expires_at >= %(now)s THEN 'visiting'
            WHEN t.failures > 0 THEN 'in_trouble' ELSE 'waiting' END,
       greatest(%(now)s, t.next_visit_at), t.visited_at
FROM watch_queries q
LEFT JOIN targets t ON (t.marketplace, t.kind, t.query) = (q.marketplace, q.kind, q.query)
WHERE q.watch_id = %(watch)s ORDER BY q.marketplace, q.kind, q.query
"""
