"""The ledger over time: lost runs, poison, long jobs, months, what operators hear."""

import datetime as dt
import threading
from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa
import structlog

from accounts.models import Notice
from stalkerr import clock
from tests.sinks import wait_until
from tests.slots import LEASE, MINUTE, PRUNE, SECOND, SLOT, claim, give_up, state_of
from workers import jobs, lookout, schedule, ticking, timetable
from workers.jobs import job
from workers.ledger import by_hand, history, months, slots
from workers.ledger.engine import engine
from workers.ledger.overview import JobState, overview
from workers.ledger.tables import job_run, job_slot
from workers.models import JobRun, JobSetting, JobSlot
from workers.schedule import Job
from workers.timing import Missed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]

MoveClock = Callable[[dt.timedelta], dt.datetime]


def outcomes(name: str = "j", slot: dt.datetime = SLOT) -> list[str | None]:
    return [run["outcome"] for run in history.runs_of(job=name, slot=slot)]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[Job], Job]:
    """The schedule has one job, and that one."""

    def have(entry: Job) -> Job:
        monkeypatch.setattr(schedule, "entries", lambda: (entry,))
        return entry

    return have


# -- runs -----------------------------------------------------------------------------------------


def test_a_run_that_was_abandoned_is_lost_whatever_it_says_later() -> None:
    """Proves the guard `outcome IS NULL` of finish: one slot would have two runs that did it."""
    slots.open_slots(slots=[("j", SLOT)])
    dead, later = claim(SLOT), SLOT + LEASE + SECOND
    heir = claim(later)
    assert outcomes() == ["lost", None]
    assert slots.finish(claim=heir, now=later, rows=1) == "done"
    assert slots.finish(claim=dead, now=later, rows=1) == ""
    assert outcomes() == ["lost", "done"]


def test_a_job_whose_worker_dies_each_time_ends_too() -> None:
    """Proves the guard MAX_ATTEMPTS of claims: what kills its worker would do so for ever."""
    slots.open_slots(slots=[("j", SLOT)])
    now = SLOT
    for _ in range(slots.MAX_ATTEMPTS):
        claim(now)
        now += LEASE + SECOND
        slots.take_unpublished(now=now)
    no_more = slots.claim(job="j", slot=SLOT, now=now, lease=LEASE, task_id="t", worker="w")
    assert no_more is None
    assert slots.bury_lost(now=now) == 1
    assert state_of() == "failed"
    assert outcomes() == ["lost"] * slots.MAX_ATTEMPTS
    assert slots.bury_lost(now=now) == 0


def test_a_run_says_where_it_waited_and_for_how_long() -> None:
    slots.open_slots(slots=[("j", SLOT)])
    slots.take_unpublished(now=SLOT + SECOND)
    slots.finish(claim=claim(SLOT + 2 * SECOND), now=SLOT + 5 * SECOND, rows=7)
    (run,) = history.runs(limit=9)
    assert (run["queue"], run["queued_at"], run["duration"]) == ("tick", SLOT + SECOND, 3 * SECOND)
    assert (run["trace_id"], run["rows"]) == ("t", 7)


@pytest.mark.django_db(transaction=True)
def test_a_long_job_keeps_its_slot(
    only: Callable[[Job], Job], monkeypatch: pytest.MonkeyPatch, move_clock: MoveClock
) -> None:
    """Proves the guard `_renewing`: others would take a slot whose worker is well."""
    only(Job("test.long", MINUTE, "tick", LEASE))
    monkeypatch.setattr(jobs, "RENEW", 0.05)
    slot = clock.now()
    slots.open_slots(slots=[("test.long", slot)])

    @job("test.long")
    def long(_now: dt.datetime) -> int:
        for _ in range(3):
            moved = move_clock(LEASE - 10 * SECOND)
            wait_until(partial(is_renewed, moved))
            assert slots.take_unpublished(now=moved) == []
        return 3

    def is_renewed(moved: dt.datetime) -> bool:
        row = history.slot_of(job="test.long", slot=slot)
        return row is not None and row["lease_expires_at"] >= moved + LEASE

    slots.take_unpublished(now=slot)
    long(slot=slot.isoformat())
    assert outcomes("test.long", slot) == ["done"]
    assert not [each for each in threading.enumerate() if each.name == "lease"]


def test_what_began_it_is_in_the_ledger(only: Callable[[Job], Job]) -> None:
    only(Job("test.traced", MINUTE, "tell", LEASE))

    @job("test.traced")
    def traced(_now: dt.datetime) -> int:
        return 0

    slots.open_slots(slots=[("test.traced", SLOT)])
    with structlog.contextvars.bound_contextvars(trace_id="from-afar"):
        traced(slot=SLOT.isoformat())
    (run,) = history.runs(limit=9)
    assert (run["trace_id"], run["queue"]) == ("from-afar", "tell")


# -- slots ------------------------------------------------------------------------------------------


def test_each_missed_slot_stays_due_for_a_job_that_wants_each() -> None:
    for minutes in range(3):
        slots.open_slots(slots=[("j", SLOT + minutes * MINUTE)], each=["j"])
    assert [state_of(slot=SLOT + n * MINUTE) for n in range(3)] == ["due"] * 3
    assert slots.take_unpublished(now=SLOT + 3 * MINUTE) == [
        ("j", SLOT + n * MINUTE) for n in range(3)
    ]


def test_a_slot_that_nobody_began_in_time_expires() -> None:
    slots.open_slots(slots=[("j", SLOT), ("k", SLOT), ("l", SLOT)])
    claim(SLOT, name="l")
    patience = {"j": MINUTE, "l": MINUTE}
    assert slots.expire(patience=patience, now=SLOT + MINUTE) == 0
    assert slots.expire(patience=patience, now=SLOT + 2 * MINUTE) == 1
    assert [state_of(name) for name in "jkl"] == ["expired", "due", "running"]


def test_a_tick_catches_up_by_policy(only: Callable[[Job], Job]) -> None:
    entry = only(Job("test.each", MINUTE, "tick", LEASE, missed=Missed.EACH))
    ticking.tick(now=SLOT)
    ticking.tick(now=SLOT + 3 * MINUTE)
    found = sorted(row["slot"] for row in history.slots(job=entry.task, limit=9))
    assert found == [SLOT + n * MINUTE for n in range(4)]


def test_a_slot_of_a_job_that_is_gone_stops_no_tick() -> None:
    slots.open_slots(slots=[("gone.long_ago", SLOT)])
    ticking.tick(now=SLOT)
    assert state_of("gone.long_ago") == "due"
    assert state_of(PRUNE, SLOT) == "due"


def test_the_newest_slot_of_a_job_is_never_forgotten() -> None:
    """Proves the guard `is_old`: a monthly job would run again once its slot is pruned."""
    slots.open_slots(slots=[("j", SLOT)])
    slots.finish(claim=claim(SLOT), now=SLOT)
    assert slots.prune(before=SLOT + LEASE, failed_before=SLOT + LEASE) == 0
    assert slots.last_slots(["j", "k"]) == {"j": SLOT}


def test_what_failed_is_kept_for_longer() -> None:
    give_up("j")
    slots.open_slots(slots=[("j", SLOT + LEASE)])
    assert slots.prune(before=SLOT + SECOND, failed_before=SLOT) == 0
    assert slots.prune(before=SLOT + SECOND, failed_before=SLOT + SECOND) == 1


# -- months -----------------------------------------------------------------------------------------


def test_runs_go_by_the_month_and_none_is_lost_on_the_way() -> None:
    early = dt.datetime(2019, 5, 31, 23, 59, tzinfo=dt.UTC)
    for slot in (early, early + MINUTE, SLOT):
        slots.open_slots(slots=[("j", slot)], each=["j"])
        slots.finish(claim=claim(slot, slot), now=slot + SECOND, rows=1)
    before = history.runs(limit=9)
    months.make_months(now=SLOT)
    assert months.make_months(now=SLOT) == 0
    assert history.runs(limit=9) == before
    with engine().connect() as ledger:
        assert ledger.scalar(sa.text("SELECT count(*) FROM jobs.job_run_default")) == 0
        assert ledger.scalar(sa.text("SELECT count(*) FROM jobs.job_run_2019_05")) == 1
    assert months.drop_months(before=dt.datetime(2019, 6, 30, tzinfo=dt.UTC)) == 1
    assert months.drop_months(before=dt.datetime(2019, 7, 1, tzinfo=dt.UTC)) == 1
    assert [run["slot"] for run in history.runs(limit=9)] == [SLOT]


# -- what operators hear ----------------------------------------------------------------------------


def test_a_job_given_up_is_told_once_a_day_with_its_reason() -> None:
    for minutes in range(2):
        slot = SLOT + minutes * MINUTE
        give_up("j", slot, error="RuntimeError: boom")
    for _ in range(2):
        ticking.tick(now=SLOT + MINUTE)
    (notice,) = Notice.objects.all()
    assert (notice.user, notice.subject) == (None, "A job fails: j")
    assert "RuntimeError: boom" in notice.text


def test_beats_that_fell_silent_are_told_once_and_stood_in_for(only: Callable[[Job], Job]) -> None:
    """Proves the guard of a worker's lookout: without beats nothing would ever be due again."""
    sweep = only(Job("notifications.sweep", 10 * SECOND, "tell", LEASE, vital=True)).task
    ticking.tick(now=SLOT)
    assert not lookout.look(now=SLOT + lookout.SILENCE - SECOND)
    assert not Notice.objects.exists()
    for seconds in (0, 20, 40):
        assert lookout.look(now=SLOT + lookout.SILENCE + seconds * SECOND)
    (notice,) = Notice.objects.all()
    assert notice.subject == "No beat ticks"
    assert slots.last_signs([sweep])[0] == SLOT
    assert len(history.slots(job=sweep, limit=9)) == 4
    ticking.tick(now=SLOT + 4 * MINUTE)
    assert not lookout.look(now=SLOT + 4 * MINUTE)


def test_before_the_first_beat_nobody_is_missed() -> None:
    assert lookout.look(now=SLOT)
    assert not Notice.objects.exists()


# -- how all stands ---------------------------------------------------------------------------------


def overviews(now: dt.datetime) -> dict[str, JobState]:
    return {each.job: each for each in overview(jobs=timetable.jobs(), now=now)}


def test_what_ran_runs_waits_and_failed_is_said_of_each_job() -> None:
    remind = "catalog.remind"
    give_up(PRUNE, error="ValueError: no")
    slots.open_slots(slots=[(PRUNE, SLOT + MINUTE), (remind, SLOT)])
    slots.finish(claim=claim(SLOT, SLOT + MINUTE, PRUNE), now=SLOT + SECOND, rows=1)
    slots.open_slots(slots=[(PRUNE, SLOT + 2 * MINUTE)])
    claim(SLOT, SLOT, remind)
    found = overviews(SLOT + 2 * MINUTE)
    prune = found[PRUNE]
    assert (prune.running, prune.waiting, prune.failed) == (0, 1, 1)
    assert (prune.last_outcome, prune.last_error) == ("done", "ValueError: no")
    assert (prune.waits_since, prune.next_at) == (SLOT + 2 * MINUTE, SLOT + 60 * MINUTE)
    assert (found[remind].running, found[remind].last_outcome) == (1, None)
    assert found["accounts.remove_left"].last_run is None
    assert list(found) == [each.task for each in schedule.jobs()]


def test_how_all_stands_is_one_question_however_many_rows() -> None:
    asked: list[str] = []
    sa.event.listen(engine(), "before_cursor_execute", lambda *said: asked.append(said[2]))
    jobs_now = timetable.jobs()
    for minutes in range(30):
        slots.open_slots(slots=[(PRUNE, SLOT + minutes * MINUTE)], each=[PRUNE])
    asked.clear()
    overview(jobs=jobs_now, now=SLOT)
    assert len(asked) == 1


def test_the_tables_are_what_the_ledger_is_made_of() -> None:
    """The unmanaged models read the columns that Alembic made."""

    slots.open_slots(slots=[("j", SLOT)])
    slots.finish(claim=claim(SLOT), now=SLOT + SECOND)
    by_hand.enter(["j"])
    assert JobSlot.objects.get().state == "done"
    assert JobRun.objects.get().duration == SECOND
    assert str(JobSetting.objects.get()) == "j"
    for model, table in ((JobRun, job_run), (JobSlot, job_slot)):
        assert {field.column for field in model._meta.fields} == set(table.columns.keys())
