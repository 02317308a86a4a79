"""Backups are made, counted and let go; each has a row, which any of them can be made without."""

import datetime as dt
from typing import Final

import structlog
from django.conf import settings

from workers.backups import alarms, making, retention, storage
from workers.backups.database import RefusedError
from workers.backups.manifest import Manifest, name_of
from workers.models import Backup

OVER: Final = dt.timedelta(hours=2)  # whoever began one then is dead: no task may last so long

_log = structlog.get_logger(__name__)


def back_up(*, now: dt.datetime) -> Backup:
    """Make a backup, store it, read it back; then let go of what need not be kept.

    Whatever goes wrong leaves no backup, a row that says why, and an alarm; it is raised.
    """
    backup = Backup.objects.create(name=name_of(now), taken_at=now)
    try:
        find_stored(now=now)
        with storage.work_folder() as folder:
            made = making.make(folder=folder, name=backup.name, now=now)
            storage.shelf().keep(folder, made)
    except BaseException as error:
        _give_up(backup, error, now)
        raise
    _note(backup, made, now)
    let_go(now=now)
    return backup


def let_go(*, now: dt.datetime) -> list[str]:
    """Remove the good backups that nobody asks to keep, and rows of failures as old; their names."""
    good = dict(Backup.objects.good().values_list("name", "taken_at"))
    kept = retention.kept(
        good,
        now=now,
        days=settings.BACKUP_KEEP_DAYS,
        weeks=settings.BACKUP_KEEP_WEEKS,
        months=settings.BACKUP_KEEP_MONTHS,
    )
    gone = sorted(set(good) - kept)
    for name in gone:
        storage.shelf().drop(name)
        Backup.objects.filter(name=name).delete()
    before = now - dt.timedelta(days=settings.BACKUP_KEEP_DAYS)
    failed = Backup.objects.filter(state=Backup.State.FAILED, taken_at__lt=before)
    failed.delete()
    return gone


def find_stored(*, now: dt.datetime) -> int:
    """Make rows and storage say the same; how many rows changed.

    A database that was restored knows nothing of later backups, and takes the one it came from for
    one that is being made. Whoever made one and died left a row as well.
    """
    shelf = storage.shelf()
    stored = set(shelf.names())
    rows = {backup.name: backup for backup in Backup.objects.all()}
    changed = 0
    for name in sorted(stored):
        if name not in rows or rows[name].state != Backup.State.GOOD:
            changed += _adopt(shelf, name, now)
    for name, backup in rows.items():
        if name not in stored and backup.state != Backup.State.FAILED and _is_over(backup, now):
            _fail(backup, "It is not in the storage, or its making was interrupted.", now)
            changed += 1
    return changed


def _adopt(shelf: storage.Shelf, name: str, now: dt.datetime) -> int:
    """A stored backup gets a row, if it is one of ours."""
    try:
        made = shelf.manifest(name)
    except RefusedError as error:
        _log.warning("backup_not_ours", name=name, error=str(error))
        return 0
    backup, _ = Backup.objects.get_or_create(name=name, defaults={"taken_at": made.taken_at})
    _note(backup, made, now)
    return 1


def _is_over(backup: Backup, now: dt.datetime) -> bool:
    return backup.state == Backup.State.GOOD or backup.age(now) > OVER


def _note(backup: Backup, made: Manifest, now: dt.datetime) -> None:
    Backup.objects.filter(id=backup.pk).update(
        state=Backup.State.GOOD,
        finished_at=now,
        bytes=made.bytes,
        encrypted=made.is_encrypted,
        detail="",
    )
    backup.refresh_from_db()


def _give_up(backup: Backup, error: BaseException, now: dt.datetime) -> None:
    """The row and the alarm first: what is left in the storage is no backup without a manifest."""
    text = f"{type(error).__name__}: {error}"[:1000]
    _log.warning("backup_failed", name=backup.name, error=text)
    _fail(backup, text, now)
    alarms.say_failed(backup, now)
    try:
        storage.shelf().drop(backup.name)
    except Exception as left:  # noqa: BLE001 (the first error is the one to be told)
        _log.warning("backup_left_behind", name=backup.name, error=str(left))


def _fail(backup: Backup, detail: str, now: dt.datetime) -> None:
    Backup.objects.filter(id=backup.pk).update(
        state=Backup.State.FAILED, finished_at=now, detail=detail
    )
    backup.refresh_from_db()
