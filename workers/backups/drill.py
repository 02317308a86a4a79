"""Whether the newest backup can be restored: tried out every week, without touching the database."""

import datetime as dt
from typing import Final

from django.conf import settings

from workers.backups import alarms, database, restore, state, storage, trial
from workers.backups.scratch import desk
from workers.models import Backup

USE: Final = "drill"  # of scratch databases


def drill(*, now: dt.datetime) -> Backup | None:
    """Try out the newest good backup and write down what came of it; None where there is none.

    One that is encrypted is only read whole where its key is not here. A failure is an alarm, and
    raised.
    """
    backup = state.newest_good()
    if backup is None:
        return None
    try:
        came_of_it, detail = _try_out(backup)
    except BaseException as error:
        _note(backup, Backup.Drill.FAILED, f"{type(error).__name__}: {error}"[:1000], now)
        alarms.say_drill_failed(backup, now)
        raise
    _note(backup, came_of_it, detail, now)
    return backup


def _try_out(backup: Backup) -> tuple[Backup.Drill, str]:
    shelf = storage.shelf()
    made = shelf.manifest(backup.name)
    if made.is_encrypted and not settings.BACKUP_IDENTITY:
        shelf.check(made)
        return Backup.Drill.READ, f"{len(made.files)} files as they were stored"
    with (
        desk(database.here()) as at,
        trial.opened(shelf, made) as opened,
        trial.restored(at, opened, use=USE) as scratch,
    ):
        restore.upgrade(scratch)
    rows = sum(table.rows for table in made.tables.values())
    return Backup.Drill.RESTORED, f"{len(made.tables)} tables with {rows} rows as they were"


def _note(backup: Backup, drill: Backup.Drill, detail: str, now: dt.datetime) -> None:
    Backup.objects.filter(id=backup.pk).update(drill=drill, drilled_at=now, drill_detail=detail)
    backup.refresh_from_db()
