"""A visit on its way: asks politely, stores each page, looks for what is missing."""

import datetime as dt
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from typing import Any, cast

from django.conf import settings

from catalog.listing import Listing
from catalog.questions import control_asins, due_out_asins, gap_asins, wanted_keys
from catalog.services import note_pages_read, record_listings
from scraping import politeness
from scraping.asking import Asker, Ending
from scraping.belonging import belonging
from scraping.missing import BATCH, CONTROLS, look_for_missing
from scraping.models import Target, Visit
from scraping.outcomes import Absent
from scraping.pace import source_of
from scraping.sources.base import Pass, Progress, Query, QueryKind
from scraping.sources.registry import PAGES, SOURCES

# A pass cut short longer ago than this is begun anew: what it saw is no longer one picture.
RESUME_WITHIN = dt.timedelta(hours=1)
# So many titles' own pages are read in one visit to fill gaps.
MAX_GAPS = 2


class Trip:
    """One visit to one target; after `go()` it says what came of it."""

    def __init__(
        self, *, target: Target, clock: Callable[[], dt.datetime], renew: Callable[[], bool]
    ) -> None:
        self.target = target
        self.clock = clock
        self.renew = renew
        self.started_at = clock()
        self.query = self._query()
        self.source = source_of(target.marketplace)
        self.kept: set[str] = set()  # ASINs shown that are what the target asks for
        self.reading = self._resume()
        self.outcome: str = Visit.Outcome.FOUND
        self.detail = ""
        self.wait: dt.timedelta | None = None
        self.complete = False
        self.pages = self.products = self.others = self.new = self.changed = 0
        self.still_missing: set[str] = set()
        self.met: set[str] = set()  # ASINs written down
        self._wanted: frozenset[str] | None = None

    def go(self) -> None:
        """Read the query to its end, or until the store, a turn or the lease says stop.

        Where the first source has long been blind, the pages of the store's site are read instead.
        """
        ending = self._go(self.source)
        if ending and ending.blind and _is_long_blind(self.target.marketplace, self.source):
            self.source = PAGES
            self.reading = self._resume()
            ending = self._go(PAGES)
        if ending:
            self.outcome, self.detail, self.wait = ending.outcome, ending.detail, ending.wait

    def break_off(self, error: Exception) -> None:
        """Something went wrong on our side: what was read so far stands."""
        self.outcome, self.detail = Visit.Outcome.FAILED, f"our error: {type(error).__name__}"
        self.complete = False

    def _go(self, source: str) -> Ending | None:
        with ExitStack() as stack:
            asker = stack.enter_context(closing(self._asker(source)))
            stack.callback(self._count_pages, asker)
            absent = self._read(asker)
            if asker.ending:
                return asker.ending
            if self.target.kind == Target.Kind.DUE:
                self.complete = True
                return None
            if not self.reading.seen and (blind := self._blindness(asker, absent)):
                return blind
            self.complete = True
            self._look_around(asker, absent)
        return None

    def _asker(self, source: str) -> Asker:
        return Asker(
            source=source,
            marketplace=self.target.marketplace,
            clock=self.clock,
            renew=self.renew,
        )

    def _count_pages(self, asker: Asker) -> None:
        self.pages += asker.pages

    def _query(self) -> Query:
        marketplace = self.target.marketplace
        if self.target.kind == Target.Kind.DUE:
            asins = due_out_asins(marketplace=marketplace, now=self.started_at, limit=BATCH)
            return Query(marketplace, "batch", asins=tuple(asins))
        kind = cast(QueryKind, self.target.kind)  # the other kinds are the same words
        return Query(marketplace, kind, self.target.query)

    def _start(self) -> Pass:
        self.kept = set()
        return SOURCES[self.source].start(self.query)

    def _resume(self) -> Pass:
        """Where an earlier visit was cut short, if that was lately and by the same source."""
        unfinished, visited_at = self.target.unfinished_pass, self.target.visited_at
        is_fresh = visited_at and self.started_at - visited_at < RESUME_WITHIN
        if not (unfinished and is_fresh and unfinished["source"] == self.source):
            return self._start()
        self.kept = set(unfinished["kept"])
        return Pass.from_json(unfinished["reading"])

    def unfinished(self) -> dict[str, Any] | None:
        """What the next visit needs to go on; None where it begins anew."""
        if self.reading.done or not self.reading.step:
            return None
        return {
            "source": self.source,
            "kept": sorted(self.kept),
            "reading": self.reading.as_json(),
        }

    def _read(self, asker: Asker) -> tuple[str, ...]:
        """Step through the query; returns the ASIN it asked for alone and the store denied."""
        asker.plain = self.reading.plain
        while not self.reading.done:
            match asker.step(self.query, self.reading):
                case Progress(page, reading):
                    self._record(asker, page.listings)
                    self.reading = reading
                case Absent(asins):
                    self.outcome = Visit.Outcome.ABSENT
                    return asins
                case _:
                    return ()
        return ()

    def _record(self, asker: Asker, listings: Iterable[Listing]) -> None:
        """Store what the target asks for; the rest of a fuzzy answer is not ours to follow."""
        shown = list(listings)
        if self._wanted is None:
            self._wanted = wanted_keys(
                marketplace=self.target.marketplace, kind=self.target.kind, query=self.target.query
            )
        kept = belonging(shown, kind=self.target.kind, query=self.target.query, wanted=self._wanted)
        self.kept |= {each.asin for each in kept}
        self.others += len(shown) - len(kept)
        self.store(asker, kept)

    def store(self, asker: Asker, listings: list[Listing]) -> None:
        """Write listings down; their news is held until the visit is over."""
        recorded = record_listings(
            listings=listings,
            fetched_at=asker.fetched_at,
            now=self.clock(),
            held_by=self.target.id,
            pages_date=asker.name == PAGES and self.source == PAGES,
        )
        self.products += len(listings)
        self.met |= {each.asin for each in listings}
        self.new += recorded.new
        self.changed += recorded.changed

    def _blindness(self, asker: Asker, absent: tuple[str, ...]) -> Ending | None:
        """An answer with nothing in it is an outage where a known title is not shown either.

        Where no other title is known to ask for, one that listed something before is not believed;
        a title that was asked for alone may be gone.
        """
        known = self.target.asins
        controls = control_asins(
            marketplace=self.target.marketplace, excluded=[*known, *absent], limit=CONTROLS
        )
        if asker.vouch(controls) if controls else absent or not known:
            return None
        nothing = "the store lists nothing, not even what is there"
        return asker.ending or Ending(Visit.Outcome.FAILED, nothing, blind=True)

    def _look_around(self, asker: Asker, absent: tuple[str, ...]) -> None:
        """What these extra looks meet says nothing about the pass, which is complete."""
        missing = {asin for asin in self.target.asins if asin not in self.reading.seen}
        # A batch that answers fewer than asked is partial, and proves nothing about the rest; nor
        # does what stands in for the first source.
        if self.source == source_of(self.target.marketplace) and (self.reading.complete or absent):
            self.still_missing = look_for_missing(
                asker,
                missing=missing,
                denied=absent,
                store=self.store,
                held_by=self.target.id,
                now=self.clock(),
            )
        else:
            self.still_missing = missing
        if self.reading.capped:  # what is there falls off the end of such a list, ever more of it
            self.still_missing -= self.met
        if asker.name != PAGES:
            self._fill_gaps()

    def _fill_gaps(self) -> None:
        """Read the own pages of a few titles whose record lacks what people need."""
        marketplace = self.target.marketplace
        gaps = gap_asins(marketplace=marketplace, asins=self.kept, now=self.clock(), limit=MAX_GAPS)
        if not gaps:
            return
        with closing(self._asker(PAGES)) as asker:
            for asin in gaps:
                answer = asker.ask(Query(marketplace, "asin", asin))
                if answer is None:
                    break
                note_pages_read(marketplace=marketplace, asins=[asin], now=self.clock())
                if isinstance(answer, Progress):
                    self.store(asker, [each for each in answer.page.listings if each.asin == asin])
            self._count_pages(asker)


def _is_long_blind(marketplace: str, source: str) -> bool:
    if source == PAGES:
        return False
    return politeness.failing_for(marketplace, source) >= settings.STORE_PAGES_AFTER
