"""Where a watch looks for a title, and what its visits could see. Reads only, and not much."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.models import Watch, WatchQuery
from catalog.steps import Mark, Step, counted, joined, moment
from scraping.models import Target, Visit

MOST_QUERIES = 10
MOST_VISITS = 10  # of each, the newest
_SEES = (Visit.Outcome.FOUND, Visit.Outcome.ABSENT)
# Said of a visit that saw nothing.
_FAILURES = {
    Visit.Outcome.FAILED: "failed",
    Visit.Outcome.THROTTLED: "was sent away",
    Visit.Outcome.POSTPONED: "had to wait for its turn",
}


@dataclass(frozen=True, slots=True)
class Look:
    """A query of a watch, the target that asks it, and its last visits, newest first."""

    query: WatchQuery
    target: Target | None
    visits: Sequence[Visit]


def looks(*, watch: Watch, marketplace: str) -> list[Look]:
    """How the watch looks into one marketplace."""
    queries = WatchQuery.objects.filter(watch=watch, marketplace=marketplace).order_by("id")
    return [_look(query) for query in queries[:MOST_QUERIES]]


def _look(query: WatchQuery) -> Look:
    target = Target.objects.filter(
        marketplace=query.marketplace, kind=query.kind, query=query.query
    ).first()
    visits = list(target.visits.order_by("-id")[:MOST_VISITS]) if target else []
    return Look(query, target, visits)


def about_looks(found: Sequence[Look], *, of_others: bool) -> list[Step]:
    """Each query with its target and what its visits came to; `of_others`: who shares it as well."""
    return [
        step
        for look in found
        for step in (_about_target(look, of_others=of_others), *_about_visits(look))
    ]


def _about_target(look: Look, *, of_others: bool) -> Step:
    query = look.query
    name = f'{query.marketplace} {query.kind} "{query.query}"'
    if look.target is None:
        return Step("target", "unknown", f"{name} is not made yet: the next tick does")
    text = f"{name}, {_sharing(query)}" if of_others else f"{name}, "
    if query.active_from:
        return Step("target", "passed", f"{text}heard since {moment(query.active_from)}")
    return Step("target", "unknown", f"{text}not heard before the end of its first complete pass")


def _sharing(query: WatchQuery) -> str:
    same = {"marketplace": query.marketplace, "kind": query.kind, "query": query.query}
    sharing = WatchQuery.objects.filter(**same).count()
    return f"shared by {counted(sharing, 'watch', 'watches')}, "


def _about_visits(look: Look) -> list[Step]:
    if look.target is None:
        return []
    if not look.visits:
        return [Step("visit", "unknown", f"none yet; due {moment(look.target.next_visit_at)}")]
    newest = look.visits[0]
    mark: Mark = "passed" if newest.complete and newest.outcome in _SEES else "unknown"
    steps = [Step("visit", mark, _visit_text(newest))]
    if doubts := _doubts(look.visits[1:]):
        steps.append(Step("visit", "unknown", f"of those before, {doubts}"))
    return steps


def _visit_text(visit: Visit) -> str:
    words = [f"{moment(visit.finished_at)}: {visit.outcome}"]
    words.append("complete" if visit.complete else "cut short")
    total = f" of {visit.total_results}" if visit.total_results is not None else ""
    seen = counted(visit.products, "title")
    words.append(f"{seen}{total} on {counted(visit.pages, 'page')}, {visit.new} new")
    words += [f"{visit.others} did not belong"] if visit.others else []
    words += ["capped: the store shows no more"] if visit.capped else []
    words += ["its news is held for a person"] if visit.braked else []
    words += [visit.detail] if visit.detail else []
    return ", ".join(words)


def _doubts(visits: Sequence[Visit]) -> str:
    """What else could have kept a title from being seen: `2 failed and 1 was cut short`."""
    found = Counter(doubt for visit in visits if (doubt := _doubt(visit)))
    return joined(f"{number} {doubt}" for doubt, number in found.items()) if found else ""


def _doubt(visit: Visit) -> str:
    if failed := _FAILURES.get(Visit.Outcome(visit.outcome)):
        return failed
    return "" if visit.complete else "was cut short"


def about_unseen(*, asin: str, found: Sequence[Look], elsewhere: Sequence[str]) -> Step:
    """Why a title that the catalogue does not have there may never have been seen."""
    known = f"; it is known in {joined(elsewhere)}" if elsewhere else ""
    if not found:
        return Step("title", "stopped", f"never seen there, and nothing looks for it{known}")
    if any(look.target and asin in look.target.asins for look in found):
        text = "was listed there, but without a title: it is kept once it has one"
        return Step("title", "unknown", text + known)
    reasons = [reason for look in found for reason in _reasons(look)]
    if reasons:
        return Step("title", "unknown", f"never seen there; {joined(reasons)}{known}")
    since = max(
        look.target.completed_at for look in found if look.target and look.target.completed_at
    )
    return Step("title", "stopped", f"no complete pass showed it, last {moment(since)}{known}")


def _reasons(look: Look) -> list[str]:
    """What keeps us from saying that the store does not list it under this query."""
    name = f'"{look.query.query}"'
    if not look.visits:
        return [f"{name} was not visited yet"]
    newest = look.visits[0]
    reasons = []
    if look.target and look.target.completed_at is None:
        reasons.append(f"{name} has no complete pass yet")
    if doubt := _doubt(newest):
        reasons.append(f"the last visit of {name} {doubt}")
    if newest.capped:
        reasons.append(f"{name} shows only {counted(newest.products + newest.others, 'title')}")
    if newest.others:
        answers = counted(newest.others, "answer", "answers")
        reasons.append(f"{answers} to {name} did not belong to it and went unkept")
    return reasons
