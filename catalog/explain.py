"""What the catalogue knows of a watch and of a title, step by step. Reads only."""

import datetime as dt

from catalog.models import Audiobook, AudiobookCheck, Watch, WatchQuery
from catalog.steps import Step, joined, moment

_FACTS = {
    "a title": "title",
    "a date": "release_date",
    "a language": "language",
    "a runtime": "runtime_minutes",
    "a publisher": "publisher",
    "a cover": "cover_url",
}


def about_watch(*, watch: Watch, marketplace: str, now: dt.datetime) -> list[Step]:
    """Whether the watch listens at all, there and at present."""
    asked = f'{watch.kind} "{watch.query}"' + (f" ({watch.asin})" if watch.asin else "")
    steps = [Step("watch", "passed", f"{watch.pk}: {asked}, in {joined(watch.marketplaces)}")]
    if watch.ended_at:
        steps.append(Step("watch", "stopped", f"was deleted on {moment(watch.ended_at)}"))
    if not watch.ended_at and marketplace not in watch.marketplaces:
        steps.append(Step("watch", "stopped", f"does not look in {marketplace}"))
    if watch.muted:
        steps.append(Step("watch", "stopped", "is muted: its news is recorded and never told"))
    if watch.snoozed_until and watch.snoozed_until > now:
        until = moment(watch.snoozed_until)
        steps.append(Step("watch", "passed", f"is snoozed: its news is told on {until}"))
    return steps


def heard_since(*, watch: Watch, marketplace: str) -> dt.datetime | None:
    """Since when the watch is heard there: the end of the first of its queries' baselines."""
    heard = WatchQuery.objects.filter(watch=watch, marketplace=marketplace)
    return (
        heard.exclude(active_from=None)
        .order_by("active_from")
        .values_list("active_from", flat=True)
        .first()
    )


def sold_in(asin: str) -> list[str]:
    """The marketplaces in which a title of this ASIN was seen."""
    found = Audiobook.objects.filter(asin=asin).order_by("marketplace")
    return list(found.values_list("marketplace", flat=True))


def about_title(audiobook: Audiobook) -> list[Step]:
    """What was seen of it, when, by whom, and what is still missing."""
    first, source = moment(audiobook.first_seen_at), audiobook.provenance
    day = f"dated {audiobook.release_date}" if audiobook.release_date else "without a date"
    text = f'"{audiobook.title}", first seen {first}, {day}, facts by {source}'
    if lacking := _lacking(audiobook):
        text += f"; lacks {joined(lacking)}"
    others = [each for each in sold_in(audiobook.asin) if each != audiobook.marketplace]
    if others:
        text += f"; also seen in {joined(others)}"
    return [Step("title", "passed", text), *_about_presence(audiobook)]


def _lacking(audiobook: Audiobook) -> list[str]:
    said = set(audiobook.credits.values_list("role", flat=True))
    people = [f"{role}s" for role in ("author", "narrator") if role not in said]
    return [name for name, field in _FACTS.items() if not getattr(audiobook, field)] + people


def _about_presence(audiobook: Audiobook) -> list[Step]:
    """Whether the store still shows it."""
    check = AudiobookCheck.objects.filter(audiobook=audiobook).first()
    shown = f"; last shown {moment(check.last_checked_at)}" if check else ""
    if audiobook.withdrawn_at:
        gone = moment(audiobook.withdrawn_at)
        return [Step("title", "passed", f"withdrawn by the store since {gone}{shown}")]
    if check and check.absent_at:
        text = f"denied once by the store, {moment(check.absent_at)}; a second look decides{shown}"
        return [Step("title", "passed", text)]
    return []


def about_silence(audiobook: Audiobook) -> Step:
    """Why a title that was seen has no news at all: catalog/changes.py."""
    since = f"out since {audiobook.release_date}, " if audiobook.release_date else ""
    text = f"none: {since}long before it was first seen (back catalogue)"
    return Step("news", "stopped", text)
