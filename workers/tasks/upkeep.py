"""The tick, and what keeps the ledger small."""

import datetime as dt

from celery import shared_task

from accounts.answers import forget_answers
from accounts.refreshing import forget_expired
from catalog import revisions
from stalkerr import clock
from workers import schedule
from workers.hints import hint
from workers.jobs import job
from workers.ledger import slots

KEEP_RUNS = dt.timedelta(days=7)
KEEP_EXPIRED = dt.timedelta(days=1)  # longer than an access token lives


@shared_task(name="workers.tick")
def tick() -> None:
    """Write the slots that are due, hint at what is unfinished, say again how new all is."""
    now = clock.now()
    slots.open_slots(slots=schedule.due_slots(now))
    for name, slot in slots.take_unpublished(now=now):
        hint(name, schedule.find(name).queue, slot=slot.isoformat())
    revisions.publish()


@job("workers.prune")
def prune(now: dt.datetime) -> int:
    """Forget finished slots and runs of long ago, dead tokens, and answers nobody asks for again."""
    forgotten = forget_expired(before=now - KEEP_EXPIRED) + forget_answers(now=now)
    return forgotten + slots.prune(before=now - KEEP_RUNS)
