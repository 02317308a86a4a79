"""What a database must be told once it was restored: it does not know what has been told since.

All of it is done before anybody works with the database. Nothing that was unsent at the backup is
sent, and what is found again waits for a person (catalog/brake.py); whoever has left leaves again.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import F, Max

from accounts.refreshing import end_all
from catalog import brake, revisions
from catalog.models import Gap, ReleaseEvent
from notifications.holding import hold_all_unsent
from scraping.models import Target
from workers.leaving import apply_tombstones, remove_left

AT_ONCE: Final = 100_000  # rows of those who left
INSTANT: Final = dt.timedelta(microseconds=1)  # nothing is on its way to them: no grace
# Whoever reads all news by a cursor has read on since: what is published next must lie beyond.
CURSOR_LEAP: Final = 1_000_000
# A visit that began before the swap has a number that no visit after it gets.
CLAIM_LEAP: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Settled:
    """How much now waits for a person, and how many had left."""

    events: int
    messages: int
    left: int


def settle(*, taken_at: dt.datetime, now: dt.datetime) -> Settled:
    """Make a database that was restored from a backup of `taken_at` fit to work with."""
    with transaction.atomic():
        messages = hold_all_unsent(now=now)
        events = brake.hold_all_unsaid(now=now)
        Gap.objects.create(began_at=taken_at, ended_at=max(now, taken_at))
        Target.objects.update(claim_no=F("claim_no") + CLAIM_LEAP, lease_expires_at=None)
        _leap()
        revisions.note_all()
        end_all(now=now)
    left = apply_tombstones(now=now)
    while remove_left(before=now + INSTANT, limit=AT_ONCE):
        pass
    return Settled(events, messages, left)


def _leap() -> None:
    """The newest news goes to its new place; who reads it a second time knows its id."""
    last = ReleaseEvent.objects.aggregate(last=Max("published_seq"))["last"]
    ReleaseEvent.objects.filter(published_seq=last).exclude(published_seq=None).update(
        published_seq=F("published_seq") + CURSOR_LEAP
    )
