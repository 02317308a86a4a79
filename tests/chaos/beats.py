"""Drills on time: three beats through an hour with kills, and ten minutes with no beat at all."""

import datetime as dt
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from django.test import override_settings

from accounts.models import Notice, User
from notifications.models import Message
from notifications.registration import register_channel
from stalkerr import clock
from tests.chaos.leaps import own_clock
from tests.crowd import SECRET
from tests.e2e.crew import commands_of, running
from tests.people import PASSWORD
from tests.sinks import HttpSink, wait_until
from workers import lookout, schedule
from workers.hints import hint
from workers.ledger import history, slots
from workers.schedule import Job
from workers.timing import Missed

HOUR, MINUTE, SECOND = (dt.timedelta(seconds=n) for n in (3600, 60, 1))
BEATS, WORKERS = 3, 2
EACH = "catalog.apply_imports"  # every minute; in these drills every missed one
SCHEDULE = f"{EACH}=each,workers.prune=120 each"
# The sweeps too are due once a minute: an hour then has sixty slots of every pace there is.
SETTINGS = {"SCHEDULE": SCHEDULE, "SWEEP_INTERVAL": "60", "LEDGER_POOL_SIZE": "2"}
SLOW = SETTINGS | {"TICK_INTERVAL": "10"}  # as usual
FIRST_TICK = 15.0  # seconds
PATIENCE = 120.0  # real seconds for anything


def three_beats(*, minutes: int = 60, kills: int = 24, seed: int = 7) -> dict[str, Any]:
    """Move the clock through an hour, minute by minute, and SIGKILL beats and workers meanwhile.

    A minute is over once nothing is due; then all its hints come a second time. What a killed worker holds is taken over in a later one.
    """
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as logs,
        own_clock(),
        running(_commands(BEATS), Path(logs), **SETTINGS) as processes,
    ):
        wait_until(lambda: bool(history.slots(state="done", limit=1)), within=PATIENCE)
        begin = _next_minute()
        for minute in range(minutes):
            _move_to(begin + minute * MINUTE + SECOND)
            for _ in range(_share(kills, minutes, minute)):
                time.sleep(chance.random() / 2)
                processes.kill(chance.choice(sorted(processes.pids())))
            _wait_out_the_minute(begin + minute * MINUTE)
            _double_hints(begin + minute * MINUTE)
        _wait_for_all(begin, begin + minutes * MINUTE)
        return _hour_figures("three_beats", begin, minutes, kills)


def _commands(beats: int) -> dict[str, list[str]]:
    return commands_of(beats=beats, workers=WORKERS, children=2)


def _share(kills: int, minutes: int, minute: int) -> int:
    return (minute + 1) * kills // minutes - minute * kills // minutes


def _next_minute() -> dt.datetime:
    return clock.now().replace(second=0, microsecond=0) + MINUTE


def _move_to(moment: dt.datetime) -> None:
    clock.shift(max(moment - clock.now(), dt.timedelta()))


def _due_at(minute: dt.datetime) -> set[slots.Slot]:
    """What is due in that minute and not in the one before: by the schedule, not by the ledger."""
    return {
        (job.task, slot)
        for job in _jobs()
        for slot in schedule.due_slots(job, last=minute - SECOND, now=minute)
    }


def _jobs() -> tuple[Job, ...]:
    """The schedule as the processes of these drills have it."""
    with override_settings(SCHEDULE=SCHEDULE.split(","), SWEEP_INTERVAL=MINUTE):
        return schedule.jobs()


def _wait_out_the_minute(minute: dt.datetime) -> None:
    """Until all of it has been begun; a hint that a kill took along is given again, later."""
    due = _due_at(minute)
    end = time.monotonic() + PATIENCE

    def is_begun() -> bool:
        rows = [history.slot_of(job=job, slot=slot) for job, slot in due]
        return all(row is not None and row["state"] != "due" for row in rows)

    while not is_begun():
        assert time.monotonic() < end, f"never begun: {minute}"
        time.sleep(0.1)


def _double_hints(minute: dt.datetime) -> None:
    queues = {job.task: job.queue for job in _jobs()}
    for job, slot in _due_at(minute):
        hint(job, queues[job], slot=slot.isoformat())


def _wait_for_all(begin: dt.datetime, end: dt.datetime) -> None:
    """Until nothing is unfinished, with the leases of the dead run out."""
    clock.shift(5 * MINUTE)
    wait_until(lambda: not _unfinished(begin, end), within=PATIENCE, every=0.2)


def _unfinished(begin: dt.datetime, end: dt.datetime) -> int:
    rows = [*history.slots(state="due", limit=2000), *history.slots(state="running", limit=2000)]
    return sum(begin <= row["slot"] < end for row in rows)


def _hour_figures(drill: str, begin: dt.datetime, minutes: int, kills: int) -> dict[str, Any]:
    """Of every slot of the schedule: whether there is one, and how many runs did it."""
    wanted = {due for minute in range(minutes) for due in _due_at(begin + minute * MINUTE)}
    end = begin + minutes * MINUTE
    rows = [row for row in history.slots(limit=10_000) if begin <= row["slot"] < end]
    runs = [run for run in history.runs(limit=10_000) if begin <= run["slot"] < end]
    there = Counter((row["job"], row["slot"]) for row in rows)
    done = Counter((run["job"], run["slot"]) for run in runs if run["outcome"] == "done")
    outcomes = Counter(run["outcome"] for run in runs)
    missing = len(wanted - done.keys())
    doubled = sum(count > 1 for count in (*there.values(), *done.values()))
    strange = len((there.keys() | done.keys()) - wanted)
    return {
        "drill": drill,
        "beats": BEATS,
        "kills": kills,
        "slots": len(wanted),
        "runs": len(runs),
        "lost_runs": outcomes["lost"],
        "max_runs_of_a_slot": max(done.values(), default=0),
        "missing": missing,
        "doubled": doubled,
        "strange": strange,
        "held": not (missing or doubled or strange or outcomes["failed"]),
    }


def dead_beats() -> dict[str, Any]:
    """No beat for ten minutes: the alarm is told without one, then each policy does what it says."""
    with HttpSink() as sink, tempfile.TemporaryDirectory() as logs, own_clock():
        _hire_an_operator(sink)
        with running(_commands(1), Path(logs), **SLOW) as processes:
            wait_until(lambda: bool(history.slots(state="done", limit=1)), within=PATIENCE)
            processes.dismiss("beat")
            alarm_s = _wait_for_the_alarm(sink)
        figures = _ten_minutes_without_anybody(logs)
    told = sum("No beat ticks" in request.body.decode() for request in sink.requests)
    held = alarm_s <= 180 and told == 1 and figures.pop("held")
    return {"drill": "dead_beats", "alarm_s": round(alarm_s), "told": told, **figures, "held": held}


def _hire_an_operator(sink: HttpSink) -> None:
    user = User.objects.create_superuser("operator@example.org", PASSWORD)
    config = {"url": f"{sink.url}/hook", "secret": SECRET}
    register_channel(user=user, kind="webhook", name="alarms", config=config, now=clock.now())


def _wait_for_the_alarm(sink: HttpSink) -> float:
    """Seconds by the clock from the last tick to the alarm's arrival."""
    vital = [job.task for job in schedule.jobs() if job.vital]
    last = slots.last_signs(vital)[0]
    assert last is not None
    _move_to(last + lookout.SILENCE)
    wait_until(lambda: Notice.objects.exists(), within=PATIENCE)
    noticed = Notice.objects.get().created_at
    wait_until(lambda: bool(sink.requests), within=PATIENCE)
    wait_until(lambda: Message.objects.get().state == "sent", within=PATIENCE)
    return (noticed - last).total_seconds()


def _ten_minutes_without_anybody(logs: str) -> dict[str, Any]:
    """The clock moves with nobody there; then all start anew."""
    last = slots.last_slots([job.task for job in _jobs()])
    _move_to(_next_minute() + 10 * MINUTE + SECOND)
    begun, now = time.monotonic(), clock.now()
    with running(_commands(1), Path(logs), **SLOW):
        wait_until(lambda: slots.last_slots([EACH])[EACH] > last[EACH], within=PATIENCE, every=0.02)
        first_tick_s, ticked = time.monotonic() - begun, clock.now()
        wait_until(lambda: not _unfinished(now - HOUR, ticked), within=PATIENCE, every=0.2)
    due = {job: schedule.due_slots(job, last=last.get(job.task), now=ticked) for job in _jobs()}
    return _catch_up_figures(due, now=now, ticked=ticked, first_tick_s=first_tick_s)


def _catch_up_figures(
    due: dict[Job, list[dt.datetime]], *, now: dt.datetime, ticked: dt.datetime, first_tick_s: float
) -> dict[str, Any]:
    runs = [run for run in history.runs(limit=10_000) if run["started_at"] >= now]
    done = Counter((run["job"], run["slot"]) for run in runs if run["outcome"] == "done")
    made = {job: sorted(s for name, s in done if name == job.task and s <= ticked) for job in due}
    once = {len(made[job]) for job in due if job.missed is Missed.ONCE and due[job]}
    each = [job for job in due if job.missed is Missed.EACH]
    is_each = all(made[job] == due[job] for job in each)
    return {
        "first_tick_s": round(first_tick_s, 1),
        "once_runs": sorted(once),
        "each_missed": sum(len(due[job]) for job in each),
        "each_run": sum(len(made[job]) for job in each),
        "doubled": sum(count > 1 for count in done.values()),
        "held": first_tick_s <= FIRST_TICK
        and (once, is_each) == ({1}, True)
        and max(done.values()) == 1,
    }
