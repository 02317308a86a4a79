"""What should have been sent by now: for health, metrics and alarms."""

import datetime as dt
from dataclasses import dataclass

from stalkerr import sql


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits though its time has come, and since when the oldest of it (None: nothing waits).

    What waits for an address that is spared (the breaker) does not count.
    """

    count: int
    oldest_at: dt.datetime | None


def backlog(*, now: dt.datetime) -> Backlog:
    """News not fanned out, promises not composed, messages not tried: all that is due at `now`."""
    ((count, oldest_at),) = sql.rows(
        """
        WITH due AS (
            SELECT seen_at AS since FROM release_events WHERE fanned_out_at IS NULL
            UNION ALL
            SELECT d.due_at FROM deliveries d
            JOIN channels c ON c.id = d.channel_id
            JOIN destinations t ON t.id = c.destination_id
            WHERE d.state = 'pending' AND d.due_at <= %(now)s
              AND coalesce(t.open_until <= %(now)s, true)
            UNION ALL
            SELECT m.next_attempt_at FROM messages m
            JOIN destinations t ON t.id = m.destination_id
            WHERE m.state = 'due' AND m.next_attempt_at <= %(now)s
              AND coalesce(t.open_until <= %(now)s, true)
            UNION ALL
            SELECT lease_expires_at FROM messages
            WHERE state = 'sending' AND lease_expires_at <= %(now)s
        )
        SELECT count(*), min(since) FROM due
        """,
        {"now": now},
    )
    return Backlog(count, oldest_at)
