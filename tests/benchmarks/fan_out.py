"""One announcement to many followers, against the bare statement it can't do without."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.models import ReleaseEvent
from notifications import services
from notifications.models import Delivery, Told
from stalkerr import clock, sql
from tests.benchmarks.rounds import ratio, seconds
from tests.crowd import SECRET, make_crowd
from tests.factories import event_of, make_audiobook

FOLLOWERS = 200_000
ROUNDS = 5
SHARE = 20_000  # of the followers, each round of bulk_create: rates are compared
BATCH = 1_000

_FLOOR = """
WITH remembered AS (
    INSERT INTO told (work_id, channel_id, kind, value, event_id, told_at)
    SELECT %(work_id)s, c.id, 'announced', '', %(event_id)s, now() FROM channels c
    ON CONFLICT DO NOTHING RETURNING channel_id
)
INSERT INTO deliveries (event_id, source_at, user_id, channel_id, channel_kind, destination_id,
                        watch_ids, state, due_at, created_at)
SELECT %(event_id)s, %(seen_at)s, c.user_id, c.id, c.kind, c.destination_id, '{}', 'pending', now(), now()
FROM remembered r JOIN channels c ON c.id = r.channel_id ON CONFLICT DO NOTHING
"""
# Who follows, in the fewest words that a loop over rows would ask in.
_FOLLOWERS = """
SELECT w.user_id, w.id, c.id, c.kind, c.destination_id FROM watch_keys k JOIN watches w ON w.id = k.watch_id
JOIN routes r ON r.user_id = w.user_id AND r.watch_id IS NULL
JOIN channels c ON c.id = r.channel_id
WHERE k.key = ANY(%s) ORDER BY w.user_id LIMIT %s
"""


def measure() -> dict[str, Any]:
    """Rows a second, and how many times as long others take for a row.

    `vs_floor`: the bare INSERT … SELECT into the same tables. `vs_bulk_create`: Django's, of both
    tables in thousands, the read of the followers included.
    """
    make_crowd(
        people=FOLLOWERS, now=clock.now(), config={"url": "http://127.0.0.1:9/", "secret": SECRET}
    )
    ours, floor, django = [], [], []
    for _ in range(ROUNDS):
        ours.append(round_of(fan_out, FOLLOWERS))
        floor.append(round_of(fan_out_bare, FOLLOWERS))
        django.append(round_of(fan_out_by_django, SHARE))
    return {
        "benchmark": "fan_out",
        "followers": FOLLOWERS,
        "bulk_create_followers": SHARE,
        "rows_per_s": round(1 / median(ours)),
        "vs_floor": ratio(floor, ours),
        "vs_bulk_create": ratio(django, ours),
    }


def round_of(work: Callable[[ReleaseEvent], None], followers: int) -> float:
    """Seconds a follower, from empty tables to all rows written."""
    sql.rows("TRUNCATE told, deliveries")
    ReleaseEvent.objects.unprocessed().update(fanned_out_at=clock.now())  # of the other ways
    event = event_of(make_audiobook(now=clock.now()))
    taken = seconds(lambda: work(event))
    written = (Told.objects.count(), Delivery.objects.count())
    assert written == (followers, followers), written
    return taken / followers


def fan_out(event: ReleaseEvent) -> None:
    """As the task does, over and over."""
    chunk = settings.FAN_OUT_CHUNK
    while services.fan_out_due(now=clock.now(), limit=200, chunk=chunk):
        pass


def fan_out_bare(event: ReleaseEvent) -> None:
    sql.rows(
        _FLOOR,
        {"event_id": event.id, "work_id": event.audiobook.work_id, "seen_at": event.seen_at},
    )


def fan_out_by_django(event: ReleaseEvent) -> None:
    now = clock.now()
    followers = iter(sql.rows(_FOLLOWERS, [event.audiobook.match_keys, SHARE]))
    with transaction.atomic():
        while batch := list(itertools.islice(followers, BATCH)):
            Told.objects.bulk_create(told(event, batch, now), ignore_conflicts=True)
            Delivery.objects.bulk_create(deliveries(event, batch, now), ignore_conflicts=True)


Follower = tuple[int, int, int, str, int]  # user, watch, channel, its kind and destination


def told(event: ReleaseEvent, followers: list[Follower], now: dt.datetime) -> Iterator[Told]:
    for _, _, channel_id, _, _ in followers:
        yield Told(
            work_id=event.audiobook.work_id,
            channel_id=channel_id,
            kind=event.kind,
            value=event.value,
            event_id=event.id,
            told_at=now,
        )


def deliveries(
    event: ReleaseEvent, followers: list[Follower], now: dt.datetime
) -> Iterator[Delivery]:
    for user_id, watch_id, channel_id, kind, destination_id in followers:
        yield Delivery(
            event_id=event.id,
            source_at=event.seen_at,
            user_id=user_id,
            channel_id=channel_id,
            channel_kind=kind,
            destination_id=destination_id,
            watch_ids=[watch_id],
            due_at=now,
            created_at=now,
        )
