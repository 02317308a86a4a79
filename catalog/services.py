"""What writes across the catalogue: the store's listings, and the news in them."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction

from catalog import births, links, records, revisions
from catalog.brake import BY_RESTORE
from catalog.changes import Change, Known, compare
from catalog.classify import classify
from catalog.listing import Listing
from catalog.marketplaces import MARKETPLACES, store_date, store_noon_passed
from catalog.models import AudiobookCheck
from stalkerr import figures, sql, tracing
from stalkerr.locks import lock


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a page came to: audiobooks first seen, audiobooks whose facts changed, news (ids)."""

    new: int = 0
    changed: int = 0
    event_ids: tuple[int, ...] = ()


def record_listings(
    *,
    listings: Iterable[Listing],
    fetched_at: dt.datetime,
    now: dt.datetime,
    held_by: int | None = None,
    pages_date: bool = False,
) -> Recorded:
    """Store what a source listed, and write down what of it is news, in one transaction.

    The number of statements does not depend on the number of listings. Facts older than what we
    hold (`fetched_at`) change nothing; a field that a listing lacks clears nothing. News is held
    by the visit that brings it (`held_by`) until catalog/brake.py lets it go; `pages_date`:
    catalog/changes.py, compare.
    """
    page = {(each.marketplace, each.asin): each for each in listings if not each.is_series_object}
    if not page:
        return Recorded()
    with transaction.atomic():
        titled = {place: each for place, each in page.items() if _is_a_title(each)}
        new = births.insert_missing(titled, fetched_at, now)
        rows = records.lock(page)
        fresh = [row for row in rows.values() if row.place in new or row.shown_at < fetched_at]
        changes = _changes(fresh, page, new, now, pages_date=pages_date)
        records.update_facts(changes, _prints_kept(changes, page), new, fetched_at, now)
        if changes:
            links.link_people(changes, now)
            links.link_series(changes)
        event_ids = records.insert_events(changes, now, held_by=held_by)
        records.touch([row.id for row in fresh], fetched_at)
        if changes:
            revisions.announce()
    return Recorded(len(new), len(changes) - len(new), tuple(event_ids))


def _is_a_title(listing: Listing) -> bool:
    """What only keeps a place in a series is none yet: it is announced once there is a book."""
    if not listing.title:
        return False
    return bool(listing.release_date) or classify(listing).kind != "series_placeholder"


def _fingerprints(page: Mapping[births.Place, Listing]) -> dict[births.Place, str]:
    return {place: listing.fingerprint() for place, listing in page.items()}


def _prints_kept(
    changes: Mapping[records.Row, Change], page: Mapping[births.Place, Listing]
) -> dict[births.Place, str]:
    """The fingerprint of what each changed row was read from; a page leaves the API's standing.

    Not where it moved the date: what the API says of it is news then, even if it says the same again.
    """
    prints: dict[births.Place, str] = {}
    for row, change in changes.items():
        listing = page[row.place]
        is_moved = change.facts.release_date != row.release_date
        is_same_source = change.facts.provenance == listing.provenance
        prints[row.place] = listing.fingerprint() if is_same_source or is_moved else row.fingerprint
    return prints


def _changes(
    fresh: list[records.Row],
    page: Mapping[births.Place, Listing],
    new: Collection[births.Place],
    now: dt.datetime,
    *,
    pages_date: bool,
) -> dict[records.Row, Change]:
    """The changes among freshly seen rows: other facts, or a day that has come."""
    prints = _fingerprints(page)
    touched = [row for row in fresh if prints[row.place] != row.fingerprint or _is_news(row, now)]
    known = records.load_known(row for row in touched if row.place not in new)
    changes: dict[records.Row, Change] = {}
    for row in touched:
        today = store_date(row.place[0], now)
        before = known.get(row.id)
        change = compare(before, page[row.place], today, pages_date=pages_date)
        if not (before and _only_repeats(before, page[row.place], change)):
            changes[row] = change
    return changes


def _only_repeats(before: Known, listing: Listing, change: Change) -> bool:
    """Whether a page adds nothing to what the API said."""
    is_other_source = before.facts.provenance != listing.provenance
    return is_other_source and not change.news and change.facts == before.facts


def _is_news(row: records.Row, now: dt.datetime) -> bool:
    """Whether the mere sight of unchanged facts is news: it is back, or its day has come."""
    day_has_come = row.release_date and row.release_date <= store_date(row.place[0], now)
    return row.is_withdrawn or (not row.is_out and bool(day_has_come))


def record_absent(
    *,
    marketplace: str,
    asins: Iterable[str],
    now: dt.datetime,
    delay: dt.timedelta,
    held_by: int | None = None,
) -> list[int]:
    """Note that the store denied these; the second time, `delay` after the first, withdraw them.

    The caller has made sure of house rule `Absent`: missing from a complete pass, a stub when
    asked for alone, and a known-good control answered whole. Returns the events' ids.
    """
    with transaction.atomic():
        found = sql.rows(
            """
            WITH gone AS (
                SELECT a.id, a.revision FROM audiobooks a
                WHERE a.marketplace = %(marketplace)s AND a.asin = ANY(%(asins)s)
                  AND a.withdrawn_at IS NULL
                ORDER BY a.marketplace, a.asin FOR UPDATE
            ), denied AS (
                INSERT INTO audiobook_checks AS c (audiobook_id, last_checked_at, absent_at)
                SELECT id, %(now)s, %(now)s FROM gone ORDER BY id
                ON CONFLICT (audiobook_id) DO UPDATE
                SET absent_at = coalesce(c.absent_at, EXCLUDED.absent_at)
                RETURNING audiobook_id, absent_at
            ), withdrawn AS (
                UPDATE audiobooks a SET withdrawn_at = %(now)s, revision = a.revision + 1
                FROM denied d WHERE a.id = d.audiobook_id AND d.absent_at <= %(long_ago)s
                RETURNING a.id, a.revision
            )
            INSERT INTO release_events (audiobook_id, kind, revision, seen_at, found_late,
                                        unconfirmed, fanned_through, held_by, trace_id)
            SELECT id, 'withdrawn', revision, %(now)s, false, false, 0, %(held_by)s, %(trace_id)s::uuid
            FROM withdrawn
            RETURNING id
            """,
            {
                "marketplace": marketplace,
                "asins": list(asins),
                "now": now,
                "long_ago": now - delay,
                "held_by": held_by,
                "trace_id": tracing.current(),
            },
        )
        if found:
            revisions.announce()
    return [event_id for (event_id,) in found]


def mark_out_by_date(*, now: dt.datetime) -> list[int]:
    """At noon on its day a title is out, "unconfirmed", if the store could not be asked."""
    event_ids: list[int] = []
    for code in MARKETPLACES:
        today = store_date(code, now)
        # Before noon only yesterday's titles have had their chance to be confirmed.
        day = today if store_noon_passed(code, today, now) else today - dt.timedelta(days=1)
        event_ids += _mark_out(code, day, now)
    return event_ids


def _mark_out(marketplace: str, day: dt.date, now: dt.datetime) -> list[int]:
    with transaction.atomic():
        found = sql.rows(
            """
            WITH due AS (
                SELECT id FROM audiobooks
                WHERE marketplace = %(marketplace)s AND release_date <= %(day)s
                  AND out_at IS NULL AND withdrawn_at IS NULL
                ORDER BY marketplace, asin FOR UPDATE
            ), out_now AS (
                UPDATE audiobooks a SET out_at = %(now)s, revision = a.revision + 1
                FROM due WHERE a.id = due.id
                RETURNING a.id, a.revision, a.release_date, a.first_seen_at
            )
            INSERT INTO release_events (audiobook_id, kind, revision, seen_at, new_date, found_late,
                                        unconfirmed, fanned_through, held_by, braked_at,
                                        trace_id)
            SELECT o.id, 'out_now', o.revision, %(now)s, o.release_date, false, true, 0, b.held_by,
                   CASE WHEN b.held_by IS NOT NULL THEN %(now)s::timestamptz END,
                   %(trace_id)s::uuid
            FROM out_now o
            -- of a title that waits for a person, this waits as well (catalog/brake.py)
            LEFT JOIN LATERAL (SELECT held_by FROM release_events e
                               WHERE e.audiobook_id = o.id AND e.braked_at IS NOT NULL
                               UNION ALL  -- it was out before the restore, which has forgotten it
                               SELECT %(restore)s FROM gaps g
                               WHERE o.release_date <= (g.ended_at AT TIME ZONE %(zone)s)::date
                                 AND o.first_seen_at < g.ended_at
                               LIMIT 1) b ON true
            RETURNING id, held_by IS NULL
            """,
            {
                "marketplace": marketplace,
                "day": day,
                "now": now,
                "restore": BY_RESTORE,
                "zone": str(MARKETPLACES[marketplace].zone),
                "trace_id": tracing.current(),
            },
        )
        if found:
            revisions.announce()
    return [event_id for event_id, is_told in found if is_told]


def publish_events() -> int:
    """Number new events in the order in which they became visible; returns how many.

    The lock is a statement of its own: a numbering statement that waited for it would still see
    what was there before the wait, and give one number twice.
    """
    with transaction.atomic():
        lock("publish_events")
        kinds = sql.rows(
            """
                WITH unpublished AS MATERIALIZED (  -- whoever locks several does it in this order
                    SELECT id FROM release_events WHERE published_seq IS NULL AND held_by IS NULL
                    ORDER BY id FOR NO KEY UPDATE
                )
                UPDATE release_events e SET published_seq = n.seq
                FROM (SELECT id, row_number() OVER (ORDER BY id)
                             + coalesce((SELECT max(published_seq) FROM release_events), 0) AS seq
                      FROM unpublished) n
                WHERE e.id = n.id
                RETURNING e.kind
                """
        )
    for (kind,) in kinds:
        figures.EVENTS.labels(kind).inc()
    return len(kinds)


def note_pages_read(*, marketplace: str, asins: Iterable[str], now: dt.datetime) -> None:
    """These titles' pages were read to fill gaps, whatever was found on them."""
    AudiobookCheck.objects.filter(
        audiobook__marketplace=marketplace, audiobook__asin__in=list(asins)
    ).update(page_checked_at=now)
