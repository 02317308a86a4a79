"""Backups: what is made, what counts as one, and what a damaged one is called."""

import datetime as dt
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import Notice, User
from catalog.models import Audiobook
from stalkerr import clock
from tests.backups import backups, damaged, flipped
from tests.factories import make_audiobook, make_channel, make_watch
from workers.backups import database, restore, services, storage, trial
from workers.backups.database import RefusedError
from workers.models import Backup

__all__ = ["backups"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]


def fill(user: User, now: dt.datetime, number: int = 3) -> None:
    make_channel(user)
    make_watch(user, now=now)
    for _ in range(number):
        make_audiobook(now=now)


def test_a_backup_is_whole_and_private(alice: User, now: dt.datetime, backups: Path) -> None:
    fill(alice, now)
    backup = services.back_up(now=now)
    assert (backup.state, backup.encrypted) == ("good", False)
    folder = backups / backup.name
    assert {path.name for path in folder.iterdir()} == {
        *("database.dump", "configuration.json", "manifest.json")
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    said = json.loads((folder / "manifest.json").read_text())
    assert said["tables"]["public.audiobooks"]["rows"] == 3
    assert "jobs.job_slot" in said["tables"]


def test_restore(alice: User, now: dt.datetime, backups: Path) -> None:
    fill(alice, now)
    backup = services.back_up(now=now)
    before = database.tally_of(database.here())
    make_audiobook(now=now)
    said: list[str] = []
    restore.restore(source=restore.find(backup.name), say=said.append)
    assert Audiobook.objects.count() == 3
    print(said, before.keys())
