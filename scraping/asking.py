"""One question to a store: its turn taken, its answer fetched, and what that comes to."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings

from scraping import politeness
from scraping.models import Visit
from scraping.outcomes import Absent, Failed, Throttled
from scraping.remembered import forget
from scraping.sources.base import Pass, Progress, Query
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import SOURCES


@dataclass(frozen=True, slots=True)
class Ending:
    """Why nothing more is asked: a Visit.Outcome, a sentence, and how long to wait at least.

    `blind`: the store could not be seen, or is not to be asked because it could not be.
    """

    outcome: str
    detail: str
    wait: dt.timedelta | None = None
    blind: bool = False


class Asker:
    """Asks one marketplace through one source, as long as the visit's lease lasts.

    `ending` says why the last question got no answer; `pages` counts requests; `vouched`: it
    was seen to show a title that is known to be there.
    """

    def __init__(
        self,
        *,
        source: str,
        marketplace: str,
        clock: Callable[[], dt.datetime],
        renew: Callable[[], bool],
    ) -> None:
        self.name = source
        self.source = SOURCES[source]
        self.marketplace = marketplace
        self.clock = clock
        self.renew = renew
        self.pages = 0
        self.vouched = False
        self.plain = False  # the store refused the full question once: ask for less
        self.fetched_at = clock()
        self.ending: Ending | None = None
        self._session = open_session()

    def close(self) -> None:
        """Nothing more is asked: see contextlib.closing."""
        self._session.close()

    def ask(self, query: Query) -> Progress | Absent | None:
        """The first answer to a question; None where there is none (`ending`)."""
        start = dataclasses.replace(self.source.start(query), plain=self.plain)
        return self.step(query, start)

    def vouch(self, controls: Iterable[str]) -> bool:
        """Whether the store shows one of these titles when asked for it alone: `vouched`."""
        for asin in controls:
            answer = self.ask(Query(self.marketplace, "asin", asin))
            if isinstance(answer, Progress) and asin in answer.page.listed:
                self.vouched = True
                return True
            if self.ending:
                break
        return False

    def step(self, query: Query, reading: Pass) -> Progress | Absent | None:
        """The next answer of a reading; None where there is none (`ending`)."""
        url = self.source.url(query, reading)
        self.ending = self._wait_for_turn(url)
        if self.ending:
            return None
        self.fetched_at = self.clock()
        answer = fetch(url, self._session)
        self.pages += 1
        result = self.source.step(query, reading, answer, now=self.clock())
        if isinstance(result, Throttled | Failed):
            self.ending = self._give_up(result, url)
            return None
        politeness.report(self.marketplace, self.name, ok=True)
        if isinstance(result, Progress):
            self.plain = result.reading.plain
        return result

    def _wait_for_turn(self, url: str) -> Ending | None:
        # The lease first: a probe whose asker must not ask would keep the others waiting.
        if not self.renew():
            return Ending(Visit.Outcome.POSTPONED, "the lease ran out")
        turn = politeness.acquire(self.marketplace, url, self.name)
        if isinstance(turn, politeness.Turn):
            return None
        is_blind = turn.reason == "breaker"
        return Ending(Visit.Outcome.POSTPONED, "waits for its turn", turn.wait, is_blind)

    def _give_up(self, result: Throttled | Failed, url: str) -> Ending:
        if isinstance(result, Failed):
            # A refused question is an answer, too: the store was seen.
            politeness.report(self.marketplace, self.name, ok=not result.blind)
            if result.blind:
                forget(url)  # no later answer is to be held against one that made no sense
            return Ending(Visit.Outcome.FAILED, result.reason, blind=result.blind)
        # The wait first: others are about to ask.
        politeness.leave_alone(self.marketplace, result.retry_after)
        politeness.report(self.marketplace, self.name, ok=False)
        wait = max(result.retry_after or dt.timedelta(), settings.STORE_SAME_URL_INTERVAL)
        return Ending(Visit.Outcome.THROTTLED, "the store wants to be left alone", wait)
