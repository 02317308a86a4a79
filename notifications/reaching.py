"""Whether messages get through, judged by what came of the last contacts: for health and alarms."""

import datetime as dt

from notifications.destinations import BREAKER_AFTER
from stalkerr import sql

LATELY = dt.timedelta(hours=1)
ENOUGH = 3  # destinations of one kind: a single server that is gone is its owner's


def silent_kinds(*, now: dt.datetime) -> list[str]:
    """Kinds of channel over which nobody answers any more.

    A kind of which several destinations were contacted lately and none of them answers; all kinds,
    where none answers at all, however few: then it is our own way out.
    """
    rows = sql.rows(
        """
        SELECT kind, count(*), count(*) FILTER (WHERE failures >= %s)
        FROM destinations WHERE credited_at > %s GROUP BY kind ORDER BY kind
        """,
        [BREAKER_AFTER, now - LATELY],
    )
    silent = [(kind, contacted) for kind, contacted, failing in rows if failing == contacted]
    if len(silent) == len(rows):
        return [kind for kind, _ in silent]
    return [kind for kind, contacted in silent if contacted >= ENOUGH]
