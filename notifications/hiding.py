"""Hiding titles: staff say that nobody is to see them, or to hear of them.

Nobody is promised news of a hidden title, and what was promised and is not on its way yet is taken
back. Each transaction holds the promises and the works alone, like whoever merges works: no fan-out
that saw a title before it was hidden promises it afterwards, and no edition joins a work half-way.
"""

import datetime as dt
from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet

from catalog import editions, revisions
from catalog.births import lock_works
from catalog.models import Audiobook, ReleaseEvent, Work
from notifications.services import PROMISES
from stalkerr import sql
from stalkerr.locks import lock


def hide_audiobook(*, audiobook: Audiobook, now: dt.datetime) -> None:
    """It is not listed, fed or told any more."""
    with transaction.atomic():
        _hold_still()
        _hide(Audiobook.objects.filter(id=audiobook.id), now)


def hide_work(*, work: Work, now: dt.datetime) -> None:
    """Neither are any of its editions, nor those that are found later."""
    with transaction.atomic():
        _hold_still()
        editions.lock_editions(works=[work.id])
        Work.objects.filter(id=work.id, hidden_at=None).update(hidden_at=now)
        _hide(Audiobook.objects.filter(work=work.id), now)


def show_audiobook(*, audiobook: Audiobook) -> None:
    """It is listed again; what is still to come is announced to those who have not heard of it."""
    with transaction.atomic():
        _hold_still()
        _show(Audiobook.objects.filter(id=audiobook.id))


def show_work(*, work: Work) -> None:
    """So are all its editions, however they came to be hidden."""
    with transaction.atomic():
        _hold_still()
        editions.lock_editions(works=[work.id])
        Work.objects.filter(id=work.id).update(hidden_at=None)
        _show(Audiobook.objects.filter(work=work.id))


def _hold_still() -> None:
    lock(PROMISES)
    lock_works()
    revisions.announce()


def _hide(rows: QuerySet[Audiobook], now: dt.datetime) -> None:
    ids = list(rows.filter(hidden_at=None).values_list("id", flat=True))
    rows.filter(hidden_at=None).update(hidden_at=now)
    _take_back(ids)


def _take_back(ids: Collection[int]) -> None:
    """Cancel what is promised of these, and let other editions of their works tell it instead."""
    sql.rows(_TAKE_BACK, {"ids": list(ids)})


def _show(rows: QuerySet[Audiobook]) -> None:
    ids = list(rows.exclude(hidden_at=None).values_list("id", flat=True))
    rows.filter(id__in=ids).update(hidden_at=None)
    # Whoever was told before is not told again (`Told`).
    ReleaseEvent.objects.not_dropped().filter(
        audiobook__in=ids, audiobook__out_at=None, kind=ReleaseEvent.Kind.ANNOUNCED
    ).update(fanned_out_at=None, fanned_through=0)


_TAKE_BACK = """
WITH promised AS (
    SELECT d.id, d.source_at FROM release_events e JOIN deliveries d ON d.event_id = e.id
    WHERE e.audiobook_id = ANY(%(ids)s) AND d.state IN ('pending', 'held')
    ORDER BY d.id FOR UPDATE OF d
), cancelled AS (
    UPDATE deliveries d SET state = 'cancelled' FROM promised p
    WHERE d.id = p.id AND d.source_at = p.source_at AND d.state IN ('pending', 'held')
    RETURNING d.event_id, d.channel_id, d.user_id
), forgotten AS (
    DELETE FROM told t USING cancelled c
    WHERE t.event_id = c.event_id AND t.channel_id = c.channel_id
)
INSERT INTO refans (event_id, user_id)
SELECT DISTINCT other.id, c.user_id
FROM cancelled c
JOIN release_events e ON e.id = c.event_id
JOIN audiobooks a ON a.id = e.audiobook_id
JOIN audiobooks edition ON edition.work_id = a.work_id AND edition.hidden_at IS NULL
JOIN release_events other ON other.audiobook_id = edition.id AND other.kind = e.kind
WHERE NOT (other.fanned_through = 0 AND other.fanned_out_at IS NOT NULL)
ORDER BY other.id, c.user_id
ON CONFLICT (event_id, user_id) DO NOTHING
"""
