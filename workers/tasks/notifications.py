"""What runs between a piece of news and the last message, and what runs next."""

import datetime as dt

import structlog
from celery import shared_task
from celery.signals import worker_process_shutdown
from django.conf import settings

from catalog.services import publish_events
from notifications import merging, partitions, retelling, sender, sending, services, telling, wishes
from notifications.postings import drop_postings
from stalkerr import clock
from workers.hints import hint_once, taken
from workers.jobs import job

AT_ONCE = 200  # rows of each sort a sweep looks at; the next one looks at the rest
KEEP_HELD = dt.timedelta(days=30)
SHUTDOWN = 20.0  # seconds: a send takes 15, then it is written down

_log = structlog.get_logger(__name__)


@job("notifications.sweep")
def sweep(now: dt.datetime) -> int:
    """Find whatever a lost hint left undone, and name it again."""
    publish_events()
    done = services.cancel_unwanted(now=now)
    done += services.fan_out_again(now=now, limit=AT_ONCE)
    done += services.fan_out_notices(now=now)
    done += services.hold_strays(now=now)
    done += sending.bury_lost(now=now)
    if services.has_untold():
        hint_once("notifications.fan_out", "tell")
    _hint_at_shards(now)
    # Last: whatever may be wrong with works, news goes out.
    return done + merging.merge_due(limit=AT_ONCE)


@job("notifications.look_back")
def look_back(now: dt.datetime) -> int:
    """Tell again what flapped and then stood; give up what was held for too long."""
    dropped = services.drop_held(before=now - KEEP_HELD, now=now)
    return dropped + retelling.retell(now=now)


@job("notifications.keep_months")
def keep_months(now: dt.datetime) -> int:
    """Make the months to come, drop those that are kept no longer; clocks follow their owners."""
    changed = partitions.make_months(now=now)
    changed += partitions.drop_months(before=now - settings.KEEP_MESSAGES)
    changed += drop_postings(before=now - settings.KEEP_MESSAGES)
    return changed + wishes.follow_zones(now=now)


@shared_task(name="notifications.fan_out")
def fan_out() -> None:
    """Promise what is untold to the next chunk of its listeners."""
    taken("notifications.fan_out")
    publish_events()
    now = clock.now()
    if services.fan_out_due(now=now, limit=AT_ONCE, chunk=settings.FAN_OUT_CHUNK):
        hint_once("notifications.fan_out", "tell")
    _hint_at_shards(now)


@shared_task(name="notifications.tell")
def tell(*, kind: str, shard: int) -> None:
    """Send what is due over one kind of channel, for one shard of the channels."""
    taken("notifications.tell", kind=kind, shard=shard)
    if telling.tell(kind=kind, shard=shard, clock=clock.now):
        hint_once("notifications.tell", "tell", kind=kind, shard=shard)


@worker_process_shutdown.connect
def finish_sends(**_: object) -> None:
    """A child that ends in peace settles what is on its wire, for nobody to send it again."""
    if not sender.finish(SHUTDOWN):
        _log.warning("sends_left_behind", seconds=SHUTDOWN)


def _hint_at_shards(now: dt.datetime) -> None:
    for kind, shard in sending.due_shards(now=now):
        hint_once("notifications.tell", "tell", kind=kind, shard=shard)
