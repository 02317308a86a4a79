"""How the backups stand: what health, metrics and alarms ask. Reads rows only, never the storage."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.db.migrations.recorder import MigrationRecorder

from workers.models import Backup

LATE: Final = dt.timedelta(hours=26)  # a night's backup, and two hours to make it
DRILL_LATE: Final = dt.timedelta(days=8)  # a week's drill, and a day


def newest_good() -> Backup | None:
    """The backup that a restore would take today."""
    return Backup.objects.good().first()


def age_of_newest(now: dt.datetime) -> dt.timedelta | None:
    """How old what it holds is; None where there is none."""
    newest = newest_good()
    return newest.age(now) if newest else None


def is_well(now: dt.datetime) -> bool:
    """For /health: whether there is nothing that operators must look at."""
    return not problems(now)


def problems(now: dt.datetime) -> Mapping[str, str]:
    """What operators must look at: a sentence for each of missing, undrilled and drill."""
    if not settings.BACKUPS:
        return {}
    found = {"missing": _missing(now), "undrilled": _undrilled(now), "drill": _drill()}
    return {kind: text for kind, text in found.items() if text}


def _missing(now: dt.datetime) -> str:
    newest = newest_good()
    since = newest.taken_at if newest else _begun()
    if since is None or now - since <= LATE:
        return ""
    if newest is None:
        return "There is no good backup at all."
    return f"The newest good backup is of {newest.taken_at:%d %B %Y, %H:%M} UTC."


def _undrilled(now: dt.datetime) -> str:
    """Whether there was something to drill for so long, and nobody did."""
    last = Backup.objects.drilled().first()
    first = Backup.objects.good().last()
    since = last.drilled_at if last else first.taken_at if first else None
    if since is None or now - since <= DRILL_LATE:
        return ""
    return f"No backup was tried out since {since:%d %B %Y}."


def _drill() -> str:
    last = Backup.objects.drilled().first()
    if last is None or last.drill != Backup.Drill.FAILED:
        return ""
    return f"The backup {last.name} could not be restored: {last.drill_detail}"


def _begun() -> dt.datetime | None:
    """Since when there are backups: a new installation is given time for its first."""
    applied = MigrationRecorder.Migration.objects.filter(app="workers").order_by("applied")
    first: dt.datetime | None = applied.values_list("applied", flat=True).first()
    return first
