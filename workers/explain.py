"""The way of a title to a watch: what each app knows of it, in order, and a verdict. Reads only."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.explain import about_silence, about_title, about_watch, sold_in
from catalog.models import Audiobook, Watch
from catalog.steps import Step
from notifications.explain import Story, about_match, best, stories
from notifications.progress import Outcome
from scraping.explain import about_looks, about_unseen, looks

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
    return [_way(watch, asin, code, seen, now) for code in chosen or watch.marketplaces]


def verdict(ways: Sequence[Way]) -> Way:
    """The way that came furthest."""
    return max(ways, key=lambda way: _RANK.index(way.outcome))


def _way(watch: Watch, asin: str, marketplace: str, seen: Sequence[str], now: dt.datetime) -> Way:
    found = looks(watch=watch, marketplace=marketplace)
    steps = about_watch(watch=watch, marketplace=marketplace, now=now) + about_looks(found)
    audiobook = (
        Audiobook.objects.filter(marketplace=marketplace, asin=asin)
        .defer("metadata", "search_vector", "summary")
        .first()
    )
    if audiobook is None:
        steps.append(about_unseen(asin=asin, found=found, elsewhere=seen))
        return _judged(marketplace, steps, [])
    steps += about_title(audiobook) + about_match(watch=watch, audiobook=audiobook)
    told = stories(watch=watch, audiobook=audiobook, now=now)
    if not told:
        steps.append(about_silence(audiobook))
    return _judged(marketplace, steps, told)


def _judged(marketplace: str, steps: Iterable[Step], told: Sequence[Story]) -> Way:
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


def _said(marketplace: str, steps: tuple[Step, ...], outcome: Outcome, last: Step) -> Way:
    where = f" at {last.name}" if outcome in ("stopped", "unknown") else ""
    return Way(
        marketplace, steps, outcome, f"{_SAID[outcome]}{where} ({marketplace}): {last.text}."
    )
