"""What must be right of the schedule before anything starts."""

from typing import Any

from django.core.checks import CheckMessage, Error

from workers.schedule import jobs
from workers.timing import TimingError


def check_schedule(**_: Any) -> list[CheckMessage]:
    """A schedule that can't be read would stop every tick."""
    try:
        jobs()
    except TimingError as error:
        return [
            Error(
                f"SCHEDULE: {error}",
                hint="Say JOB=WHEN, with commas between: workers.prune=1800,catalog.remind=07:00 UTC",
                id="stalkerr.E020",
            )
        ]
    return []
