"""Slots of the job ledger for tests: claimed, given up, looked at."""

import datetime as dt

from workers.ledger import history, slots

SLOT = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
LEASE = dt.timedelta(minutes=2)
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
PRUNE = "workers.prune"  # a job like any other, once an hour


def claim(now: dt.datetime, slot: dt.datetime = SLOT, name: str = "j") -> slots.Claim:
    """Claim a slot that can be claimed."""
    mine = slots.claim(
        job=name, slot=slot, now=now, lease=LEASE, task_id="t", worker="w", queue="tick"
    )
    assert mine is not None
    return mine


def give_up(name: str, slot: dt.datetime = SLOT, error: str = "boom") -> int:
    """Open a slot and fail until it is given up; its id."""
    slots.open_slots(slots=[(name, slot)])
    while slots.finish(claim=claim(SLOT, slot, name), now=SLOT, error=error) == "due":
        pass
    row = history.slot_of(job=name, slot=slot)
    assert row is not None
    return int(row["id"])


def state_of(name: str = "j", slot: dt.datetime = SLOT) -> str:
    row = history.slot_of(job=name, slot=slot)
    assert row is not None
    return str(row["state"])
