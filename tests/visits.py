"""Visits driven by hand: a clock, a store beside it, and everything that is due visited at once."""

import datetime as dt

from catalog.models import ReleaseEvent
from scraping import services
from scraping.emulator.server import Emulator
from scraping.models import Target

HOUR = dt.timedelta(hours=1)


class Clock:
    """The visits' clock, moved by hand."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now


class CutShort(Clock):
    """One that has the store send visitors away after each answer to a question with `part` in it."""

    def __init__(self, now: dt.datetime, emulator: Emulator, part: str) -> None:
        super().__init__(now)
        self.emulator = emulator
        self.part = part
        self.asked = len(self.questions())

    def __call__(self) -> dt.datetime:
        if len(self.questions()) > self.asked:
            self.asked = len(self.questions())
            self.emulator.throttle("us", retry_after=0, requests=1)
        return self.now

    def questions(self) -> list[str]:
        """The URLs asked so far."""
        urls = [request["url"] for request in self.emulator.requests]
        return [url for url in urls if self.part in url]


def visit_all(clock: Clock, later: dt.timedelta = HOUR) -> list[str]:
    """Move the clock, visit every target; the kinds of news that are told, in order."""
    clock.now += later
    services.sync_targets(now=clock.now)
    Target.objects.exclude(kind="due").update(next_visit_at=clock.now)
    news: list[int] = []
    for claimed in services.claim_due(now=clock.now, limit=100):
        news += services.visit(target_id=claimed.target_id, claim_no=claimed.claim_no, clock=clock)
    events = ReleaseEvent.objects.filter(id__in=news).order_by("id")
    return list(events.values_list("kind", flat=True))
