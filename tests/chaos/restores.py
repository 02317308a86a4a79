"""The drill on backups: damaged ones are never good, a good one brings all back and sends nothing."""

import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from django.test.utils import override_settings

from accounts.models import Notice
from catalog.models import Audiobook, ReleaseEvent
from stalkerr import clock
from tests.backups import damaged, drop_others, flipped, manage, storages_at
from tests.chaos.scene import SETTINGS, announce, follow, wait_for_the_end
from tests.e2e.crew import Crew, crew
from tests.promises import fan_out
from tests.shelves import library
from tests.sinks import HttpSink, wait_until
from workers.backups import database, restore, services, storage, trial
from workers.backups.database import RefusedError
from workers.backups.manifest import DUMP
from workers.ledger.engine import engine
from workers.ledger.tables import job_run
from workers.models import Backup

PEOPLE = 20
PLACES = 10  # at which a dump is cut off
FLIPS = 20  # in each file
SWEEPS = 5  # after a restore, in which something might be sent
SMALL = 200_000  # bytes of a disk on which no backup has room
# What a restore is there to change (workers/backups/settling.py), or what runs on by itself.
CHANGED = {
    *("public.release_events", "public.deliveries", "public.messages", "public.targets"),
    *("public.gaps", "public.store_changes", "public.store_revisions", "public.backups"),
    *("public.accounts_notice", "jobs.job_slot", "jobs.job_run"),
    "jobs.job_setting",
}


def restore_backup(*, audiobooks: int = 100_000) -> dict[str, Any]:
    """Back up, damage, restore, with workers at it, and count what arrives where people hear it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(override_settings(**storages_at(folder / "backups")))
        stack.callback(drop_others)
        sink = stack.enter_context(HttpSink())
        stack.enter_context(library(clock.now(), audiobooks))
        ReleaseEvent.objects.update(fanned_out_at=clock.now())
        follow(sink, PEOPLE)
        figures = {"drill": "restore_backup", "audiobooks": audiobooks, **_on_a_full_disk(folder)}
        with _workers(folder / "before"):
            announce()
            wait_for_the_end(PEOPLE)  # sent and settled: what was not would rightly be sent again
        _leave_unsent()
        backup, backup_s = _back_up()
        figures |= {"megabytes": round((backup.bytes or 0) / 1e6, 1), "backup_s": backup_s}
        figures |= _damage(folder / "backups" / backup.name)
        with _workers(folder / "after"):
            announce()  # of which the backup knows nothing
            wait_for_the_end(4 * PEOPLE)
            figures |= _restore(backup, sink)
        return figures | {"held": _is_held(figures)}


def _workers(logs: Path) -> AbstractContextManager[Crew]:
    return crew(logs, workers=2, children=1, **SETTINGS, BACKUPS="0")


def _leave_unsent() -> None:
    """News that is promised, and news that is not even that: both unsent at the backup."""
    announce()
    fan_out(clock.now())
    announce()


def _back_up() -> tuple[Backup, float]:
    begun = time.monotonic()
    backup = services.back_up(now=clock.now())
    return backup, round(time.monotonic() - begun, 1)


def _is_held(figures: dict[str, Any]) -> bool:
    held = figures["full_disk_held"] and figures["same"] and not figures["sent_again"]
    told = figures["told_after"] == PEOPLE
    return bool(held and told and not figures["taken_for_good"])


# -- a full disk -------------------------------------------------------------------------------
def _on_a_full_disk(folder: Path) -> dict[str, Any]:
    """No backup is left there, and the operators hear of it; with room again there is one."""
    with _small_disk(folder / "small") as (place, limit):
        status, _, complaint = manage("backup", folder=place, largest=limit)
        held = status == 1 and "There is no backup" in complaint and not _stored_in(place)
    alarmed = Notice.objects.filter(subject="A backup failed").exists()
    Notice.objects.all().delete()  # or the operators' channels would hear of it
    status, _, _ = manage("backup", folder=folder / "roomy")
    recovered = status == 0 and len(_stored_in(folder / "roomy")) == 1
    Backup.objects.all().delete()
    return {
        "full_disk": "limit" if limit else "tmpfs",
        "full_disk_held": held and alarmed and recovered,
    }


@contextmanager
def _small_disk(place: Path) -> Iterator[tuple[Path, int | None]]:
    """A disk without room, where we may mount one; else a limit of what a process may write."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    try:
        yield place, None if mounted else SMALL
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607 (our own words)


def _stored_in(folder: Path) -> list[Path]:
    return list(folder.glob("*/manifest.json"))


# -- damage ------------------------------------------------------------------------------------
def _damage(folder: Path) -> dict[str, Any]:
    """How many of so many damaged backups were taken for good: none, or it did not hold."""
    chance = random.Random(48)
    dump = folder / DUMP
    whole = dump.read_bytes()
    cuts = [whole[: len(whole) * (10 + 9 * place) // 100] for place in range(PLACES)]
    wrong = sum(_is_good_as(dump, cut) for cut in cuts)
    flips = 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for bit in chance.sample(range(8 * len(content)), FLIPS):
            wrong += _is_good_as(path, flipped(content, bit))
            flips += 1
    return {"cut_off": len(cuts), "flipped": flips, "taken_for_good": wrong}


def _is_good_as(path: Path, content: bytes) -> bool:
    """Whether a backup one of whose files holds this is taken for good."""
    with damaged(path, content):
        try:
            source = restore.find(path.parent.name)
            source.shelf.check(source.manifest)
            with trial.opened(source.shelf, source.manifest):
                return True
        except RefusedError:
            return False


# -- a restore ---------------------------------------------------------------------------------
def _restore(backup: Backup, sink: HttpSink) -> dict[str, Any]:
    """Restore under workers; what is the same then, and what they sent of it."""
    arrived = len(sink.requests)
    source = restore.find(backup.name)
    begun = time.monotonic()
    restore.restore(source=source, say=lambda _: None)
    restore_s = round(time.monotonic() - begun, 1)
    said, found = source.manifest.tables, database.tally_of(database.here())
    different = [name for name in said if said[name] != found.get(name) and name not in CHANGED]
    _wait_for_sweeps()
    sent_again = len(sink.requests) - arrived
    announce()
    sink.wait_for(arrived + sent_again + PEOPLE, within=120)
    return {
        "restore_s": restore_s,
        "tables": len(said),
        "rows": sum(each.rows for each in said.values()),
        "same": not different and said["public.audiobooks"].rows + 1 == Audiobook.objects.count(),
        "stored": len(storage.shelf().names()),
        "held_events": ReleaseEvent.objects.braked().count(),
        "sent_again": sent_again,
        "told_after": len(sink.requests) - arrived - sent_again,
    }


def _wait_for_sweeps() -> None:
    """Until workers have looked for what is to be sent, again and again, in the restored database."""
    now = clock.now()
    done = (
        sa.select(sa.func.count())
        .select_from(job_run)
        .where(
            job_run.c.job == "notifications.sweep",
            job_run.c.outcome == "done",
            job_run.c.started_at > now,
        )
    )

    def enough() -> bool:
        with engine().connect() as ledger:
            return int(ledger.scalar(done) or 0) >= SWEEPS

    wait_until(enough, within=120, every=0.2)
