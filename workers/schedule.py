"""When things happen: every job, how often, in which queue, and what becomes of a slot that was missed."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings

from stalkerr.celeryconfig import QUEUES
from workers.moments import next_slot, slots_of
from workers.timing import Missed, Timing, TimingError, parse_all

EACH_MAX: Final = 500  # missed slots that are run one by one; the older ones are given up
TOO_LATE: Final = dt.timedelta(minutes=5)  # for a job that skips what it missed


@dataclass(frozen=True, slots=True)
class Job:
    """A job runs once per slot, and of the slots that were missed as many as `missed` says."""

    task: str  # the Celery task's name, which is also the job's
    every: dt.timedelta
    queue: str
    lease: dt.timedelta  # renewed while it runs
    missed: Missed = Missed.ONCE
    expires: dt.timedelta | None = None  # a slot that nobody began for so long is not run
    at: dt.time | None = None  # by the clock of `zone`: once a day, at this hour
    zone: str = "UTC"
    paused: bool = False
    since: dt.datetime | None = None  # no slot before this: it was paused, or timed otherwise
    vital: bool = False  # without it nothing that is lost is ever found, or missed

    @property
    def patience(self) -> dt.timedelta | None:
        """How late a slot may be begun; None: however late."""
        return self.expires or (TOO_LATE if self.missed is Missed.SKIP else None)


_LEASE = dt.timedelta(minutes=2)
# Each queue's canary (workers/tasks/canaries.py): whoever does not hear it knows that a part is dead.
CANARIES = {queue: f"workers.canary.{queue}" for queue in QUEUES}
CANARY_EVERY = dt.timedelta(seconds=60)


def jobs() -> tuple[Job, ...]:
    """The schedule as this deployment has it. Whatever a lost hint leaves undone, a sweep finds.

    Raises TimingError where SCHEDULE can't be read.
    """
    return changed(entries(), parse_all(settings.SCHEDULE))


def entries() -> tuple[Job, ...]:
    """As it is meant. What makes news is quick and never waits behind visits, which take minutes."""
    sweep = settings.SWEEP_INTERVAL
    return (
        Job("scraping.visit_due_targets", sweep, "scrape", _LEASE, vital=True),
        Job("scraping.mark_out_by_date", dt.timedelta(minutes=5), "tick", _LEASE),
        Job("scraping.look_for_silence", dt.timedelta(hours=6), "scrape", _LEASE),
        Job("scraping.prune_visits", dt.timedelta(days=1), "scrape", _LEASE),
        Job("notifications.sweep", sweep, "tell", _LEASE, vital=True),
        Job("notifications.look_back", dt.timedelta(days=1), "tell", _LEASE),
        Job("notifications.keep_months", dt.timedelta(hours=6), "tell", _LEASE),
        Job("catalog.apply_imports", dt.timedelta(minutes=1), "scrape", _LEASE),
        Job("accounts.remove_left", dt.timedelta(minutes=5), "scrape", _LEASE),
        Job("catalog.remind", dt.timedelta(minutes=15), "tick", _LEASE),
        Job("workers.prune", dt.timedelta(hours=1), "tick", _LEASE),
        Job("backups.back_up", dt.timedelta(days=1), "backup", _LEASE),
        Job("backups.drill", dt.timedelta(days=7), "backup", _LEASE),
        Job("backups.look", dt.timedelta(hours=1), "tick", _LEASE),
        *(Job(name, CANARY_EVERY, queue, _LEASE, vital=True) for queue, name in CANARIES.items()),
    )


def changed(jobs: tuple[Job, ...], changes: Mapping[str, Timing]) -> tuple[Job, ...]:
    """The same jobs, timed otherwise. Raises TimingError for a job that is not there, or is vital."""
    unknown = sorted(changes.keys() - {job.task for job in jobs})
    if unknown:
        known = ", ".join(sorted(job.task for job in jobs))
        raise TimingError(f"There is no job {unknown[0]}: there are {known}.")
    return tuple(_timed(job, changes.get(job.task, Timing())) for job in jobs)


def _timed(job: Job, change: Timing) -> Job:
    if job.vital and (change.every or change.paused or change.missed):
        raise TimingError(f"{job.task} finds what is lost: it runs as it is (see SWEEP_INTERVAL).")
    if change.every is not None:
        job = replace(job, every=change.every, at=change.at, zone=change.zone)
    return replace(job, missed=change.missed or job.missed, paused=job.paused or change.paused)


def due_slots(job: Job, *, last: dt.datetime | None, now: dt.datetime) -> list[dt.datetime]:
    """The slots of a job to open now; `last` is the newest one opened before, if any.

    A job that never ran has its newest slot due: it need not wait for a day to begin.
    """
    if job.paused:
        return []
    after = max((moment for moment in (last, job.since) if moment is not None), default=None)
    is_each = job.missed is Missed.EACH and after is not None
    found = slots_of(
        every=job.every,
        at=job.at,
        zone=job.zone,
        after=after,
        until=now,
        limit=EACH_MAX if is_each else 1,
    )
    return [slot for slot in found if job.patience is None or now - slot <= job.patience]


def next_at(job: Job, *, now: dt.datetime) -> dt.datetime | None:
    """When it is due next; None while it is paused."""
    if job.paused:
        return None
    return next_slot(every=job.every, at=job.at, zone=job.zone, now=now)


def in_words(job: Job) -> str:
    """When it runs, as a person says it."""
    if job.at is not None:
        return f"daily at {job.at:%H:%M} {job.zone}"
    return f"every {job.every}"


def find(task: str) -> Job:
    """The job of that name. Raises KeyError."""
    for job in jobs():
        if job.task == task:
            return job
    raise KeyError(task)
