"""Which titles each feed is about: a feed to read holds the latest announced, a calendar days."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest

from accounts.models import FeedToken
from api.feeds.entries import Entry, Feed, entries_of
from api.feeds.wanted import found_by, found_in
from api.upcoming import filter_rows
from catalog.models import Audiobook, Contributor, Credit, Series, SeriesEntry, WatchList
from catalog.models.audiobook import AudiobookQuerySet

ENTRIES: Final = 100
DAYS: Final = 500  # that a calendar shows
LATELY: Final = dt.timedelta(days=30)  # out so long ago, a title is still of interest
PASSED: Final = dt.timedelta(days=7)  # a day that lies so far back is still in the calendar

Rows = AudiobookQuerySet
Narrow = Callable[[Rows], Rows]


class BadQuestionError(Exception):
    """What is wrong with the query string, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a feed is about; `news` are its titles in a feed to read, `days` those in a calendar."""

    feed: Feed
    news: Rows
    days: Rows

    def filled(self, *, as_calendar: bool) -> Feed:
        """The feed with its entries, in one statement."""
        return replace(self.feed, entries=self._entries(as_calendar=as_calendar))

    def _entries(self, *, as_calendar: bool) -> list[Entry]:
        if as_calendar:
            return entries_of(self.days.order_by("release_date", "id"), DAYS)
        return entries_of(self.news.order_by("-first_seen_at", "-id"), ENTRIES)


def of_upcoming(request: HttpRequest, now: dt.datetime) -> Scope:
    """All titles still to come, filtered like /api/upcoming."""
    news, errors = filter_rows(Audiobook.objects.upcoming(now), request.GET)
    days, _ = filter_rows(_days(now), request.GET)
    if errors:
        lines = [f"{name}: {' '.join(sentences)}" for name, sentences in errors.items()]
        raise BadQuestionError("\n".join(lines))
    feed = _public(
        "upcoming",
        request.get_full_path(),
        title="Stalkerr: upcoming audiobooks",
        description="Audiobooks that are not out yet, the latest announced first.",
    )
    return Scope(feed=feed, news=news, days=days)


def of_author(request: HttpRequest, pk: int, now: dt.datetime) -> Scope:
    """An author's titles; Http404 where there is no such person."""
    name = _known(Contributor.objects.filter(pk=pk), "name")
    wrote = Credit.objects.filter(contributor=pk, role="author")
    return _of(request, f"author:{pk}", name, now, lambda rows: rows.filter(credits__in=wrote))


def of_series(request: HttpRequest, pk: int, now: dt.datetime) -> Scope:
    """A series' titles; Http404 where there is no such series."""
    title = _known(Series.objects.filter(pk=pk), "title")
    entries = SeriesEntry.objects.filter(series=pk)
    return _of(request, f"series:{pk}", title, now, lambda rows: rows.filter(places__in=entries))


def private_scope(token: FeedToken, now: dt.datetime) -> Scope:
    """What the owner's watches find, or one of them."""
    found = found_by(user_id=token.user_id, watch_id=token.watch_id, list_id=token.list_id)
    feed = Feed(
        id=f"urn:stalkerr:feed:private:{token.pk}",
        title=f"Stalkerr: {token.name or 'what you watch'}",
        description="Audiobooks to come, or out lately, that your watches find.",
        entries=(),
        remind_days=token.remind_days,
    )
    return Scope(
        feed=feed, news=_lately(now).filter(pk__in=found), days=_days(now).filter(pk__in=found)
    )


def shared_scope(watch_list: WatchList, now: dt.datetime) -> Scope:
    """What a list's watches find, for whoever has its link."""
    found = found_in(list_id=watch_list.pk)
    feed = Feed(
        id=f"urn:stalkerr:feed:list:{watch_list.pk}",
        title=f"Stalkerr: {watch_list.name}",
        description="Audiobooks to come, or out lately, that a shared list is about.",
        entries=(),
    )
    return Scope(
        feed=feed, news=_lately(now).filter(pk__in=found), days=_days(now).filter(pk__in=found)
    )


def shared_upcoming(watch_list: WatchList, now: dt.datetime) -> list[Entry]:
    """The titles to come of a list, soonest first, in one statement."""
    rows = Audiobook.objects.upcoming(now).filter(pk__in=found_in(list_id=watch_list.pk))
    return entries_of(rows, ENTRIES)


def _of(request: HttpRequest, name: str, title: str, now: dt.datetime, narrow: Narrow) -> Scope:
    feed = _public(
        name,
        request.path,
        title=f"Stalkerr: {title}",
        description=f"Audiobooks to come, or out lately: {title}.",
    )
    return Scope(feed=feed, news=narrow(_lately(now)), days=narrow(_days(now)))


def _lately(now: dt.datetime) -> Rows:
    """Titles to come, with a date or without, and those that are out since not long."""
    recent = Q(release_date__gte=(now - LATELY).date()) | Q(release_date=None, out_at=None)
    return Audiobook.objects.shown().filter(recent, withdrawn_at=None)


def _days(now: dt.datetime) -> Rows:
    """Titles that have a day in a calendar, withdrawn ones too: who has them must hear that."""
    today = (now - PASSED).date()
    # Spelt apart for the planner: each half has an index of its own.
    here = Q(release_date__gte=today, withdrawn_at=None)
    gone = Q(release_date__gte=today, withdrawn_at__isnull=False)
    return Audiobook.objects.shown().filter(here | gone)


def _known(rows: QuerySet[Contributor] | QuerySet[Series], field: str) -> str:
    known = rows.values_list(field, flat=True).first()
    if known is None:
        raise Http404
    return str(known)


def _public(name: str, path: str, *, title: str, description: str) -> Feed:
    return Feed(
        id=f"urn:stalkerr:feed:{name}",
        title=title,
        description=description,
        entries=(),
        path=path,
        hub=settings.WEBSUB_HUB,
    )
