"""What writes across targets: which there are, who visits one, and what a visit came to."""

import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction

from catalog import brake
from catalog.marketplaces import MARKETPLACES, store_noon
from catalog.questions import rhythm
from catalog.watching import activate
from scraping import alarms, cadence
from scraping.models import Target, Visit
from scraping.visiting import RESUME_WITHIN, Trip
from stalkerr import figures, sql, telemetry, tracing

Clock = Callable[[], dt.datetime]
# How far back a target's visits say how much news is usual.
USUAL = dt.timedelta(days=30)
LOOKED_AT = 2000  # visits at most: more than there are in so many days

_log = structlog.get_logger(__name__)


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
            INSERT INTO targets (marketplace, kind, query, next_visit_at, failures, blind_visits,
                                 products_total, claim_no, asins)
            SELECT DISTINCT marketplace, kind, query, %(now)s::timestamptz, 0, 0, 0, 0, '{}'::text[]
            FROM watch_queries WHERE active_from IS NULL
            UNION
            SELECT DISTINCT marketplace, 'due', '', %(now)s::timestamptz, 0, 0, 0, 0, '{}'::text[]
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
        _put_orphans_off(now)
    return new


def _put_orphans_off(now: dt.datetime) -> None:
    """Targets that nobody needs any more are not looked through again and again for what is due.

    One that was never seen whole is as good as new: who needs it again has it visited at once.
    """
    sql.rows(
        """
        UPDATE targets t
        SET next_visit_at = %(now)s + (1 - random() / 2) * %(interval)s::interval, failures = 0,
            visited_at = CASE WHEN completed_at IS NOT NULL THEN visited_at END
        WHERE t.marketplace = ANY(%(marketplaces)s) AND t.next_visit_at <= %(now)s
          AND t.kind <> 'due' AND t.lease_expires_at IS NULL
          AND NOT EXISTS (SELECT FROM watch_queries q WHERE (q.marketplace, q.kind, q.query)
                                                         = (t.marketplace, t.kind, t.query))
        """,
        {
            "now": now,
            "interval": settings.VISIT_INTERVAL,
            "marketplaces": list(MARKETPLACES),
        },
    )


def claim_due(*, now: dt.datetime, limit: int) -> list[Claimed]:
    """Lease due targets, so many at a time that each marketplace has `limit` under way.

    Nobody else gets them while the lease lasts. Titles due today come first, then targets that
    were never visited; a marketplace with a long queue takes no turn from the others.
    """
    rows = sql.rows(
        """
        WITH chosen AS MATERIALIZED (
            SELECT t.id FROM (
                SELECT code AS marketplace, %(limit)s - (
                    SELECT count(*) FROM targets t
                    WHERE t.marketplace = code AND t.lease_expires_at >= %(now)s) AS room
                FROM unnest(%(marketplaces)s::text[]) AS code) m
            CROSS JOIN LATERAL (
                SELECT id FROM targets t
                WHERE t.marketplace = m.marketplace AND t.next_visit_at <= %(now)s
                  AND coalesce(t.lease_expires_at < %(now)s, true)
                  AND (t.kind = 'due' OR EXISTS (
                       SELECT FROM watch_queries q
                       WHERE (q.marketplace, q.kind, q.query) = (t.marketplace, t.kind, t.query)))
                ORDER BY t.kind = 'due' DESC, t.visited_at NULLS FIRST, t.next_visit_at
                LIMIT greatest(m.room, 0) FOR UPDATE SKIP LOCKED) t
        )
        UPDATE targets t SET claim_no = claim_no + 1, lease_expires_at = %(until)s
        FROM chosen WHERE t.id = chosen.id
        RETURNING t.id, t.claim_no
        """,
        {
            "now": now,
            "until": now + settings.VISIT_LEASE,
            "limit": limit,
            "marketplaces": list(MARKETPLACES),
        },
    )
    return [Claimed(target_id, claim_no) for target_id, claim_no in rows]


def visit(*, target_id: int, claim_no: int, clock: Clock) -> tuple[int, ...]:
    """Visit a target that is claimed under `claim_no`; returns the ids of the news to be told.

    Read page by page, each stored at once; where it is cut short, the next visit goes on.
    """
    target = Target.objects.filter(id=target_id, claim_no=claim_no).first()
    if target is None or target.lease_expires_at is None:
        return ()
    # A trace of its own: the hint that sent us here may be one of many.
    with tracing.traced(target_id=target_id):
        trip = Trip(target=target, clock=clock, renew=lambda: _renew(target, clock()))
        begun = time.monotonic()
        _go(trip)
        event_ids = _settle(target, trip, clock())
        told: dict[str, telemetry.Value] = {
            "marketplace": target.marketplace,
            "outcome": trip.outcome,
            "products": trip.products,
        }
        telemetry.tell("visit", time.monotonic() - begun, told)
        return event_ids


def _go(trip: Trip) -> None:
    """An answer that trips us is a failed visit: else its target would come first for ever."""
    try:
        trip.go()
    except Exception as error:  # noqa: BLE001 (written down, and told to the operators)
        _log.exception("visit_broke", target=str(trip.target))
        trip.break_off(error)


def let_strays_go(*, now: dt.datetime) -> tuple[int, ...]:
    """Tell the news of visits that died before their end; returns the events' ids."""
    held = brake.holders()
    busy = Target.objects.filter(id__in=held, lease_expires_at__gte=now)
    event_ids: tuple[int, ...] = ()
    for target_id in sorted(set(held) - set(busy.values_list("id", flat=True))):
        with transaction.atomic():
            # Locked, so that a visit that begins just now keeps its news to its own end.
            target = Target.objects.select_for_update().filter(id=target_id).first()
            if target and target.lease_expires_at and target.lease_expires_at >= now:
                continue
            passed_at = target.completed_at if target else now
            let_go = _let_go(target_id, passed_at, now)
            if let_go.braked:
                visit = f"{target_id}:died:{now:%Y-%m-%dT%H:%M:%S}"
                alarms.say_braked(str(target or target_id), visit, let_go.braked, now)
            event_ids += let_go.event_ids
    return event_ids


def prune_visits(*, before: dt.datetime) -> int:
    """Forget visits of long ago; returns how many."""
    return Visit.objects.filter(finished_at__lt=before).delete()[0]


def _renew(target: Target, now: dt.datetime) -> bool:
    """Keep the lease; False if it ran out and the target is somebody else's."""
    mine = Target.objects.filter(id=target.id, claim_no=target.claim_no)
    return mine.update(lease_expires_at=now + settings.VISIT_LEASE) == 1


def _settle(target: Target, trip: Trip, now: dt.datetime) -> tuple[int, ...]:
    """Write down what the visit came to, unless the target is somebody else's by now.

    Its news goes out with it; returns the ids of what is told.
    """
    with transaction.atomic():
        mine = Target.objects.filter(id=target.id, claim_no=target.claim_no).exclude(
            lease_expires_at=None
        )
        if mine.update(**_after(target, trip, now)) != 1:
            return ()
        if trip.complete:
            activate(marketplace=target.marketplace, kind=target.kind, query=target.query, now=now)
        if not trip.pages and trip.outcome != Visit.Outcome.FAILED:
            return ()  # nothing was asked: no title was due, or it was nobody's turn
        let_go = _let_go(target.id, target.completed_at, now)
        visit = _write_down(target, trip, let_go, now)
        transaction.on_commit(partial(_count, target.marketplace, trip.outcome))
        alarms.sound(target=target, visit=visit, now=now)
    return let_go.event_ids


def _count(marketplace: str, outcome: str) -> None:
    figures.VISITS.labels(marketplace, outcome).inc()


def _let_go(target_id: int, passed_at: dt.datetime | None, now: dt.datetime) -> brake.LetGo:
    """`passed_at`: the target's last complete pass before the visit."""
    is_first_pass = passed_at is None
    if brake.is_forgotten(completed_at=passed_at, now=now):
        most = brake.NONE_OF_IT
    else:
        usual, lately = _usual_news(target_id, now)
        most = brake.most_news(usual) - (0 if is_first_pass else lately)
    return brake.let_go(held_by=target_id, most=most, is_first_pass=is_first_pass, now=now)


def _usual_news(target_id: int, now: dt.datetime) -> tuple[int, int]:
    """How much news is usual for a target's visits, and how much this pass has brought already.

    Visits up to the first complete one say nothing of it, as what they brought was there before;
    nor do those of this pass.
    """
    ((usual, lately),) = sql.rows(
        """
        WITH newest AS MATERIALIZED (
            SELECT * FROM visits WHERE target_id = %(target_id)s ORDER BY id DESC LIMIT %(most)s
        ), since AS (
            SELECT min(id) FILTER (WHERE complete) AS first, max(id) FILTER (WHERE complete) AS last
            FROM newest
        )
        SELECT coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY events) FILTER (
                   WHERE id > first AND id <= last AND finished_at > %(since)s AND NOT braked), 0),
               coalesce(sum(events) FILTER (WHERE id > last AND finished_at > %(pass)s), 0)
        FROM newest, since
        """,
        {
            "target_id": target_id,
            "most": LOOKED_AT,
            "since": now - USUAL,
            "pass": now - RESUME_WITHIN,
        },
    )
    return usual, lately


def _write_down(target: Target, trip: Trip, let_go: brake.LetGo, now: dt.datetime) -> Visit:
    return Visit.objects.create(
        target=target,
        started_at=trip.started_at,
        finished_at=now,
        outcome=trip.outcome,
        source=trip.source,
        complete=trip.complete,
        pages=trip.pages,
        products=trip.products,
        others=trip.others,
        total_results=trip.reading.total_results,
        capped=trip.reading.capped,
        new=trip.new,
        changed=trip.changed,
        events=len(let_go.event_ids) + let_go.braked,
        braked=let_go.braked > 0,
        detail=trip.detail[:500],
        trace_id=tracing.current(),
    )


def _after(target: Target, trip: Trip, now: dt.datetime) -> dict[str, object]:
    """A target's columns after a visit."""
    seen_nothing = trip.outcome in (Visit.Outcome.FAILED, Visit.Outcome.THROTTLED)
    failures = target.failures + 1 if seen_nothing else 0
    values: dict[str, object] = {
        "visited_at": now,
        "failures": failures,
        "blind_visits": _blind_visits(target, trip),
        "lease_expires_at": None,
        "next_visit_at": _next_visit(target, trip, failures, now),
        "unfinished_pass": trip.unfinished(),
        "products_total": target.products_total + trip.products,
    }
    if trip.complete:
        values["completed_at"] = now
        values["asins"] = sorted({*trip.kept, *trip.still_missing})
    return values


def _blind_visits(target: Target, trip: Trip) -> int:
    """In a row; a visit that was sent away or had to wait saw neither a store nor none."""
    if trip.outcome in (Visit.Outcome.THROTTLED, Visit.Outcome.POSTPONED):
        return target.blind_visits
    return target.blind_visits + 1 if trip.outcome == Visit.Outcome.FAILED else 0


def _next_visit(target: Target, trip: Trip, failures: int, now: dt.datetime) -> dt.datetime:
    if trip.wait is not None:  # for a turn, or because the store said so
        return now + trip.wait
    return cadence.next_visit(
        now=now,
        interval=_interval(target, trip, now),
        shortest=settings.STORE_SAME_URL_INTERVAL,
        failures=failures,
        jitter=random.random(),  # noqa: S311 (spreads load, hides nothing)
    )


def _interval(target: Target, trip: Trip, now: dt.datetime) -> dt.timedelta:
    if target.kind == Target.Kind.DUE:
        return settings.STORE_SAME_URL_INTERVAL
    asins = trip.kept | set(target.asins)
    found = rhythm(marketplace=target.marketplace, asins=asins, now=now)
    day, news = found.next_release, found.last_news_at
    interval = cadence.interval(
        usual=settings.VISIT_INTERVAL,
        until_release=store_noon(target.marketplace, day) - now if day else None,
        since_news=now - news if news else None,
    )
    # Two looks make a withdrawal: the second must not wait for a quiet target's turn.
    return min(interval, settings.ABSENCE_DELAY) if trip.still_missing else interval
