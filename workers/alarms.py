"""What operators must hear of the work itself: a job given up, beats that all fell silent."""

import datetime as dt
from typing import Final

import structlog

from accounts.models import Notice
from accounts.services import notify, notify_each
from workers.ledger import history
from workers.ledger.slots import MAX_ATTEMPTS

LATELY: Final = dt.timedelta(hours=1)

_log = structlog.get_logger(__name__)


def say_failed(*, now: dt.datetime) -> int:
    """Tell of the slots that were given up lately, once a job and day; returns how many there are."""
    failed = history.failed(since=now - LATELY)
    notify_each(
        notices=[
            Notice(
                subject=f"A job fails: {row['job']}"[:200],
                text=(
                    f"{row['job']}, due {row['slot']:%d %B %Y, %H:%M} UTC, was tried"
                    f" {MAX_ATTEMPTS} times and is given up. Its last run said:"
                    f" {row['error'] or 'nothing'}. The admin shows all its runs under job slots; once"
                    " the reason is gone, replay it there."
                ),
                dedupe_key=f"job_failed:{row['job']}:{row['slot'].date()}"[:200],
                created_at=now,
            )
            for row in failed
        ]
    )
    return len(failed)


def say_silent(*, last: dt.datetime, now: dt.datetime) -> None:
    """Tell that no beat has ticked since `last`, once for each silence."""
    _log.warning("beat_silent", since=last.isoformat())
    notify(
        subject="No beat ticks",
        text=(
            f"The last tick of a beat was at {last:%d %B %Y, %H:%M:%S} UTC. Workers tick in its place"
            " meanwhile, more slowly, so nothing is lost. Start a beat, and look why it went."
        ),
        dedupe_key=f"beat_silent:{last.isoformat()}",
        now=now,
    )
