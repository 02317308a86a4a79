"""Who notices that no beat ticks: every worker, by a timer of its own that needs no beat.

Its main process only gives a hint, its children look. Where all beats are silent they say so and tick
themselves, so that the alarm itself, which a sweep sends, is sent.
"""

import datetime as dt
from typing import Any, Final

from celery import bootsteps
from celery.signals import beat_init

from stalkerr.celery import app
from workers import alarms, ticking
from workers.hints import hint, hint_once
from workers.ledger.slots import last_signs
from workers.schedule import jobs

TASK: Final = "workers.look"
EVERY: Final = 20.0  # seconds
SILENCE: Final = dt.timedelta(seconds=140)  # told within three minutes


class Lookout(bootsteps.StartStopStep):
    """A worker's timer."""

    requires = ("celery.worker.components:Timer",)
    _timer: Any = None

    def start(self, parent: Any) -> None:
        self._timer = parent.timer.call_repeatedly(EVERY, hint_once, args=(TASK, "tick"))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def tick_at_once(**_: Any) -> None:
    """A beat that starts may be the first for long: what was missed does not wait for its interval."""
    hint("workers.tick", "tick")


def install() -> None:
    """Give every worker its lookout, and every beat a first tick."""
    app.steps["worker"].add(Lookout)
    beat_init.connect(tick_at_once, weak=False, dispatch_uid="workers.lookout")


def look(*, now: dt.datetime) -> bool:
    """Tick in the place of a beat where none has ticked for so long; whether that was so."""
    last = last_signs([job.task for job in jobs() if job.vital])[0]
    if last is not None and now - last < SILENCE:
        return False
    if last is not None:  # before the first one nobody is missed
        alarms.say_silent(last=last, now=now)
    ticking.tick(now=now, opened_by="worker")
    return True
