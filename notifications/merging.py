"""Works that turn out to be one, or two: what was told of them follows, and merging announces nothing.

Each transaction holds the promises and the works alone: no fan-out reads a work while its memory
moves, and no new edition joins one that goes. Flags are cleared with the rest: whoever dies half-way
leaves all of it for the next sweep.
"""

from collections.abc import Iterable, Mapping

from django.db import transaction

from catalog import editions
from catalog.births import lock_works
from catalog.models import Audiobook, Work
from notifications.services import PROMISES
from stalkerr import sql
from stalkerr.locks import lock


def merge_due(*, limit: int) -> int:
    """Find the works of audiobooks whose facts changed, and merge them; returns how many were due."""
    if not editions.due_editions(limit=1):
        return 0
    with transaction.atomic():
        _hold_still()
        due = editions.due_editions(limit=limit)
        works = editions.known_works(
            asins={each.asin for each in due}, keys={key for each in due for key in each.keys}
        )
        works.merge(each.work for each in due)
        moved = works.moved
        changed = {*(each.id for each in due), *works.reissues}
        editions.lock_editions(works=moved, audiobooks=changed)
        _merge(moved)
        editions.looked_for(due, reissues=works.reissues)
    return len(due)


def join_works(*, into: Work, works: Iterable[Work]) -> None:
    """A person says: the same book. Its editions stay together from now on."""
    with transaction.atomic():
        _hold_still()
        into = Work.objects.get(id=into.id)
        ids = [work.id for work in works if work.id != into.id]
        moved = dict.fromkeys(Work.objects.filter(id__in=ids).values_list("id", flat=True), into.id)
        editions.lock_editions(works=[*moved, into.id])
        _merge(moved)
        editions.pin(works=[into.id])


def split_edition(*, audiobook: Audiobook) -> None:
    """A person says: another book. It gets a work of its own, and all concerned stay where they are.

    Channels keep what they were told of either. What they were not told of one, for having heard
    it of the other, is news once more.
    """
    with transaction.atomic():
        _hold_still()
        audiobook.refresh_from_db(fields=["work", "title"])
        old = audiobook.work_id
        editions.lock_editions(works=[old])
        new = editions.give_own_work(audiobook)
        if new is not None:
            parameters = {"audiobook": audiobook.id, "old": old, "new": new}
            sql.rows(_PART_TOLD, parameters)
            sql.rows(_REMEMBER, parameters)
        editions.pin(works=[old, new or old])


def _hold_still() -> None:
    lock(PROMISES)
    lock_works()


def _merge(moved: Mapping[int, int]) -> None:
    if not moved:
        return
    parameters = {"moved": editions.as_rows(moved)}
    for statement in (_CANCEL_REPEATED, _FORGET_DOUBLES, _MOVE_TOLD):
        sql.rows(statement, parameters)
    editions.merge_works(moved)
    sql.rows(_CANCEL_MARKED, {"works": list(moved.values())})


# Rows of `told` that say the same once the works are one. The first of them stays: the one that
# really went out, else the oldest that is promised, else the oldest.
_RANKED = f"""
{editions.MOVED}, merged AS (
    SELECT work, home FROM moved UNION SELECT home, home FROM moved
), ranked AS (
    SELECT t.id, t.audiobook_id, d.id AS delivery_id,
           row_number() OVER (same ORDER BY (d.state = 'composed') DESC NULLS LAST, t.told_at, t.id)
               AS place,
           min(t.told_at) OVER same AS told_at, max(t.retold_at) OVER same AS retold_at
    FROM merged m
    JOIN told t ON t.work_id = m.work
    LEFT JOIN deliveries d ON d.event_id = t.event_id AND d.channel_id = t.channel_id
                          AND d.state <> 'cancelled'
    WINDOW same AS (PARTITION BY m.home, t.channel_id, t.audiobook_id, t.kind, t.value)
)"""  # noqa: S608 (no value comes from outside)

# Not what a watch by edition has asked for on the same channel.
_CANCEL_REPEATED = f"""
WITH {_RANKED}, repeated AS (
    SELECT d.id FROM ranked r JOIN deliveries d ON d.id = r.delivery_id
    WHERE r.place > 1 AND r.audiobook_id IS NULL AND d.state IN ('pending', 'held')
      AND NOT EXISTS (SELECT FROM told own
                      WHERE own.event_id = d.event_id AND own.channel_id = d.channel_id
                        AND own.audiobook_id IS NOT NULL)
    ORDER BY d.id FOR UPDATE OF d
)
UPDATE deliveries d SET state = 'cancelled' FROM repeated r
WHERE d.id = r.id AND d.state IN ('pending', 'held')
"""  # noqa: S608

_FORGET_DOUBLES = f"""
WITH {_RANKED}, gone AS (DELETE FROM told t USING ranked r WHERE t.id = r.id AND r.place > 1)
UPDATE told t SET told_at = r.told_at, retold_at = r.retold_at FROM ranked r
WHERE t.id = r.id AND r.place = 1
  AND (t.told_at, t.retold_at) IS DISTINCT FROM (r.told_at, r.retold_at)
"""  # noqa: S608

_MOVE_TOLD = f"""
WITH {editions.MOVED} UPDATE told t SET work_id = m.home FROM moved m WHERE t.work_id = m.work
"""  # noqa: S608

# A mark is about a work: it has just come to be about more editions.
_CANCEL_MARKED = """
UPDATE deliveries d SET state = 'cancelled'
FROM release_events e JOIN audiobooks a ON a.id = e.audiobook_id
JOIN marks k ON k.work_id = a.work_id
WHERE e.id = d.event_id AND d.user_id = k.user_id AND d.state IN ('pending', 'held')
  AND a.work_id = ANY(%(works)s)
"""

# Each half remembers what was told of its own editions.
_PART_TOLD = """
UPDATE told t SET work_id = %(new)s
FROM release_events e
WHERE e.id = t.event_id AND t.work_id = %(old)s
  AND coalesce(t.audiobook_id, e.audiobook_id) = %(audiobook)s
"""

# A merge may have left one row for what was told of both: deliveries know better.
_REMEMBER = """
INSERT INTO told (work_id, channel_id, audiobook_id, kind, value, event_id, told_at)
SELECT a.work_id, d.channel_id, NULL::bigint, e.kind,
       CASE e.kind WHEN 'date_moved' THEN e.new_date::text
                   WHEN 'reminder' THEN e.new_date || ' -' || e.days_before
                   WHEN 'announced' THEN '' WHEN 'out_now' THEN '' ELSE e.revision::text END,
       e.id, d.created_at
FROM audiobooks a
JOIN release_events e ON e.audiobook_id = a.id
JOIN deliveries d ON d.event_id = e.id AND d.state <> 'cancelled'
WHERE a.work_id IN (%(old)s, %(new)s)
  AND NOT EXISTS (SELECT FROM told own WHERE own.event_id = e.id AND own.channel_id = d.channel_id)
ORDER BY e.id
ON CONFLICT (work_id, channel_id, audiobook_id, kind, value) DO NOTHING
"""
