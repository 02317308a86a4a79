"""A visit on its way: asks politely, stores each page, looks for what is missing."""

import dataclasses
import datetime as dt
import random
from collections.abc import Callable, Iterable
from typing import cast

import requests
from django.conf import settings

from catalog.services import (
    control_asin,
    due_out_asins,
    record_absent,
    record_listings,
    withdrawn_asins,
)
from scraping import politeness
from scraping.models import Target, Visit
from scraping.outcomes import Absent, Failed, Throttled
from scraping.sources.base import Pass, Progress, Query, QueryKind, Source
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import DEFAULT, SOURCES

# Of the titles a pass misses, so many are asked for alone in one visit.
MAX_LOOKS = 5
BATCH = 50
# A pass cut short longer ago than this is begun anew: what it saw is no longer one picture.
RESUME_WITHIN = dt.timedelta(hours=1)


class Trip:
    """One visit to one target; after `go()` it says what came of it."""

    def __init__(
        self, *, target: Target, clock: Callable[[], dt.datetime], renew: Callable[[], bool]
    ) -> None:
        self.target = target
        self.clock = clock
        self.renew = renew
        self.source: Source = SOURCES[DEFAULT]
        self.started_at = clock()
        self.query = self._query()
        self.reading = self._reading()
        self.outcome: str = Visit.Outcome.FOUND
        self.detail = ""
        self.wait: dt.timedelta | None = None
        self.complete = False
        self.pages = self.products = self.new = self.changed = 0
        self.event_ids: list[int] = []
        self.still_missing: set[str] = set()

    def go(self) -> None:
        """Read the query to its end, or until the store, a turn or the lease says stop."""
        with open_session() as session:
            absent = self._read(session)
            self.complete = self.reading.done or bool(absent)
            if self.target.kind == Target.Kind.DUE or not self.complete:
                return
            if not self.reading.seen and not absent and self._is_blind(session):
                self.complete = False
                return
            # A batch that answers fewer than asked is partial, and proves nothing about the rest.
            if self.reading.complete or absent:
                self._look_for(session, absent)
            else:
                self.still_missing = set(self.target.asins)

    def _is_blind(self, session: requests.Session) -> bool:
        """Whether a listing with nothing in it is an outage: a known title is not shown either."""
        control = control_asin(marketplace=self.target.marketplace, excluded=self.target.asins)
        if control is None or self._is_shown(session, control):
            return False
        self._stop(Visit.Outcome.FAILED, "the store lists nothing, not even what is there", None)
        return True

    def _query(self) -> Query:
        marketplace = self.target.marketplace
        if self.target.kind == Target.Kind.DUE:
            asins = due_out_asins(marketplace=marketplace, now=self.started_at, limit=BATCH)
            return Query(marketplace, "batch", asins=tuple(asins))
        kind = cast(QueryKind, self.target.kind)  # the other kinds are the same words
        return Query(marketplace, kind, self.target.query)

    def _reading(self) -> Pass:
        kept, visited_at = self.target.unfinished_pass, self.target.visited_at
        if kept and visited_at and self.started_at - visited_at < RESUME_WITHIN:
            return Pass.from_json(kept)
        return self.source.start(self.query)

    def _read(self, session: requests.Session) -> tuple[str, ...]:
        """Step through the query; returns the ASIN it asked for alone and the store denied."""
        while not self.reading.done:
            match self._step(session, self.query, self.reading):
                case Progress(_, reading):
                    self.reading = reading
                case Absent(asins):
                    self.outcome = Visit.Outcome.ABSENT
                    return asins
                case _:
                    return ()
        return ()

    def _step(
        self, session: requests.Session, query: Query, reading: Pass
    ) -> Progress | Absent | None:
        """One request and its listings stored; None where the visit must end here."""
        url = self.source.url(query, reading)
        turn = politeness.acquire(query.marketplace, url)
        if isinstance(turn, politeness.Postponed):
            self._stop(Visit.Outcome.POSTPONED, "waits for its turn", turn.wait)
            return None
        if not self.renew():
            self._stop(Visit.Outcome.POSTPONED, "the lease ran out", None)
            return None
        fetched_at = self.clock()
        answer = fetch(url, session)
        self.pages += 1
        result = self.source.step(query, reading, answer, now=self.clock())
        if isinstance(result, Throttled | Failed):
            self._give_up(result)
            return None
        if isinstance(result, Progress):
            self._record(result, fetched_at)
        return result

    def _ask(self, session: requests.Session, query: Query) -> Progress | Absent | None:
        """One question beside the pass; what the store refused to it is not asked for again."""
        start = dataclasses.replace(self.source.start(query), plain=self.reading.plain)
        return self._step(session, query, start)

    def _record(self, progress: Progress, fetched_at: dt.datetime) -> None:
        listings = progress.page.listings
        recorded = record_listings(listings=listings, fetched_at=fetched_at, now=self.clock())
        self.products += len(listings)
        self.new += recorded.new
        self.changed += recorded.changed
        self.event_ids += recorded.event_ids

    def _give_up(self, result: Throttled | Failed) -> None:
        if isinstance(result, Failed):
            self._stop(Visit.Outcome.FAILED, result.reason, None)
            return
        wait = max(result.retry_after or dt.timedelta(), settings.STORE_SAME_URL_INTERVAL)
        politeness.leave_alone(
            self.target.marketplace, result.retry_after or settings.STORE_REQUEST_INTERVAL
        )
        self._stop(Visit.Outcome.THROTTLED, "the store wants to be left alone", wait)

    def _stop(self, outcome: Visit.Outcome, detail: str, wait: dt.timedelta | None) -> None:
        self.outcome, self.detail, self.wait = outcome, detail, wait

    def _look_for(self, session: requests.Session, denied: Iterable[str]) -> None:
        """Find out whether what this pass misses is gone, or was just not listed.

        Gone is what the store denies when asked for alone while it shows a title that is known
        to be there; the second such look withdraws it.
        """
        before = (self.outcome, self.detail, self.wait)
        missing = [asin for asin in self.target.asins if asin not in self.reading.seen]
        gone = [asin for asin in denied if asin in missing]
        if not denied:
            gone = self._ask_for_each(session, self._ask_for_all(session, missing))
        if gone and self._control_is_shown(session, gone):
            self.event_ids += record_absent(
                marketplace=self.target.marketplace,
                asins=gone,
                now=self.clock(),
                delay=settings.ABSENCE_DELAY,
            )
        self.still_missing = set(missing) - withdrawn_asins(
            marketplace=self.target.marketplace, asins=missing
        )
        # What these extra looks met says nothing about the pass, which is complete.
        self.outcome, self.detail, self.wait = before

    def _ask_for_all(self, session: requests.Session, asins: list[str]) -> list[str]:
        """Ask for many at once; those that stay missing (all of one: it is asked for alone)."""
        if len(asins) < 2:
            return asins
        # Another choice each time, so that a few stubborn ones do not hide the rest.
        asked = random.sample(asins, min(BATCH, len(asins)))
        result = self._ask(session, Query(self.target.marketplace, "batch", asins=tuple(asked)))
        if not isinstance(result, Progress):
            return []
        return [asin for asin in asked if asin not in result.page.listed]

    def _ask_for_each(self, session: requests.Session, asins: list[str]) -> list[str]:
        """Ask for a few, each alone; those that the store denies."""
        denied: list[str] = []
        for asin in asins[:MAX_LOOKS]:
            result = self._ask(session, Query(self.target.marketplace, "asin", asin))
            if result is None:
                break
            if isinstance(result, Absent):
                denied.append(asin)
        return denied

    def _control_is_shown(self, session: requests.Session, gone: list[str]) -> bool:
        control = control_asin(marketplace=self.target.marketplace, excluded=gone)
        return control is not None and self._is_shown(session, control)

    def _is_shown(self, session: requests.Session, asin: str) -> bool:
        result = self._ask(session, Query(self.target.marketplace, "asin", asin))
        return isinstance(result, Progress) and asin in result.page.listed
