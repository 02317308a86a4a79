"""The titles still to come: one question, asked by REST, by feeds and by the start page."""

import datetime as dt
from collections.abc import Mapping

from django.db.models import Exists, OuterRef, Prefetch, Q
from django.http import QueryDict
from django_filters import CharFilter, DateFilter

from api.catalogue import TEXT_MAX, CatalogueFilter, Rows
from catalog.models import Audiobook, Credit, SeriesEntry
from catalog.normalise import fold

# Of no use to a reader, and most of a row's bytes.
_UNREAD = ("metadata", "match_keys", "folded", "search_vector", "genres")


class UpcomingFilter(CatalogueFilter):
    """Which of them."""

    from_date = DateFilter("release_date", "gte", label="Out on this day or later.")
    to_date = DateFilter("release_date", "lte", label="Out on this day or earlier.")
    author = CharFilter(method="of_author", max_length=TEXT_MAX, label="Part of a name.")
    series = CharFilter(method="of_series", max_length=TEXT_MAX, label="Part of a title.")

    class Meta:
        model = Audiobook
        fields: tuple[str, ...] = ()

    def of_author(self, rows: Rows, _name: str, text: str) -> Rows:
        credits = Credit.objects.filter(
            audiobook=OuterRef("pk"), role="author", contributor__name_key__contains=fold(text)
        )
        return rows.filter(_sayable(text), Exists(credits))

    def of_series(self, rows: Rows, _name: str, text: str) -> Rows:
        places = SeriesEntry.objects.filter(
            audiobook=OuterRef("pk"), series__title_key__contains=fold(text)
        )
        return rows.filter(_sayable(text), Exists(places))


def _sayable(text: str) -> Q:
    """Nothing is named by punctuation alone."""
    return Q() if fold(text) else Q(pk__in=[])


def upcoming_rows(now: dt.datetime) -> Rows:
    """The upcoming audiobooks with their people and series, soonest first, in three statements."""
    people = Credit.objects.select_related("contributor").order_by("position")
    places = SeriesEntry.objects.select_related("series").order_by("id")
    return (
        Audiobook.objects.upcoming(now)
        .defer(*_UNREAD)
        .prefetch_related(Prefetch("credits", people), Prefetch("places", places))
    )


def filter_rows(rows: Rows, asked: QueryDict) -> tuple[Rows, Mapping[str, list[str]]]:
    """Those of `rows` that a query string asks for; or what is wrong with it, by parameter."""
    filters = UpcomingFilter(asked, rows)
    if filters.is_valid():
        return filters.qs, {}
    return rows.none(), dict(filters.errors)


def people(audiobook: Audiobook, role: str) -> list[str]:
    """The names of those with that role, in the store's order."""
    return [each.contributor.name for each in audiobook.credits.all() if each.role == role]


def places(audiobook: Audiobook) -> list[str]:
    """Its series, each with its place there."""
    return [
        f"{each.series.title}, book {each.sequence}" if each.sequence else each.series.title
        for each in audiobook.places.all()
    ]
