"""What writes across targets: which there are, who visits one, and what a visit came to."""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from catalog.watching import activate
from scraping import cadence
from scraping.models import Target, Visit
from scraping.sources.base import Pass
from scraping.visiting import Trip
from stalkerr import sql

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A target that the caller may visit while its lease lasts."""

    target_id: int
    claim_no: int


def sync_targets(*, now: dt.datetime) -> int:
    """Make the targets that new watches need; hear at once what is visited anyway.

    A watch that joins a target with a recent complete pass needs no baseline of its own: all that
    the pass saw is older than the watch. Returns how many targets are new.
    """
    recent = now - 2 * settings.VISIT_INTERVAL
    with transaction.atomic():
        new = sql.count(
            """
            INSERT INTO targets (marketplace, kind, query, next_visit_at, failures, products_total,
                                 claim_no, asins)
            SELECT DISTINCT marketplace, kind, query, %(now)s::timestamptz, 0, 0, 0, '{}'::text[]
            FROM watch_queries WHERE active_from IS NULL
            UNION
            SELECT DISTINCT marketplace, 'due', '', %(now)s::timestamptz, 0, 0, 0, '{}'::text[]
            FROM watch_queries WHERE active_from IS NULL
            ON CONFLICT (marketplace, kind, query) DO NOTHING
            """,
            {"now": now},
        )
        sql.rows(
            """
            UPDATE watch_queries q SET active_from = %(now)s
            FROM targets t
            WHERE q.active_from IS NULL AND t.completed_at > %(recent)s
              AND (t.marketplace, t.kind, t.query) = (q.marketplace, q.kind, q.query)
            """,
            {"now": now, "recent": recent},
        )
        sql.rows(
            """
            UPDATE targets t SET next_visit_at = %(now)s
            FROM watch_queries q
            WHERE q.active_from IS NULL AND t.failures = 0 AND t.next_visit_at > %(now)s
              AND coalesce(t.completed_at < %(recent)s, t.visited_at IS NULL)
              AND (t.marketplace, t.kind, t.query) = (q.marketplace, q.kind, q.query)
            """,
            {"now": now, "recent": recent},
        )
    return new


def claim_due(*, now: dt.datetime, limit: int) -> list[Claimed]:
    """Lease up to `limit` due targets; nobody else gets them while the lease lasts."""
    with transaction.atomic():
        due = list(
            Target.objects.due(now).select_for_update(skip_locked=True, of=("self",))[:limit]
        )
        for target in due:
            target.claim_no += 1
            target.lease_expires_at = now + settings.VISIT_LEASE
        Target.objects.bulk_update(due, ["claim_no", "lease_expires_at"])
    return [Claimed(target.id, target.claim_no) for target in due]


def visit(*, target_id: int, claim_no: int, clock: Clock) -> tuple[int, ...]:
    """Visit a target that is claimed under `claim_no`; returns the ids of the news it brought.

    Read page by page, each stored at once; where it is cut short, the next visit goes on.
    """
    target = Target.objects.filter(id=target_id, claim_no=claim_no).first()
    if target is None or target.lease_expires_at is None:
        return ()
    trip = Trip(target=target, clock=clock, renew=lambda: _renew(target, clock()))
    trip.go()
    _settle(target, trip, clock())
    return tuple(trip.event_ids)


def _renew(target: Target, now: dt.datetime) -> bool:
    """Keep the lease; False if it ran out and the target is somebody else's."""
    mine = Target.objects.filter(id=target.id, claim_no=target.claim_no)
    return mine.update(lease_expires_at=now + settings.VISIT_LEASE) == 1


def _settle(target: Target, trip: Trip, now: dt.datetime) -> None:
    """Write down what the visit came to, unless the target is somebody else's by now."""
    with transaction.atomic():
        mine = Target.objects.filter(id=target.id, claim_no=target.claim_no).exclude(
            lease_expires_at=None
        )
        if mine.update(**_after(target, trip, now)) != 1:
            return
        if not trip.pages:
            return  # nothing was asked: no title was due, or it was nobody's turn
        Visit.objects.create(
            target=target,
            started_at=trip.started_at,
            finished_at=now,
            outcome=trip.outcome,
            complete=trip.complete,
            pages=trip.pages,
            products=trip.products,
            total_results=trip.reading.total_results,
            new=trip.new,
            changed=trip.changed,
            detail=trip.detail[:500],
        )
        if trip.complete:
            activate(marketplace=target.marketplace, kind=target.kind, query=target.query, now=now)


def _after(target: Target, trip: Trip, now: dt.datetime) -> dict[str, object]:
    """A target's columns after a visit."""
    seen_nothing = trip.outcome in (Visit.Outcome.FAILED, Visit.Outcome.THROTTLED)
    failures = target.failures + 1 if seen_nothing else 0
    values: dict[str, object] = {
        "visited_at": now,
        "failures": failures,
        "lease_expires_at": None,
        "next_visit_at": _next_visit(target, trip, failures, now),
        "unfinished_pass": _unfinished(trip.reading),
        "products_total": target.products_total + trip.products,
    }
    if trip.complete:
        values["completed_at"] = now
        values["asins"] = sorted({*trip.reading.seen, *trip.still_missing})
    return values


def _unfinished(reading: Pass) -> dict[str, object] | None:
    return None if reading.done or not reading.step else reading.as_json()


def _next_visit(target: Target, trip: Trip, failures: int, now: dt.datetime) -> dt.datetime:
    if trip.wait is not None:  # for a turn, or because the store said so
        return now + trip.wait
    interval = settings.VISIT_INTERVAL
    if target.kind == Target.Kind.DUE:
        interval = settings.STORE_SAME_URL_INTERVAL
    elif trip.still_missing:
        interval = min(interval, settings.ABSENCE_DELAY)
    return cadence.next_visit(
        now=now,
        interval=interval,
        shortest=settings.STORE_SAME_URL_INTERVAL,
        failures=failures,
        jitter=random.random(),  # noqa: S311 (spreads load, hides nothing)
    )
