"""The way of a title to a watch: what each app knows of it, in order, and a verdict. Reads only."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from catalog.explain import about_silence, about_title, about_watch, sold_in
from catalog.models import Audiobook, Watch
from catalog.steps import Step
from notifications.explain import MOST_EVENTS, Story, about_match, best, stories
from notifications.progress import Outcome
from scraping.explain import about_looks, about_unseen, looks
from stalkerr import sql

WAYS_MAX: Final = 10  # of one reader: a watch and an edition each
EVENTS_MAX: Final = 5  # of each of these
EDITIONS_MAX: Final = 50  # looked at of a work

_SAID: dict[Outcome, str] = {
    "told": "Told",
    "waiting": "On its way",
    "stopped": "Stopped",
    "unknown": "Unknown",
}
_RANK: tuple[Outcome, ...] = ("stopped", "unknown", "waiting", "told")


@dataclass(frozen=True, slots=True)
class Way:
    """How a title went, or did not go, from one marketplace to the watch's reader."""

    watch: Watch
    asin: str
    marketplace: str
    steps: tuple[Step, ...]
    outcome: Outcome
    verdict: str


def explain(*, watch: Watch, asin: str, marketplace: str | None, now: dt.datetime) -> list[Way]:
    """One way for each marketplace asked about: the one given, else where the watch may hear it.

    These are those of its marketplaces that showed the title; all of its own if none did.
    """
    seen = sold_in(asin)
    chosen = [marketplace] if marketplace else [each for each in watch.marketplaces if each in seen]
    return [
        _way(watch, (code, asin), seen, now, of_others=True, most=MOST_EVENTS)
        for code in chosen or watch.marketplaces
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a title for one reader, over all watches of theirs that it could concern."""

    outcome: Outcome
    summary: str
    ways: tuple[Way, ...]
    left_out: int  # ways beyond WAYS_MAX


Place = tuple[str, str]  # marketplace and ASIN


def explain_to(
    *, user_id: int, places: Sequence[Place], watch_id: int | None, now: dt.datetime
) -> Answer:
    """Why a reader heard of these editions of one work, or did not; of watch `watch_id` only, if given.

    Says nothing of anybody else. What it asks of the database is bounded, whatever there is.
    """
    pairs = _pairs(user_id, places, watch_id)
    ways = tuple(
        _way(watch, place, [], now, of_others=False, most=EVENTS_MAX)
        for watch, place in pairs[:WAYS_MAX]
    )
    if not ways:
        return _unconcerned(places)
    furthest = verdict(ways)
    summary = f"{furthest.verdict} (watch {furthest.watch.pk})"
    return Answer(furthest.outcome, summary, ways, len(pairs) - len(ways))


def editions(*, work_id: int) -> list[Place]:
    """Where a work is sold; nothing of one that there is not."""
    known = Audiobook.objects.filter(work_id=work_id).order_by("marketplace", "asin")
    return list(known.values_list("marketplace", "asin")[:EDITIONS_MAX])


def _pairs(
    user_id: int, places: Sequence[Place], watch_id: int | None
) -> list[tuple[Watch, Place]]:
    """Which of a reader's watches each of these could concern: by a key, a promise, or its name."""
    if watch_id is not None:
        return [(watch, place) for watch in _own(user_id, [watch_id]) for place in places]
    rows = sql.rows(
        _CONCERNED,
        {
            "user_id": user_id,
            "marketplaces": [marketplace for marketplace, _ in places],
            "asins": [asin for _, asin in places],
        },
    )
    watches = {watch.pk: watch for watch in _own(user_id, {number for number, *_ in rows})}
    found = [(watches[number], (code, asin)) for number, code, asin in rows if number in watches]
    return [(watch, place) for watch, place in found if place[0] in watch.marketplaces]


def _own(user_id: int, watch_ids: Iterable[int]) -> list[Watch]:
    return list(Watch.objects.of(user_id).filter(id__in=list(watch_ids)))


_CONCERNED = """
WITH places AS (
    SELECT p.marketplace, p.asin, a.id, coalesce(a.match_keys, ARRAY['asin:' || p.asin]) AS keys
    FROM unnest(%(marketplaces)s::text[], %(asins)s::text[]) AS p(marketplace, asin)
    LEFT JOIN audiobooks a ON a.marketplace = p.marketplace AND a.asin = p.asin
)
SELECT k.watch_id, p.marketplace, p.asin FROM places p
JOIN watch_keys k ON k.key = ANY(p.keys) AND k.user_id = %(user_id)s
UNION
SELECT unnest(d.watch_ids), p.marketplace, p.asin FROM places p
JOIN release_events e ON e.audiobook_id = p.id
JOIN channels c ON c.user_id = %(user_id)s
JOIN deliveries d ON d.event_id = e.id AND d.channel_id = c.id AND d.source_at = e.seen_at
ORDER BY 1, 2, 3
"""


def _unconcerned(places: Sequence[Place]) -> Answer:
    seen = Audiobook.objects.filter(asin__in={asin for _, asin in places})
    what = "it" if seen.exists() else "it, and it was never seen"
    text = f"none of your watches shares a key with {what}; name a watch to see where it stops"
    return Answer("stopped", f"Stopped: {text}.", (), 0)


@contextmanager
def reading() -> Iterator[None]:
    """Whatever comes to be called in here can't write."""
    with transaction.atomic():
        sql.rows("SET TRANSACTION READ ONLY")
        yield


def verdict(ways: Sequence[Way]) -> Way:
    """The way that came furthest."""
    return max(ways, key=lambda way: _RANK.index(way.outcome))


def _way(
    watch: Watch,
    place: Place,
    seen: Sequence[str],
    now: dt.datetime,
    *,
    of_others: bool,
    most: int,
) -> Way:
    marketplace, asin = place
    found = looks(watch=watch, marketplace=marketplace)
    steps = about_watch(watch=watch, marketplace=marketplace, now=now)
    steps += about_looks(found, of_others=of_others)
    audiobook = (
        Audiobook.objects.filter(marketplace=marketplace, asin=asin)
        .defer("metadata", "search_vector", "summary")
        .first()
    )
    if audiobook is None:
        steps.append(about_unseen(asin=asin, found=found, elsewhere=seen))
        return Way(watch, asin, marketplace, *_judged(marketplace, steps, []))
    steps += about_title(audiobook) + about_match(watch=watch, audiobook=audiobook)
    told = stories(watch=watch, audiobook=audiobook, now=now, most=most)
    if not told:
        steps.append(about_silence(audiobook))
    return Way(watch, asin, marketplace, *_judged(marketplace, steps, told))


_Judged = tuple[tuple[Step, ...], Outcome, str]  # steps, what came of them, and that in words


def _judged(marketplace: str, steps: Iterable[Step], told: Sequence[Story]) -> _Judged:
    """What came of it: of the news that came furthest, else where the title itself stopped."""
    steps = tuple(steps)
    every = (*steps, *(step for story in told for step in story.steps))
    furthest = best(told)
    if furthest and furthest.outcome in ("told", "waiting"):
        return _said(marketplace, every, furthest.outcome, furthest.steps[-1])
    if stop := next((step for step in steps if step.mark == "stopped"), None):
        return _said(marketplace, every, "stopped", stop)
    if furthest:
        return _said(marketplace, every, furthest.outcome, furthest.steps[-1])
    return _said(marketplace, every, "unknown", steps[-1])


def _said(marketplace: str, steps: tuple[Step, ...], outcome: Outcome, last: Step) -> _Judged:
    where = f" at {last.name}" if outcome in ("stopped", "unknown") else ""
    return steps, outcome, f"{_SAID[outcome]}{where} ({marketplace}): {last.text}."
