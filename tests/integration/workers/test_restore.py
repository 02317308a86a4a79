"""A restore: all or nothing, only of what we have made, and nothing is told twice by it."""

import contextlib
import datetime as dt
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql

from accounts.models import User
from catalog.models import Audiobook, Gap, ReleaseEvent
from stalkerr import clock
from tests.backups import backups, manage, start
from tests.factories import make_audiobook, make_channel, make_watch
from tests.sinks import wait_until
from workers.backups import database, manifest, restore, scratch, services, storage, trial
from workers.backups.database import Place, RefusedError
from workers.backups.manifest import DUMP, NAME
from workers.ledger import slots
from workers.models import Backup

__all__ = ["backups"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

# What a restore itself changes, and says so.
SETTLED = {
    *("public.gaps", "public.store_changes", "public.backups", "public.django_session"),
    "jobs.job_setting",  # the upgrade writes a row for each job
}


@pytest.fixture
def backup(alice: User, now: dt.datetime, backups: Path) -> Backup:
    make_channel(alice)
    make_watch(alice, now=now)
    for _ in range(3):
        make_audiobook(now=now, out_in=None)
    ReleaseEvent.objects.update(fanned_out_at=now)
    slots.open_slots(slots=[("workers.prune", now)])
    return services.back_up(now=clock.now())


def put_back(name: str, **options: Any) -> Place:
    return restore.restore(source=restore.find(name), say=lambda _: None, **options)


def others() -> list[str]:
    """The databases made for restores and drills that are still there."""
    with scratch.desk(database.here()) as at:
        return [name for use in ("restore", "drill", "before") for name in at.names(use)]


def test_all_is_as_it_was(backup: Backup, now: dt.datetime) -> None:
    """The ledger's schema too; and what was there before is kept, for whoever erred."""
    asins = set(Audiobook.objects.values_list("asin", flat=True))
    late = make_audiobook(now=now).asin
    Audiobook.objects.filter(asin=min(asins)).update(title="Changed since")
    old = put_back(backup.name)
    assert set(Audiobook.objects.values_list("asin", flat=True)) == asins
    said = restore.find(backup.name).manifest.tables
    found = database.tally_of(database.here())
    assert {name for name in said if said[name] != found[name]} <= SETTLED
    assert said["jobs.job_slot"].rows == found["jobs.job_slot"].rows == 1
    with old.connect() as session:
        kept = session.execute("SELECT asin FROM audiobooks").fetchall()
    assert {asin for (asin,) in kept} == asins | {late}
    backup.refresh_from_db()
    assert backup.state == "good"  # in its own dump it was still being made


def test_an_interrupted_restore_has_touched_nothing_and_a_second_one_works(
    backup: Backup, now: dt.datetime, backups: Path
) -> None:
    """Proves the scratch database: one that is filled in place would be half of each by now."""
    late = make_audiobook(now=now)
    connection.close()
    process = start("restore", backup.name, "--yes", folder=backups)
    try:
        wait_until(lambda: bool(_names("restore")), within=60, every=0.05)
    finally:
        process.kill()
        process.communicate()
    assert Audiobook.objects.filter(id=late.pk).exists()
    assert Audiobook.objects.count() == 4
    restore.leave()
    status, output, complaint = manage("restore", backup.name, "--yes", folder=backups)
    assert (status, complaint) == (0, "")
    assert "is kept as" in output
    assert Audiobook.objects.count() == 3
    assert _names("restore") == []


def _names(use: str) -> list[str]:
    with database.here().connect() as session:
        found = session.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
            [f"{database.here().name}_{use}_"],
        )
        return [name for (name,) in found.fetchall()]


def test_it_swaps_under_those_who_come_back_at_once(backup: Backup, now: dt.datetime) -> None:
    """Proves that sessions are ended: a rename waits five seconds for them, then gives up."""
    make_audiobook(now=now)
    place, stop = database.here(), threading.Event()

    def come_back() -> None:
        while not stop.is_set():
            with contextlib.suppress(psycopg.Error), place.connect() as session:
                while not stop.wait(0.01):
                    session.execute("SELECT 1")

    guests = [threading.Thread(target=come_back) for _ in range(3)]
    for guest in guests:
        guest.start()
    try:
        put_back(backup.name)
    finally:
        stop.set()
        for guest in guests:
            guest.join()
    assert Audiobook.objects.count() == 3


def test_a_drill_touches_nothing_and_leaves_nothing(backup: Backup, now: dt.datetime) -> None:
    late = make_audiobook(now=now)
    call_command("drill")
    backup.refresh_from_db()
    assert (backup.drill, backup.drilled_at is None) == ("restored", False)
    assert Audiobook.objects.filter(id=late.pk).exists()
    assert others() == []
    assert not Gap.objects.exists()


def test_what_is_restored_is_held_against_the_manifest(backup: Backup, backups: Path) -> None:
    """Proves the guard check_equal: a dump that lacks a row restores without a complaint."""
    rewrite(backups / backup.name, lambda said: said["tables"]["public.watches"].update(sum="7"))
    with pytest.raises(RefusedError, match=r"public\.watches is not what was backed up"):
        put_back(backup.name)
    assert others() == []


def test_a_dump_that_holds_more_than_its_manifest_says_is_refused(
    backup: Backup, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard `most`: a small file may unpack to more than any disk holds."""
    monkeypatch.setattr(trial, "SPARE", 0)
    rewrite(backups / backup.name, lambda said: said.update(unpacked=said["unpacked"] - 1))
    with pytest.raises(RefusedError, match="more in database"):
        put_back(backup.name)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Another manifest, with a seal that is right."""
    said = manifest._content((folder / NAME).read_bytes())
    said.pop("seal")
    change(said)
    said["seal"] = manifest._seals(said)[0]
    (folder / NAME).write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda said: said.update(server=99), "from PostgreSQL 99"),
        (lambda said: said["migrations"]["catalog"].append("9999_later"), "newer Stalkerr"),
        (lambda said: said["migrations"]["jobs"].append("9999"), "newer Stalkerr"),
        (lambda said: said.update(version=2), "newer Stalkerr"),
    ],
    ids=["server", "django", "ledger", "format"],
)
def test_what_is_newer_than_we_are_is_refused(
    backup: Backup, backups: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    """Proves the guards of check_fits: an old Stalkerr would work with tables it does not know."""
    rewrite(backups / backup.name, change)
    with pytest.raises(RefusedError, match=says):
        put_back(backup.name)


def test_an_older_schema_is_brought_up_to_date(backup: Backup, now: dt.datetime) -> None:
    """Proves that migrations run in the scratch database: this backup knows no gaps."""
    call_command("migrate", "catalog", "0010", verbosity=0)
    try:
        older = services.back_up(now=clock.now())
    finally:
        call_command("migrate", "catalog", verbosity=0)
    assert "public.gaps" not in restore.find(older.name).manifest.tables
    put_back(older.name)
    assert Gap.objects.count() == 1


def test_what_we_have_not_sealed_is_not_run(backup: Backup, backups: Path, settings: Any) -> None:
    """Proves the seal: whoever can put a file there would have their SQL run by us."""
    settings.CHANNEL_KEYS = ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMDA="]
    with pytest.raises(RefusedError, match="--unsealed"):
        restore.find(backup.name)
    assert restore.find(backup.name, unsealed=True).manifest.name == backup.name


def test_secrets_that_nobody_can_read_are_no_backup(
    backup: Backup, backups: Path, settings: Any
) -> None:
    """Proves the guard _check_secret: the channels of such a database are lost."""
    source = restore.find(backup.name)
    settings.CHANNEL_KEYS = ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMDA="]
    with pytest.raises(RefusedError, match="put that key back"):
        restore.restore(source=source, say=lambda _: None)


def test_a_user_of_the_database_without_the_rights_is_told_which(backups: Path) -> None:
    """Proves the guard _check_rights: the restore would fail half-way, in PostgreSQL's words."""
    place, role = database.here(), "stalkerr_test_guest"
    with place.connect(autocommit=True) as session:
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'guest' NOCREATEDB")
        session.execute(statement.format(sql.Identifier(role)))
        try:
            parameters = tuple((dict(place.parameters) | {"user": role}).items())
            guest = Place(parameters, "guest", place.name)
            with pytest.raises(RefusedError, match=f'ALTER ROLE "{role}" CREATEDB'):
                scratch.desk(guest).__enter__()
            session.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(role)))
            with pytest.raises(RefusedError, match="OWNER TO"):
                scratch.desk(guest).__enter__()
        finally:
            session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_two_at_once_are_one_after_the_other(backup: Backup) -> None:
    """Proves the lock of the desk: the second would drop the first's scratch database."""
    with (
        scratch.desk(database.here()),
        pytest.raises(RefusedError, match="Another restore"),
    ):
        put_back(backup.name)


def test_somebody_has_to_say_yes(backup: Backup) -> None:
    """Proves the confirmation: a line in a shell's history is not enough."""
    with pytest.raises(CommandError, match="say --yes"):
        call_command("restore", backup.name)
    assert others() == []


def test_hostile_folders_are_refused(backup: Backup, backups: Path, tmp_path: Path) -> None:
    """Proves the guards of what somebody brings: nothing of it leads out of its folder, or to a device."""
    evil = tmp_path / backup.name
    evil.mkdir()
    text = (backups / backup.name / NAME).read_bytes()
    whole = (backups / backup.name / DUMP).read_bytes()
    (evil / NAME).write_bytes(text)
    (evil / "configuration.json").write_bytes(b"{}")
    (tmp_path / "elsewhere").write_bytes(whole)

    (evil / DUMP).symlink_to(tmp_path / "elsewhere")
    assert "no plain file" in refusal(evil)
    (evil / DUMP).unlink()
    os.mkfifo(evil / DUMP)
    assert "no plain file" in refusal(evil)
    (evil / DUMP).unlink()
    assert "is missing" in refusal(evil)
    (evil / DUMP).write_bytes(whole + b"0" * 10)
    assert "is not whole" in refusal(evil)
    (evil / DUMP).write_bytes(whole)
    rewrite(evil, lambda said: said["files"].update({"../../etc/cron.d/x": said["plain_dump"]}))
    assert "files that no backup has" in refusal(evil)
    rewrite(evil, lambda said: said.update(name="../../elsewhere"))
    assert "files that no backup has" in refusal(evil)
    for junk in (
        b"PGDMP",
        b"[" * 100_000,
        b"{}",
        b" " * 2_000_000,
        b'{"format": "stalkerr-backup"}',
    ):
        (evil / NAME).write_bytes(junk)
        assert refusal(evil)
    (evil / NAME).unlink()
    (evil / NAME).symlink_to(backups / backup.name / NAME)
    assert "no plain file" in refusal(evil)
    linked = tmp_path / "2026-01-01T000000.000Z"
    linked.symlink_to(backups / backup.name)
    assert "no plain file" in refusal(linked)


def refusal(folder: Path) -> str:
    """Why a folder is not restored; nothing of it was run."""
    with pytest.raises(RefusedError) as refused:
        put_back(str(folder))
    return str(refused.value)


def test_a_folder_or_a_file_in_it_does_as_well_as_a_name(backup: Backup, backups: Path) -> None:
    for text in (str(backups / backup.name), str(backups / backup.name / DUMP), "latest"):
        assert restore.find(text).manifest.name == backup.name
    with pytest.raises(RefusedError, match="is no backup"):
        restore.find("2026-11-28")
    assert storage.shelf().names() == [backup.name]
