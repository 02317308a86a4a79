"""What must fit between the schedule, the tasks and the database: system checks of this app."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connection

from stalkerr.celery import app
from workers import starting
from workers.schedule import jobs
from workers.timing import TimingError


def check_limits(**_: Any) -> list[CheckMessage]:
    """A task must be over before what it holds is another's: its hard limit is below the lease.

    A job renews its lease while it runs (workers/jobs.py), whatever its limit.
    """
    return [
        Error(
            f"{task} may last {limit:.0f} s, and its lease {lease:.0f} s.",
            hint=hint,
            id="workers.E001",
        )
        for task, limit, lease, hint in _leases()
        if limit >= lease
    ]


def _leases() -> Iterator[tuple[str, float, float, str]]:
    tell = hard_limit("notifications.tell")
    yield "notifications.tell", tell, settings.TELL_LEASE.total_seconds(), "Raise TELL_LEASE."
    # A visit renews its lease with every request: one turn and one answer fit into it.
    request = (settings.STORE_LONGEST_WAIT + settings.STORE_TIMEOUT).total_seconds()
    hint = "Raise VISIT_LEASE, or lower STORE_LONGEST_WAIT or STORE_TIMEOUT."
    yield "One request of scraping.visit_target", request, _visit_lease(), hint


def _visit_lease() -> float:
    return float(settings.VISIT_LEASE.total_seconds())


def hard_limit(task: str) -> float:
    """Seconds after which a task's child is killed."""
    import_module("workers.tasks")  # no sooner: they need models, and most processes do without
    return float(app.tasks[task].time_limit or app.conf.task_time_limit)


def check_migrations(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Code of today on tables of yesterday fails in the middle of something."""
    trouble = starting.trouble(connection) if databases else ""
    hint = "Web, workers and beats do not start on it."
    return [Warning(trouble, hint=hint, id="workers.W001")] if trouble else []


def check_schedule(**_: Any) -> list[CheckMessage]:
    """A schedule that can't be read would stop every tick."""
    try:
        jobs()
    except TimingError as error:
        return [
            Error(
                f"SCHEDULE: {error}",
                hint="Say JOB=WHEN, with commas between: workers.prune=1800,catalog.remind=07:00 UTC",
                id="workers.E002",
            )
        ]
    return []
