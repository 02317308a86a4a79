"""Backups: what is made, what counts as one, and that a damaged one is never called good."""

import datetime as dt
import json
import random
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from accounts.models import Notice, User
from stalkerr import clock, sql
from tests.backups import backups, damaged, flipped
from tests.factories import make_audiobook, make_channel, make_watch
from workers.backups import database, making, restore, services, state, storage, trial
from workers.backups.database import RefusedError
from workers.backups.manifest import DUMP, NAME, name_of
from workers.backups.tools import ToolsError
from workers.models import Backup

__all__ = ["backups"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
    pytest.mark.slow,
]

# More than all that is said of tables, and hard to compress.
MANY_ROWS = """
INSERT INTO works (title) SELECT md5(n::text) || md5((-n)::text) FROM generate_series(1, 50000) n
"""
TENTHS = range(10, 100, 9)  # per cent: ten places


@pytest.fixture
def backup(alice: User, now: dt.datetime, backups: Path) -> Backup:
    """Of a database with a bit in it."""
    make_channel(alice)
    make_watch(alice, now=now)
    for _ in range(3):
        make_audiobook(now=now)
    return services.back_up(now=clock.now())


def is_good(name: str) -> bool:
    """Whether anybody who is asked for this backup would take it for good."""
    try:
        source = restore.find(name)
        with trial.opened(source.shelf, source.manifest):
            return True
    except RefusedError:
        return False


def test_a_backup_is_whole_and_for_our_eyes_only(backup: Backup, backups: Path) -> None:
    assert (backup.state, backup.encrypted) == ("good", False)
    folder = backups / backup.name
    files = {path.name: path for path in folder.iterdir()}
    assert set(files) == {"database.dump", "configuration.json", "manifest.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, backups)} == {0o700}
    assert [path.name for path in backups.iterdir()] == [backup.name]  # nothing is left of the work
    said = json.loads(files["manifest.json"].read_text())
    assert said["tables"]["public.audiobooks"]["rows"] == 3
    assert "jobs.job_slot" in said["tables"]
    assert is_good(backup.name)


def test_a_dump_that_is_cut_off_anywhere_is_never_good(backup: Backup, backups: Path) -> None:
    """Proves the guard check_same, and with a manifest that knows the cut one, that it is read whole.

    A list of its contents (`pg_restore --list`) takes those for good that are cut in the rows.
    """
    sql.rows(MANY_ROWS)
    backup = services.back_up(now=backup.taken_at + dt.timedelta(hours=1))
    dump = backups / backup.name / DUMP
    whole = dump.read_bytes()
    tools = making.tools_at(database.here())
    for per_cent in TENTHS:
        with damaged(dump, whole[: len(whole) * per_cent // 100]):
            assert not is_good(backup.name), per_cent
            with pytest.raises(ToolsError):
                making.read_whole(tools, dump)
    assert is_good(backup.name)


def test_a_backup_with_one_flipped_bit_is_never_good(backup: Backup, backups: Path) -> None:
    """Proves the guards check_same and the seal: each bit counts, in every file of it."""
    chance = random.Random(6)
    for path in sorted((backups / backup.name).iterdir()):
        whole = path.read_bytes()
        for bit in chance.sample(range(8 * len(whole)), 20):
            with damaged(path, flipped(whole, bit)):
                source_is_good = is_good(backup.name) and _is_stored_whole(backup.name)
                assert not source_is_good, (path.name, bit)
    assert _is_stored_whole(backup.name)


class Changing(storage.PrivateFolder):
    """Stores something else than it is given, and says nothing."""

    def _save(self, name: str, content: Any) -> str:
        whole = content.read()
        kept = flipped(whole, 4000) if name.endswith(DUMP) else whole
        return super()._save(name, ContentFile(kept))


def test_what_a_storage_changes_is_found_before_it_counts(
    alice: User, backups: Path, now: dt.datetime, tmp_path: Path
) -> None:
    """Proves that what was stored is read back, and that its manifest comes after that."""
    shelf = storage.Shelf(Changing(location=tmp_path / "elsewhere"))
    with storage.work_folder() as folder:
        made = making.make(folder=folder, name=name_of(now), now=now)
        with pytest.raises(RefusedError, match="was changed"):
            shelf.keep(folder, made)
    assert shelf.names() == []


def _is_stored_whole(name: str) -> bool:
    shelf = storage.shelf()
    try:
        shelf.check(shelf.manifest(name))
    except RefusedError:
        return False
    return True


def test_without_a_manifest_it_is_none(backup: Backup, backups: Path, now: dt.datetime) -> None:
    """Proves that what has no manifest is none, however much of it there is."""
    (backups / backup.name / NAME).unlink()
    assert storage.shelf().names() == []
    with pytest.raises(RefusedError, match="no backup yet"):
        restore.find("latest")
    assert services.find_stored(now=now) == 1
    assert state.newest_good() is None


def test_rows_follow_what_is_stored(backup: Backup, now: dt.datetime) -> None:
    """A database that was restored learns of the backups that came after its own."""
    Backup.objects.all().delete()
    assert services.find_stored(now=now) == 1
    assert state.newest_good() == Backup.objects.get(name=backup.name)
    assert services.find_stored(now=now) == 0


def test_what_need_not_be_kept_goes_but_never_the_last(backup: Backup, backups: Path) -> None:
    """Proves the guard of the newest: an installation that stood still would lose its last backup."""
    later = backup.taken_at + dt.timedelta(days=1000)
    assert services.let_go(now=later) == []
    newer = services.back_up(now=backup.taken_at + dt.timedelta(hours=1))
    assert services.let_go(now=later) == []  # the first of its week and month, and the newest
    newest = services.back_up(now=backup.taken_at + dt.timedelta(hours=2))
    assert services.let_go(now=later) == [newer.name]
    assert {path.name for path in backups.iterdir()} == {backup.name, newest.name}


def test_a_backup_that_fails_leaves_none_and_is_heard_of(
    backup: Backup, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the alarm: nobody looks at a list of backups while all is well."""
    (backups / "blocked").write_text("")
    monkeypatch.setattr("django.conf.settings.BACKUP_DIR", backups / "blocked")
    with pytest.raises(OSError, match="exists"):
        services.back_up(now=backup.taken_at + dt.timedelta(hours=1))
    failed = Backup.objects.get(state="failed")
    assert "blocked" in failed.detail
    assert storage.shelf().names() == [backup.name]
    notice = Notice.objects.get()
    assert (notice.user, notice.subject) == (None, "A backup failed")
