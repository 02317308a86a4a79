"""What operators must hear of backups: each thing once a day."""

import datetime as dt
from typing import Final

import structlog

from accounts.services import notify
from workers.backups import state
from workers.models import Backup

_SUBJECTS: Final = {
    "missing": "There is no backup of the last day",
    "undrilled": "No backup was tried out lately",
    "drill": "A backup could not be restored",
}
_WHAT_TO_DO: Final = " The admin has a list of backups and of what went wrong with them."

_log = structlog.get_logger(__name__)


def look(*, now: dt.datetime) -> int:
    """Say what is wrong; returns how much that is."""
    problems = state.problems(now)
    for kind, text in problems.items():
        _say(f"backup-{kind}:{now.date()}", _SUBJECTS[kind], text, now)
    return len(problems)


def say_failed(backup: Backup, now: dt.datetime) -> None:
    """A backup that failed is heard of at once, not only once it is missed."""
    _say(f"backup-failed:{now.date()}", "A backup failed", f"{backup}: {backup.detail}", now)


def say_drill_failed(backup: Backup, now: dt.datetime) -> None:
    text = f"{backup}: {backup.drill_detail}"
    _say(f"backup-drill:{now.date()}", _SUBJECTS["drill"], text, now)


def _say(key: str, subject: str, text: str, now: dt.datetime) -> None:
    _log.warning("alarm", key=key, subject=subject)
    notify(subject=subject, text=text + _WHAT_TO_DO, dedupe_key=key, now=now)
