"""Reminders: a title's day is near, and a watch asked to hear of it so many days before.

A reminder is a piece of news like any other (`ReleaseEvent`), written at eight in the morning on
the store's clock, and only for titles that some watch's match keys find.
"""

import datetime as dt
from typing import Final

from django.db import transaction

from catalog.brake import BY_RESTORE
from catalog.marketplaces import MARKETPLACES, store_date
from stalkerr import sql, tracing

DAYS_MAX: Final = 60
HOUR: Final = 8
LATE_MAX: Final = 3  # days; what nobody could write in time is made up for so long


def remind(*, now: dt.datetime) -> list[int]:
    """Write the reminders that are due in every marketplace; returns the ids of those to be told.

    The same day twice writes nothing twice. What nobody wrote in its time is made up for, if it
    was known then and nothing has happened to the title since.
    """
    days = sorted({day for (wanted,) in sql.rows(_WANTED) for day in wanted})
    if not days:
        return []
    return [event_id for code in MARKETPLACES for event_id in _remind(code, days, now)]


_WANTED = "SELECT remind_days FROM watches WHERE remind_days <> '{}' AND ended_at IS NULL"


def _remind(marketplace: str, days: list[int], now: dt.datetime) -> list[int]:
    # Before eight it is still yesterday, whose reminders are written.
    today = store_date(marketplace, now - dt.timedelta(hours=HOUR))
    parameters = {
        "marketplace": marketplace,
        "days": days,
        "today": today,
        "now": now,
        "hour": HOUR,
        "late": LATE_MAX,
        "restore": BY_RESTORE,
        "zone": str(MARKETPLACES[marketplace].zone),
    }
    with transaction.atomic():
        ids = [audiobook_id for (audiobook_id,) in sql.rows(_DUE_IDS, parameters)]
        if not ids:
            return []
        # In the order of whoever records a page. Its own statement: the next one sees what a page,
        # or another of us, stored while we waited for it.
        sql.rows("SELECT FROM audiobooks WHERE id = ANY(%s) ORDER BY asin FOR NO KEY UPDATE", [ids])
        rows = sql.rows(_WRITE, parameters | {"ids": ids, "trace_id": tracing.current()})
    return [event_id for event_id, is_told in rows if is_told]


# Titles that wait for a person (catalog/brake.py) are not spoken of.
_DUE = """
WITH due AS (
    SELECT a.id, a.release_date, d.days FROM unnest(%(days)s::int[]) AS d(days)
    JOIN audiobooks a ON a.marketplace = %(marketplace)s AND a.release_date >= %(today)s
         AND a.release_date BETWEEN %(today)s::date + d.days - %(late)s AND %(today)s::date + d.days
    WHERE a.withdrawn_at IS NULL AND a.hidden_at IS NULL AND (a.out_at IS NULL OR a.release_date = %(today)s)
      AND (a.release_date = %(today)s::date + d.days OR NOT EXISTS (
          SELECT FROM release_events e WHERE e.audiobook_id = a.id AND e.kind <> 'reminder'
          AND e.seen_at >= (a.release_date - d.days + make_interval(hours => %(hour)s))
                           AT TIME ZONE %(zone)s))
      AND EXISTS (SELECT FROM watch_keys k JOIN watches w ON w.id = k.watch_id
                  WHERE k.key = ANY(a.match_keys) AND d.days = ANY(w.remind_days)
                    AND w.ended_at IS NULL)
      AND NOT EXISTS (SELECT FROM release_events e WHERE e.audiobook_id = a.id
                      AND e.kind = 'reminder' AND e.new_date = a.release_date
                      AND e.days_before = d.days)
      AND NOT EXISTS (SELECT FROM release_events e WHERE e.audiobook_id = a.id
                      AND e.braked_at IS NOT NULL)
)"""
_DUE_IDS = f"{_DUE} SELECT DISTINCT id FROM due"  # noqa: S608 (no value comes from outside)
_WRITE = f"""
{_DUE}, due_or_forgotten AS (  -- its moment lies where a restore has forgotten what was told
    SELECT due.*, EXISTS (
        SELECT FROM gaps g
        WHERE (release_date - days + make_interval(hours => %(hour)s)) AT TIME ZONE %(zone)s
              BETWEEN g.began_at AND g.ended_at) AS forgotten
    FROM due
), numbered AS (
    UPDATE audiobooks a SET revision = a.revision + n.reminders
    FROM (SELECT id, count(*) AS reminders FROM due WHERE id = ANY(%(ids)s) GROUP BY id) n
    WHERE a.id = n.id
    RETURNING a.id, a.revision - n.reminders AS revision
)
INSERT INTO release_events (audiobook_id, kind, revision, seen_at, new_date, days_before,
                            found_late, unconfirmed, fanned_through, held_by, braked_at, trace_id)
SELECT d.id, 'reminder', n.revision + row_number() OVER (PARTITION BY d.id ORDER BY d.days DESC),
       %(now)s, d.release_date, d.days, false, false, 0,
       CASE WHEN d.forgotten THEN %(restore)s END,
       CASE WHEN d.forgotten THEN %(now)s::timestamptz END, %(trace_id)s::uuid
FROM due_or_forgotten d JOIN numbered n ON n.id = d.id
ORDER BY d.id
RETURNING id, held_by IS NULL
"""  # noqa: S608 (no value comes from outside)
