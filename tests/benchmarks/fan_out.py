"""One announcement to many followers, against the bare statement it can't do without."""

import time
from statistics import median
from typing import Any

from catalog.models import ReleaseEvent
from catalog.models.watch import default_hidden
from notifications import services
from notifications.models import Delivery, Told
from stalkerr import clock, sql
from tests.factories import make_audiobook
from tests.people import make_user

FOLLOWERS = 20_000
ROUNDS = 5
CHUNK = 20_000

_FLOOR = """
WITH remembered AS (
    INSERT INTO told (work_id, channel_id, kind, value, event_id, told_at)
    SELECT %(work_id)s, c.id, 'announced', '', %(event_id)s, now() FROM channels c
    ON CONFLICT DO NOTHING RETURNING channel_id
)
INSERT INTO deliveries (event_id, user_id, channel_id, channel_kind, watch_ids, state, due_at,
                        created_at)
SELECT %(event_id)s, c.user_id, c.id, c.kind, '{}', 'pending', now(), now()
FROM remembered r JOIN channels c ON c.id = r.channel_id ON CONFLICT DO NOTHING
"""


def measure() -> dict[str, Any]:
    """Rows a second, and the share of the bare INSERT … SELECT into the same tables."""
    follow()
    ours, floor = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(fan_out))
        floor.append(seconds(fan_out_bare))
    return {
        "benchmark": "fan_out",
        "followers": FOLLOWERS,
        "rows_per_s": round(FOLLOWERS / median(ours)),
        "vs_floor": round(median(floor) / median(ours), 2),
    }


def follow() -> None:
    """So many users, each with a channel and a watch of one author."""
    first = make_user("follower0")
    sql.rows(
        """
        INSERT INTO accounts_user (password, is_superuser, email, time_zone, is_staff, is_active,
                                   alarms)
        SELECT '', false, 'f' || n || '@example.org', 'UTC', false, true, true
        FROM generate_series(2, %s) n
        """,
        [FOLLOWERS],
    )
    sql.rows(
        "INSERT INTO destinations (kind, address, failures, sent_total, failed_total) "
        "VALUES ('webhook', 'h', 0, 0, 0)"
    )
    sql.rows(
        """
        INSERT INTO channels (user_id, kind, name, sealed_config, destination_id, disabled_reason)
        SELECT u.id, 'webhook', '', '', d.id, '' FROM accounts_user u, destinations d
        """
    )
    sql.rows(
        "INSERT INTO routes (user_id, channel_id, event_kinds) "
        "SELECT user_id, id, '{}' FROM channels"
    )
    sql.rows(
        """
        INSERT INTO watches (user_id, kind, query, asin, marketplaces, languages, excluded_words,
            event_kinds, include_announced, per_edition, muted, required_keys, excluded_keys,
            phrase, aliases, hidden)
        SELECT id, 'author', 'Ada Example', '', '{us}', '{}', '{}', '{announced}', true, false,
            false, '{}', '{}', '', '{}', %s FROM accounts_user
        """,
        [default_hidden()],
    )
    sql.rows(
        "INSERT INTO watch_keys (key, user_id, watch_id) "
        "SELECT 'author~ada example', user_id, id FROM watches"
    )
    sql.rows(
        "INSERT INTO watch_queries (watch_id, marketplace, kind, query, active_from) "
        "SELECT id, 'us', 'author', 'ada example', '2020-01-01' FROM watches"
    )
    sql.rows("ANALYZE")
    assert first.pk


def fan_out() -> None:
    event = announce()
    while not services.fan_out(event_id=event.id, now=clock.now(), chunk=CHUNK):
        pass


def fan_out_bare() -> None:
    event = announce()
    sql.rows(_FLOOR, {"event_id": event.id, "work_id": event.audiobook.work_id})


def announce() -> ReleaseEvent:
    return make_audiobook(now=clock.now()).events.get()


def seconds(work: Any) -> float:
    """How long one round takes, from empty tables to all rows written."""
    Delivery.objects.all()._raw_delete("default")
    Told.objects.all()._raw_delete("default")
    begun = time.monotonic()
    work()
    taken = time.monotonic() - begun
    written = Delivery.objects.count()
    assert written == FOLLOWERS, written
    return taken
