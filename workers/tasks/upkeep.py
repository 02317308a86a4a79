"""The tick, who looks after it, and what keeps the ledger small."""

import datetime as dt

from celery import shared_task
from django.conf import settings

from accounts.answers import forget_answers
from accounts.refreshing import forget_expired
from catalog import revisions
from stalkerr import clock
from workers import lookout, ticking
from workers.hints import taken
from workers.jobs import job
from workers.ledger import months, slots

KEEP_SLOTS = dt.timedelta(days=7)
KEEP_EXPIRED = dt.timedelta(days=1)  # longer than an access token lives


lookout.install()


@shared_task(name="workers.tick")
def tick() -> None:
    """Write the slots that are due, hint at what is unfinished, say again how new all is."""
    ticking.tick(now=clock.now())
    revisions.publish()


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
