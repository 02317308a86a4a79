"""A backup every night, a drill every week, and a look at whether both were."""

import datetime as dt

from django.conf import settings

from workers.backups import alarms
from workers.backups.drill import drill as drill_newest
from workers.backups.services import back_up as make_backup
from workers.jobs import job

# Enough for a hundred gigabytes, and longer than a broker leaves a message with anybody: it is given
# back first, and a worker that dies leaves its slot to the next.
LIMITS = {"soft_time_limit": 5300, "time_limit": 5400, "acks_late": False}


@job("backups.back_up", **LIMITS)
def back_up(now: dt.datetime) -> int:
    """Make a backup, and let go of what need not be kept."""
    return int(settings.BACKUPS and make_backup(now=now) is not None)


@job("backups.drill", **LIMITS)
def drill(now: dt.datetime) -> int:
    """Try out the newest backup."""
    return int(settings.BACKUPS and drill_newest(now=now) is not None)


@job("backups.look")
def look(now: dt.datetime) -> int:
    """Alarms where a backup or a drill is missing or failed."""
    return alarms.look(now=now)
