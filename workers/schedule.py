"""When things happen: every job, how often, in which queue, for how long."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings

_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """A job runs once per slot; of slots nobody began, only the newest runs."""

    task: str  # the Celery task's name, which is also the job's
    every: dt.timedelta
    queue: str
    lease: dt.timedelta  # longer than the task's hard time limit


_LEASE = dt.timedelta(minutes=2)
_LONG_LEASE = dt.timedelta(minutes=95)


def jobs() -> tuple[Job, ...]:
    """The schedule. Whatever a lost hint leaves undone, one of the sweeps finds."""
    sweep = settings.SWEEP_INTERVAL
    return (
        Job("scraping.visit_due_targets", sweep, "scrape", _LEASE),
        Job("scraping.mark_out_by_date", dt.timedelta(minutes=5), "scrape", _LEASE),
        Job("scraping.look_for_silence", dt.timedelta(hours=6), "scrape", _LEASE),
        Job("scraping.prune_visits", dt.timedelta(days=1), "scrape", _LEASE),
        Job("notifications.sweep", sweep, "tell", _LEASE),
        Job("notifications.look_back", dt.timedelta(days=1), "tell", _LEASE),
        Job("notifications.keep_months", dt.timedelta(hours=6), "tell", _LEASE),
        Job("catalog.apply_imports", dt.timedelta(minutes=1), "scrape", _LEASE),
        Job("accounts.remove_left", dt.timedelta(minutes=5), "scrape", _LEASE),
        Job("catalog.remind", dt.timedelta(minutes=15), "scrape", _LEASE),
        Job("workers.prune", dt.timedelta(hours=1), "tick", _LEASE),
        Job("backups.back_up", dt.timedelta(days=1), "backup", _LONG_LEASE),
        Job("backups.drill", dt.timedelta(days=7), "backup", _LONG_LEASE),
        Job("backups.look", dt.timedelta(hours=1), "tick", _LEASE),
    )


def due_slots(now: dt.datetime) -> dict[str, dt.datetime]:
    """Each job's current slot: the last multiple of its interval, the same for every beat."""
    return {job.task: now - (now - _EPOCH) % job.every for job in jobs()}


def find(task: str) -> Job:
    """The job of that name."""
    return next(job for job in jobs() if job.task == task)
