"""Slots: any number of beats and doubled messages, one run."""

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from stalkerr import clock
from workers import schedule
from workers.jobs import job
from workers.ledger import migrate, slots
from workers.ledger.engine import engine
from workers.ledger.tables import job_run, job_slot, metadata
from workers.tasks import upkeep
from workers.tasks.notifications import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]

SLOT = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
LEASE = dt.timedelta(minutes=2)
SECOND = dt.timedelta(seconds=1)


def claim(now: dt.datetime = SLOT, slot: dt.datetime = SLOT) -> slots.Claim | None:
    return slots.claim(job="j", slot=slot, now=now, lease=LEASE, task_id="t", worker="w")


def states() -> list[tuple[dt.datetime, str]]:
    with engine().connect() as ledger:
        rows = ledger.execute(
            sa.select(job_slot.c.slot, job_slot.c.state).order_by(job_slot.c.slot)
        )
        return [(slot, state) for slot, state in rows]


def outcomes() -> list[str | None]:
    with engine().connect() as ledger:
        return list(ledger.scalars(sa.select(job_run.c.outcome).order_by(job_run.c.id)))


def test_two_beats_open_a_slot_once() -> None:
    """Proves the guard (job, slot): without the key a second beat would make a second run."""
    for _ in range(2):
        slots.open_slots(slots=[("j", SLOT)])
    assert states() == [(SLOT, "due")]


def test_a_doubled_message_finds_the_slot_claimed() -> None:
    slots.open_slots(slots=[("j", SLOT)])
    assert claim() is not None
    assert claim() is None


def test_a_finished_slot_is_not_run_again() -> None:
    slots.open_slots(slots=[("j", SLOT)])
    mine = claim()
    assert mine is not None
    assert slots.finish(claim=mine, now=SLOT, rows=3)
    assert claim(SLOT + 2 * LEASE) is None
    assert slots.take_unpublished(now=SLOT + LEASE) == []
    assert outcomes() == ["done"]


def test_a_slot_whose_worker_died_is_taken_over_and_the_dead_can_not_finish_it() -> None:
    """Proves the guard claim_no of a slot."""
    slots.open_slots(slots=[("j", SLOT)])
    dead = claim()
    later = SLOT + LEASE + SECOND
    assert slots.take_unpublished(now=later) == [("j", SLOT)]
    heir = claim(later)
    assert dead is not None
    assert heir is not None
    assert not slots.finish(claim=dead, now=later)
    assert slots.finish(claim=heir, now=later)


def test_a_failing_job_is_tried_again_and_not_for_ever() -> None:
    slots.open_slots(slots=[("j", SLOT)])
    attempts = 0
    while mine := claim():
        attempts += 1
        slots.finish(claim=mine, now=SLOT, error="boom")
    assert attempts == slots.MAX_ATTEMPTS
    assert states() == [(SLOT, "failed")]


def test_of_slots_nobody_began_only_the_newest_runs() -> None:
    for minutes in range(3):
        slots.open_slots(slots=[("j", SLOT + dt.timedelta(minutes=minutes))])
    assert [state for _, state in states()] == ["superseded", "superseded", "due"]


def test_a_hint_is_given_again_only_after_a_while() -> None:
    slots.open_slots(slots=[("j", SLOT)])
    assert slots.take_unpublished(now=SLOT) == [("j", SLOT)]
    assert slots.take_unpublished(now=SLOT + slots.REPUBLISH / 2) == []
    assert slots.take_unpublished(now=SLOT + slots.REPUBLISH + SECOND) == [("j", SLOT)]


def test_many_claimers_get_one_slot_once() -> None:
    slots.open_slots(slots=[("j", SLOT)])
    start = threading.Barrier(8)
    won: list[slots.Claim] = []

    def work() -> None:
        start.wait()
        if mine := claim():
            won.append(mine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_job_runs_once_a_slot_and_is_entered_in_the_ledger() -> None:
    upkeep.tick()
    (slot,) = [
        each
        for name, each in slots.take_unpublished(now=clock.now() + dt.timedelta(minutes=1))
        if name == "notifications.sweep"
    ]
    for _ in range(2):
        sweep(slot=slot.isoformat())
    assert outcomes() == ["done"]


def test_a_job_that_raises_is_entered_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = schedule.Job("test.broken", LEASE, "tick", LEASE)
    monkeypatch.setattr(schedule, "jobs", lambda: (entry,))

    @job("test.broken")
    def broken(_now: dt.datetime) -> int:
        raise RuntimeError("boom")

    slots.open_slots(slots=[("test.broken", SLOT)])
    with pytest.raises(RuntimeError, match="boom"):
        broken(slot=SLOT.isoformat())
    with engine().connect() as ledger:
        assert ledger.scalar(sa.select(job_run.c.error)) == "RuntimeError: boom"


def test_pruning_keeps_what_is_unfinished() -> None:
    slots.open_slots(slots=[("j", SLOT), ("k", SLOT)])
    mine = claim()
    assert mine is not None
    slots.finish(claim=mine, now=SLOT)
    slots.open_slots(slots=[("j", SLOT + SECOND), ("k", SLOT + SECOND)], each=["k"])
    assert slots.prune(before=SLOT + LEASE, failed_before=SLOT) == 1
    assert states() == [(SLOT, "due"), (SLOT + SECOND, "due"), (SLOT + SECOND, "due")]


def test_the_migrations_make_just_the_tables_that_the_code_knows() -> None:
    assert migrate.is_current()
    found = sa.inspect(engine())
    for table in metadata.sorted_tables:
        columns = {column["name"] for column in found.get_columns(table.name, schema="jobs")}
        assert columns == set(table.columns.keys())
