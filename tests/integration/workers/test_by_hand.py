"""What staff do with jobs: run one now, replay what was given up, pause, time otherwise."""

import datetime as dt
import threading

import pytest
from pytest_django import Settings

from tests.slots import MINUTE, PRUNE, SECOND, SLOT, claim, give_up, state_of
from workers import operating, schedule, ticking, timetable
from workers.ledger import by_hand, slots

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


def test_a_double_click_is_one_run() -> None:
    """Proves the guard `same` of run_now."""
    start = threading.Barrier(6)
    found: list[tuple[dt.datetime, bool]] = []

    def click(number: int) -> None:
        start.wait()
        found.append(by_hand.run_now(job=PRUNE, now=SLOT + number * SECOND / 10))

    threads = [threading.Thread(target=click, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({slot for slot, _ in found}) == 1
    assert [is_new for _, is_new in found].count(True) == 1


def test_just_after_its_run_a_click_is_still_the_same_and_later_another() -> None:
    slot, _ = by_hand.run_now(job=PRUNE, now=SLOT)
    slots.finish(claim=claim(SLOT, slot, PRUNE), now=SLOT + SECOND)
    assert by_hand.run_now(job=PRUNE, now=SLOT + 2 * SECOND) == (slot, False)
    assert by_hand.run_now(job=PRUNE, now=SLOT + MINUTE) == (SLOT + MINUTE, True)


def test_a_run_by_hand_takes_no_slot_from_the_schedule() -> None:
    ticking.tick(now=SLOT)
    slot, _ = operating.run_now(task=PRUNE, now=SLOT + MINUTE)
    assert slots.last_slots([PRUNE]) == {PRUNE: SLOT}
    ticking.tick(now=SLOT + 60 * MINUTE)
    assert [state_of(PRUNE, each) for each in (SLOT, slot, SLOT + 60 * MINUTE)] == [
        *("superseded", "due", "due"),
    ]


def test_a_failed_slot_is_replayed_with_all_its_tries_and_its_claim_number() -> None:
    """Proves the guard claim_no: a run of before the replay could close it."""
    number = give_up(PRUNE)
    old = slots.Claim(PRUNE, SLOT, slots.MAX_ATTEMPTS, slots.MAX_ATTEMPTS)
    operating.replay(slot_id=number, now=SLOT + MINUTE)
    mine = claim(SLOT + MINUTE, SLOT, PRUNE)
    assert (mine.claim_no, mine.tries) == (slots.MAX_ATTEMPTS + 1, 1)
    assert slots.finish(claim=old, now=SLOT + MINUTE) == ""
    assert slots.finish(claim=mine, now=SLOT + MINUTE) == "done"
    with pytest.raises(operating.NotFailedError):
        operating.replay(slot_id=number, now=SLOT + MINUTE)
    with pytest.raises(KeyError):
        operating.replay(slot_id=number + 999, now=SLOT + MINUTE)


def test_a_replay_is_neither_superseded_nor_expired() -> None:
    number = give_up(PRUNE)
    operating.replay(slot_id=number, now=SLOT + MINUTE)
    slots.open_slots(slots=[(PRUNE, SLOT + MINUTE)])
    slots.expire(patience={PRUNE: SECOND}, now=SLOT + 9 * MINUTE)
    assert state_of(PRUNE) == "due"


def test_a_paused_job_has_no_slots_but_by_hand_and_leaves_none_behind() -> None:
    ticking.tick(now=SLOT)
    timetable.pause(task=PRUNE, now=SLOT + SECOND)
    later = SLOT + dt.timedelta(hours=5)
    ticking.tick(now=later)
    assert slots.last_slots([PRUNE]) == {PRUNE: SLOT}
    paused = slots.take_unpublished(now=later + MINUTE, paused=[PRUNE])
    assert PRUNE not in [name for name, _ in paused]
    slot, _ = operating.run_now(task=PRUNE, now=later)
    assert (PRUNE, slot) in slots.take_unpublished(now=later + 2 * MINUTE, paused=[PRUNE])
    timetable.resume(task=PRUNE, now=later)
    ticking.tick(now=later + 59 * MINUTE)
    assert slots.last_slots([PRUNE]) == {PRUNE: SLOT}
    ticking.tick(now=later + 60 * MINUTE)
    assert slots.last_slots([PRUNE]) == {PRUNE: later + 60 * MINUTE}


def test_what_finds_lost_work_can_not_be_paused() -> None:
    for do in (timetable.pause, timetable.resume):
        with pytest.raises(timetable.VitalError):
            do(task="notifications.sweep", now=SLOT)
    with pytest.raises(timetable.VitalError):
        timetable.retime(task="notifications.sweep", words="60", now=SLOT)


def test_staff_time_a_job_over_what_was_deployed(settings: Settings) -> None:
    settings.SCHEDULE = [f"{PRUNE}=60"]

    def timing() -> str:
        (entry,) = [each for each in timetable.jobs() if each.task == PRUNE]
        return schedule.in_words(entry)

    assert timing() == "every 0:01:00"
    timetable.retime(task=PRUNE, words="04:30 Europe/Berlin each", now=SLOT)
    assert timing() == "daily at 04:30 Europe/Berlin"
    by_hand.change(job=PRUNE, now=SLOT, timing="written by a later version")
    assert timing() == "every 0:01:00"
    timetable.retime(task=PRUNE, words="", now=SLOT)
    assert timing() == "every 0:01:00"
