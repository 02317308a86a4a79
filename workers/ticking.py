"""One tick: due slots become rows, what is unfinished is hinted at, what failed for good is told."""

import datetime as dt

from workers import alarms, schedule, timetable
from workers.hints import hint
from workers.ledger import slots
from workers.timing import Missed


def tick(*, now: dt.datetime, opened_by: str = "beat") -> None:
    """Whoever ticks, how many at once and how late: a slot is one row."""
    jobs = {job.task: job for job in timetable.jobs()}
    last = slots.last_slots(jobs)
    due = [
        (job.task, slot)
        for job in jobs.values()
        for slot in schedule.due_slots(job, last=last.get(job.task), now=now)
    ]
    each = [job.task for job in jobs.values() if job.missed is Missed.EACH]
    slots.open_slots(slots=due, each=each, opened_by=opened_by)
    slots.expire(
        patience={job.task: job.patience for job in jobs.values() if job.patience}, now=now
    )
    slots.bury_lost(now=now)
    alarms.say_failed(now=now)
    paused = [job.task for job in jobs.values() if job.paused]
    for name, slot in slots.take_unpublished(now=now, paused=paused):
        if name in jobs:  # another version may know more jobs
            hint(name, jobs[name].queue, slot=slot.isoformat())
