"""What ran, what runs, what waits, what failed and why: of every job, in one question.

The admin and the API show this and nothing else.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from workers.ledger.engine import engine
from workers.schedule import Job, in_words, next_at

_STATEMENT: Final = sa.text(
    """
    SELECT j.name, counted.*, given_up.failed, last.id AS last_run, last.started_at, last.finished_at, last.outcome,
           last.duration, wrong.id AS wrong_run, wrong.started_at AS wrong_at, wrong.error
    FROM unnest(CAST(:names AS text[])) AS j(name)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'running') AS running,
               count(*) FILTER (WHERE state = 'due') AS waiting,
               min(slot) FILTER (WHERE state = 'due') AS waits_since
        FROM jobs.job_slot WHERE job = j.name AND finished_at IS NULL
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT count(*) AS failed FROM jobs.job_slot WHERE job = j.name AND state = 'failed'
    ) AS given_up
    LEFT JOIN LATERAL (
        SELECT * FROM jobs.job_run WHERE job = j.name ORDER BY slot DESC, attempt DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT * FROM jobs.job_run WHERE job = j.name AND outcome IN ('failed', 'lost')
        ORDER BY slot DESC, attempt DESC LIMIT 1
    ) AS wrong ON true
    """
)


@dataclass(frozen=True, slots=True)
class JobState:
    """One job: how it is timed, and what became of it lately."""

    job: str
    queue: str
    timing: str  # in words
    missed: str
    paused: bool
    next_at: dt.datetime | None
    running: int
    waiting: int
    waits_since: dt.datetime | None
    failed: int  # slots that were given up and not replayed
    last_run: int | None
    last_started_at: dt.datetime | None
    last_finished_at: dt.datetime | None
    last_outcome: str | None  # None: it runs, or never ran
    last_duration: dt.timedelta | None
    last_error: str | None  # of the last run that failed or was lost
    last_error_at: dt.datetime | None
    last_error_run: int | None


def overview(*, jobs: Sequence[Job], now: dt.datetime) -> list[JobState]:
    """All of them, in the schedule's order."""
    with engine().connect() as connection:
        rows = connection.execute(_STATEMENT, {"names": [job.task for job in jobs]}).mappings()
        by_name = {row["name"]: row for row in rows}
    return [_state(job, by_name[job.task], now) for job in jobs]


def _state(job: Job, row: Any, now: dt.datetime) -> JobState:
    return JobState(
        job=job.task,
        queue=job.queue,
        timing=in_words(job),
        missed=job.missed.value,
        paused=job.paused,
        next_at=next_at(job, now=now),
        running=row["running"],
        waiting=row["waiting"],
        waits_since=row["waits_since"],
        failed=row["failed"],
        last_run=row["last_run"],
        last_started_at=row["started_at"],
        last_finished_at=row["finished_at"],
        last_outcome=row["outcome"],
        last_duration=row["duration"],
        last_error=row["error"],
        last_error_at=row["wrong_at"],
        last_error_run=row["wrong_run"],
    )
