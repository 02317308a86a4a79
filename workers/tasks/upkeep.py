"""The tick, who looks after it, and what keeps the ledger small."""

import datetime as dt
import platform

import structlog
from celery import shared_task
from django.conf import settings

from accounts.answers import forget_answers
from accounts.refreshing import forget_expired
from accounts.services import notify
from catalog import revisions
from stalkerr import clock
from workers import lookout, ticking
from workers.hints import taken
from workers.jobs import job
from workers.ledger import months, slots

KEEP_SLOTS = dt.timedelta(days=7)
KEEP_EXPIRED = dt.timedelta(days=1)  # longer than an access token lives
MOST_SKEW = dt.timedelta(seconds=30)

_log = structlog.get_logger(__name__)


lookout.install()


@shared_task(name="workers.tick")
def tick() -> None:
    """Write the slots that are due, hint at what is unfinished, say again how new all is.

    Whichever machine this runs on has its clock compared: leases do not go by it, but hints expire by it.
    """
    now = clock.now()
    ticking.tick(now=now)
    revisions.publish()
    _say_skew(clock.skew(), now)


def _say_skew(skew: dt.timedelta, now: dt.datetime) -> None:
    if abs(skew) <= MOST_SKEW:
        return
    host, way = platform.node(), "ahead" if skew > dt.timedelta() else "behind"
    seconds = int(abs(skew).total_seconds())
    _log.warning("clock_skewed", host=host, seconds=seconds, way=way)
    notify(
        subject=f"The clock of {host} is wrong",
        text=f"It is {seconds} seconds {way} of the database's. Workers there may take hints for expired"
        " and do nothing: have it set by NTP.",
        dedupe_key=f"skew:{host}:{way}:{now.date()}"[:200],
        now=now,
    )


@shared_task(name=lookout.TASK)
def look() -> None:
    """Tick in the place of beats that fell silent, and say so."""
    taken(lookout.TASK)
    if lookout.look(now=clock.now()):
        revisions.publish()


@job("workers.prune")
def prune(now: dt.datetime) -> int:
    """Forget slots and runs of long ago, dead tokens, and answers nobody asks for again."""
    months.make_months(now=now)
    months.drop_months(before=now - settings.KEEP_RUNS)
    forgotten = forget_expired(before=now - KEEP_EXPIRED) + forget_answers(now=now)
    return forgotten + slots.prune(before=now - KEEP_SLOTS, failed_before=now - settings.KEEP_RUNS)
