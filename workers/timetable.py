"""The schedule as it is just now: as deployed, with what staff changed of it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from workers import schedule
from workers.ledger import by_hand
from workers.schedule import Job
from workers.timing import TimingError, parse

_log = structlog.get_logger(__name__)


class VitalError(Exception):
    """This job finds whatever is lost: it can't be paused or timed; SWEEP_INTERVAL says how often."""


def jobs() -> tuple[Job, ...]:
    """All jobs."""
    settings = by_hand.settings()
    return tuple(_as_set(job, settings.get(job.task)) for job in schedule.jobs())


def _as_set(job: Job, setting: Mapping[str, Any] | None) -> Job:
    if setting is None or job.vital:
        return job
    try:
        job = timed(job, setting["timing"])
    except TimingError as error:  # a row that another version wrote must not stop the others
        _log.warning("job_setting_unreadable", job=job.task, error=str(error))
    return replace(job, paused=job.paused or setting["paused"], since=setting["since"])


def timed(job: Job, words: str) -> Job:
    """A job as some words time it. Raises TimingError."""
    return schedule.changed((job,), {job.task: parse(words)})[0]


def pause(*, task: str, now: dt.datetime) -> None:
    """Open no slot of a job until it is resumed. Raises KeyError, VitalError."""
    _changeable(task)
    by_hand.change(job=task, now=now, paused=True)


def resume(*, task: str, now: dt.datetime) -> None:
    """Go on with its next slot: none that was missed is run. Raises KeyError, VitalError."""
    _changeable(task)
    by_hand.change(job=task, now=now, paused=False)


def retime(*, task: str, words: str, now: dt.datetime) -> None:
    """Time a job from now on, or by no words as deployed. Raises KeyError, VitalError, TimingError."""
    timed(_changeable(task), words)
    by_hand.change(job=task, now=now, timing=words)


def _changeable(task: str) -> Job:
    job = schedule.find(task)
    if job.vital:
        raise VitalError(VitalError.__doc__)
    return job
