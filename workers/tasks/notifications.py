"""What runs between a piece of news and the last message, and what runs next."""

import datetime as dt

from celery import shared_task
from django.conf import settings

from catalog.services import publish_events, unprocessed_events
from notifications import merging, retelling, sending, services, telling
from stalkerr import clock
from workers.hints import hint
from workers.jobs import job

AT_ONCE = 200  # rows of each sort a sweep looks at; the next one looks at the rest
KEEP_HELD = dt.timedelta(days=30)


@job("notifications.sweep")
def sweep(now: dt.datetime) -> int:
    """Find whatever a lost hint left undone, and name it again."""
    publish_events()
    done = services.cancel_unwanted(now=now)
    done += services.fan_out_again(now=now, limit=AT_ONCE)
    done += services.fan_out_notices(now=now)
    done += services.hold_strays(now=now)
    events = unprocessed_events(limit=AT_ONCE)
    for event_id in events:
        hint("notifications.fan_out", "tell", event_id=event_id)
    _hint_at_kinds(now)
    # Last: whatever may be wrong with works, news goes out.
    return done + len(events) + merging.merge_due(limit=AT_ONCE)


@job("notifications.look_back")
def look_back(now: dt.datetime) -> int:
    """Tell again what flapped and then stood; give up what was held for too long."""
    dropped = services.drop_held(before=now - KEEP_HELD, now=now)
    return dropped + retelling.retell(now=now)


@shared_task(name="notifications.fan_out")
def fan_out(*, event_id: int) -> None:
    """Promise one event to the next chunk of its listeners."""
    publish_events()
    now = clock.now()
    if not services.fan_out(event_id=event_id, now=now, chunk=settings.FAN_OUT_CHUNK):
        hint("notifications.fan_out", "tell", event_id=event_id)
    _hint_at_kinds(now)


@shared_task(name="notifications.tell")
def tell(*, kind: str) -> None:
    """Send what is due over one kind of channel."""
    if telling.tell(kind=kind, clock=clock.now):
        hint("notifications.tell", "tell", kind=kind)


def _hint_at_kinds(now: dt.datetime) -> None:
    for kind in sending.kinds_due(now=now):
        hint("notifications.tell", "tell", kind=kind)
