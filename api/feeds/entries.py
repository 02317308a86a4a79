"""What a feed holds, whatever it is written as: one list of entries, read by one statement."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from mimetypes import guess_type
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from catalog.languages import code_of
from catalog.marketplaces import MARKETPLACES
from catalog.models import Credit, ReleaseEvent, SeriesEntry
from catalog.models.audiobook import AudiobookQuerySet
from notifications.messages import (
    NAME_MAX,
    NAMES_MAX,
    SUMMARY_MAX,
    TEXT_MAX,
    date_words,
    many_lines,
    one_line,
    web_url,
)

# Each makes an appointment another than the one that was sent before.
_MOVES: Final = ("date_moved", "withdrawn", "restored")
_COLUMNS: Final = (
    *("marketplace", "asin", "title", "summary", "cover_url", "release_date", "language"),
    *("first_seen_at", "withdrawn_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One title. What it holds is clean: no control characters, no direction tricks, no excess."""

    marketplace: str
    asin: str
    title: str
    summary: str
    authors: tuple[str, ...]
    narrators: tuple[str, ...]
    series: tuple[str, ...]
    cover: str
    announced_at: dt.datetime
    updated_at: dt.datetime  # its last piece of news
    release_date: dt.date | None  # on the store's calendar
    language: str  # English word
    moves: int  # how often it was put off, taken back or restored
    is_withdrawn: bool

    @property
    def id(self) -> str:
        """The same for good, whatever becomes of the title."""
        return f"urn:stalkerr:{self.marketplace}:{self.asin}"

    @property
    def link(self) -> str:
        return MARKETPLACES[self.marketplace].url_of(self.asin)

    @property
    def language_code(self) -> str:
        """As RFC 5646 has it; empty where we know none."""
        return code_of(self.language)

    @property
    def cover_type(self) -> str:
        guessed, _ = guess_type(self.cover)
        return guessed if guessed and guessed.startswith("image/") else "image/jpeg"

    def facts(self) -> list[tuple[str, str]]:
        """What is known of it, as (label, words)."""
        site = MARKETPLACES[self.marketplace].site
        rows = (
            ("Out", f"{date_words(self.release_date)} at {site}"),
            ("By", ", ".join(self.authors)),
            ("Read by", ", ".join(self.narrators)),
            ("Series", "; ".join(self.series)),
            ("Language", self.language.replace("_", " ").capitalize()),
        )
        return [(label, words) for label, words in rows if words]

    def html(self) -> SafeString:
        """What it is, as HTML in which all that a store said is text."""
        lines = format_html_join("", "{}: {}<br>", self.facts())
        summary = format_html("<p>{}</p>", self.summary) if self.summary else ""
        return format_html("<p>{}</p>{}", lines, summary)

    def text(self) -> str:
        """The same without markup."""
        lines = [f"{label}: {words}" for label, words in self.facts()]
        return "\n".join([*lines, *([self.summary] if self.summary else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed before it is written as anything. `path` is empty where nobody else may know it."""

    id: str
    title: str
    description: str
    entries: Sequence[Entry]
    path: str = ""
    hub: str = ""  # a WebSub hub that hears of changes
    remind_days: Sequence[int] = ()  # a calendar rings so many days before

    def __post_init__(self) -> None:
        for name in ("title", "description"):  # they hold names that a store said
            object.__setattr__(self, name, one_line(getattr(self, name), TEXT_MAX))

    @property
    def updated_at(self) -> dt.datetime:
        """The last piece of news in it."""
        never = dt.datetime.fromtimestamp(0, dt.UTC)
        return max((entry.updated_at for entry in self.entries), default=never)


def entries_of(rows: AudiobookQuerySet, limit: int) -> list[Entry]:
    """The first `limit` of these audiobooks, in one statement."""
    credits = Credit.objects.filter(audiobook=OuterRef("pk")).order_by("position", "id")
    places = SeriesEntry.objects.filter(audiobook=OuterRef("pk")).order_by("id")
    # Reminders are written because somebody asked: not everybody's to know.
    events = ReleaseEvent.objects.filter(audiobook=OuterRef("pk"), held_by=None)
    news = (
        events.exclude(kind=ReleaseEvent.Kind.REMINDER)
        .values("audiobook")
        .annotate(
            news=JSONObject(
                announced=Min("seen_at", filter=Q(kind=ReleaseEvent.Kind.ANNOUNCED)),
                updated=Max("seen_at"),
                moves=Count("id", filter=Q(kind__in=_MOVES)),
            )
        )
        .values("news")
    )
    found = rows.values(
        *_COLUMNS,
        people=ArraySubquery(
            credits.values_list(JSONObject(role=F("role"), name=F("contributor__name")))
        ),
        in_series=ArraySubquery(
            places.values_list(JSONObject(title=F("series__title"), sequence=F("sequence")))
        ),
        news=Subquery(news),
    )
    return [entry_of(row) for row in found[:limit]]


def entry_of(row: Mapping[str, Any]) -> Entry:
    """An entry of a row of `entries_of`, clean whatever a store said."""
    people, news = row["people"], row["news"] or {}
    announced_at = _moment(news.get("announced")) or row["first_seen_at"]
    return Entry(
        marketplace=row["marketplace"],
        asin=row["asin"],
        title=one_line(row["title"], TEXT_MAX) or row["asin"],
        summary=many_lines(row["summary"], SUMMARY_MAX),
        authors=_names(each["name"] for each in people if each["role"] == "author"),
        narrators=_names(each["name"] for each in people if each["role"] == "narrator"),
        series=_names(_place(**each) for each in row["in_series"]),
        cover=web_url(row["cover_url"]),
        announced_at=announced_at,
        updated_at=max(announced_at, _moment(news.get("updated")) or announced_at),
        release_date=row["release_date"],
        language=one_line(row["language"], NAME_MAX),
        moves=news.get("moves", 0),
        is_withdrawn=row["withdrawn_at"] is not None,
    )


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC) if text else None


def _place(title: str, sequence: str) -> str:
    title = one_line(title, NAME_MAX)
    return f"{title}, book {one_line(sequence, NAME_MAX)}" if sequence else title


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    clean = (one_line(text, 2 * NAME_MAX) for text in texts)
    return tuple([text for text in clean if text][:NAMES_MAX])
