"""The brake: what a visit brings is told when the visit is over, and only if it is not too much.

News is written with its audiobook, at once (`ReleaseEvent.held_by`: the target being visited), but
nobody hears of it before the end of the visit. A visit that brings far more than its target ever
does has met a changed store, or a page misread: a person says whether that is told. So does what
the database may have forgotten (`Gap`): a restore brings back what it knew at its backup, and whatever
is found again may have been told since.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from catalog import revisions
from catalog.models import Gap, ReleaseEvent
from stalkerr import sql

FLOOR = 50  # so many pieces of news are never too many for one visit
FACTOR = 5  # times the 99th percentile of a target's visits
NONE_OF_IT = -1  # news that a visit may bring: whatever it brings waits
BY_RESTORE = 0  # ReleaseEvent.held_by: no target's visit
# A target that is new after a gap finds what others are about to find again: they take a day.
SEEN_AGAIN = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LetGo:
    """What came of a visit's news: ids of events that are told now, how many wait for a person."""

    event_ids: tuple[int, ...] = ()
    braked: int = 0


def most_news(usual: int) -> int:
    """How many pieces of news a visit may bring whose 99th percentile is `usual`."""
    return max(FLOOR, FACTOR * usual)


def is_forgotten(*, completed_at: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether what a target's visit brings may have been told, and forgotten by a restore.

    `completed_at`: the target's last complete pass before this visit.
    """
    gap = Gap.objects.order_by("-ended_at").first()
    if gap is None:
        return False
    if completed_at is None:
        return now < gap.ended_at + SEEN_AGAIN
    return completed_at <= gap.ended_at


def hold_all_unsaid(*, now: dt.datetime) -> int:
    """After a restore: news that was not yet told to everybody waits for a person; returns how much."""
    return sql.count(
        """
        UPDATE release_events SET held_by = coalesce(held_by, %(restore)s), braked_at = %(now)s
        WHERE fanned_out_at IS NULL AND braked_at IS NULL
        """,
        {"restore": BY_RESTORE, "now": now},
    )


def let_go(*, held_by: int, most: int, is_first_pass: bool, now: dt.datetime) -> LetGo:
    """Let the news of a visit go that is over, or hold it for a person.

    Titles first seen by a target's first pass do not count: they are many, and no news to those
    who asked for it. What is new of a title that waits for a person waits with it.
    """
    rows = sql.rows(
        """
        WITH held AS (
            SELECT id, audiobook_id, revision FROM release_events
            WHERE held_by = %(held_by)s AND braked_at IS NULL
            ORDER BY id FOR UPDATE
        ), judged AS (
            SELECT h.id,
                (SELECT count(*) FROM held WHERE NOT (%(is_first_pass)s AND revision = 1)) > %(most)s
                OR EXISTS (SELECT FROM release_events b
                           WHERE b.audiobook_id = h.audiobook_id AND b.braked_at IS NOT NULL) AS braked
            FROM held h
        )
        UPDATE release_events e
        SET held_by = CASE WHEN j.braked THEN e.held_by END,
            braked_at = CASE WHEN j.braked THEN %(now)s::timestamptz END
        FROM judged j WHERE e.id = j.id
        RETURNING e.id, j.braked
        """,
        {"held_by": held_by, "most": most, "is_first_pass": is_first_pass, "now": now},
    )
    told = tuple(sorted(event_id for event_id, braked in rows if not braked))
    if told:
        revisions.announce()
    return LetGo(told, len(rows) - len(told))


def holders() -> list[int]:
    """The targets that hold news which waits for no person."""
    held = ReleaseEvent.objects.filter(held_by__isnull=False, braked_at=None)
    return sorted({held_by for held_by in held.values_list("held_by", flat=True) if held_by})


def tell_braked(*, event_ids: Iterable[int]) -> int:
    """A person says: this is true. It is told from here on; returns how many."""
    told = ReleaseEvent.objects.braked().filter(id__in=list(event_ids))
    revisions.announce()
    return told.update(held_by=None, braked_at=None)


def drop_braked(*, event_ids: Iterable[int], now: dt.datetime) -> int:
    """A person says: nobody needs to hear this. It counts as told; returns how many."""
    dropped = ReleaseEvent.objects.braked().filter(id__in=list(event_ids))
    revisions.announce()
    return dropped.update(held_by=None, braked_at=None, fanned_out_at=now)
