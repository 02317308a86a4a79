"""/api/series"""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from django_filters import CharFilter, FilterSet
from django_filters import MultipleChoiceFilter as ChoicesFilter
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.catalogue import TEXT_MAX
from api.rest.anybody import AnybodysView
from catalog import marketplaces
from catalog.classify import KINDS
from catalog.models import Series, SeriesEntry
from catalog.normalise import name_key
from catalog.series_order import gaps, span
from stalkerr import clock

ENTRIES_MAX: Final = 2000  # the longest series of magazine stories have more than 3,000

Record = dict[str, Any]


class SeriesFilter(FilterSet):
    """Which of them."""

    marketplace = ChoicesFilter(choices=marketplaces.CHOICES, distinct=False)
    q = CharFilter(
        method="of_title",
        max_length=TEXT_MAX,
        label="The beginning of a title, whatever its case, accents and punctuation.",
    )

    class Meta:
        model = Series
        fields: tuple[str, ...] = ()

    def of_title(self, rows: QuerySet[Series], _name: str, text: str) -> QuerySet[Series]:
        key = name_key(text)
        return rows.filter(title_key__startswith=key) if key else rows.none()


class SeriesSerializer(serializers.Serializer[Series]):
    id = serializers.IntegerField(help_text="`series_id` of /api/audiobooks.")
    marketplace = serializers.ChoiceField(choices=marketplaces.CHOICES)
    asin = serializers.CharField()
    title = serializers.CharField()
    entries = serializers.IntegerField(help_text="How many audiobooks it has.")


class SeriesListView(AnybodysView, ListAPIView[Series]):
    """All series, by title; the same one has a row in each marketplace."""

    queryset = Series.objects.none()  # says of what
    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter
    keyset = ("title_key", "id")

    def get_queryset(self) -> QuerySet[Series]:
        return Series.objects.all()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        shown = SeriesEntry.objects.filter(series=OuterRef("pk"), audiobook__hidden_at=None)
        entries = shown.order_by().values("series")
        counted = Coalesce(Subquery(entries.annotate(count=Count("*")).values("count")), 0)
        rows = self.filter_queryset(self.get_queryset()).annotate(entry_count=counted)
        page: Any = self.paginate_queryset(
            rows.values("id", "marketplace", "asin", "title", "title_key", "entry_count")
        )
        return self.get_paginated_response(
            [_row(record) | {"entries": record["entry_count"]} for record in page]
        )


class EntrySerializer(serializers.Serializer[Any]):
    audiobook_id = serializers.IntegerField()
    work_id = serializers.IntegerField()
    asin = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    sequence = serializers.CharField(help_text="As sold, such as 1-3; empty: not numbered.")
    position = serializers.FloatField(allow_null=True)
    release_date = serializers.DateField(allow_null=True)
    out_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)


class GapSerializer(serializers.Serializer[Any]):
    first = serializers.IntegerField()
    last = serializers.IntegerField()


class SiblingSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    marketplace = serializers.ChoiceField(choices=marketplaces.CHOICES)
    asin = serializers.CharField()
    title = serializers.CharField()


class WholeSeriesSerializer(SiblingSerializer):
    elsewhere = SiblingSerializer(many=True, help_text="The same series in other marketplaces.")
    entries = EntrySerializer(
        many=True, help_text=f"In the series' order, {ENTRIES_MAX} at most; not numbered ones last."
    )
    gaps = GapSerializer(
        many=True, help_text="Whole numbers that nothing announced or on sale there has."
    )
    next = EntrySerializer(
        allow_null=True, help_text="The one that comes out soonest; null: none is announced."
    )


class SeriesView(AnybodysView, RetrieveAPIView[Series]):
    """A series in its order: what there is, what is missing, what is next."""

    queryset = Series.objects.none()
    serializer_class = WholeSeriesSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        series = get_object_or_404(Series, pk=kwargs["pk"])
        entries = _entries(series)
        sold = [entry for entry in entries if entry["withdrawn_at"] is None]
        covered = [span(entry["sequence"], entry["position"]) for entry in sold]
        missing = gaps(each for each in covered if each)
        return Response(
            {
                **{name: getattr(series, name) for name in _OF_SERIES},
                "elsewhere": _elsewhere(series),
                "entries": [_shown(entry) for entry in entries],
                "gaps": [{"first": first, "last": last} for first, last in missing],
                "next": _next(sold, series.marketplace),
            }
        )


_OF_SERIES = ("id", "marketplace", "asin", "title")
_OF_AUDIOBOOK = ("work_id", "asin", "title", "kind", "release_date", "out_at", "withdrawn_at")


def _row(record: Record) -> Record:
    return {name: record[name] for name in _OF_SERIES}


def _entries(series: Series) -> list[Record]:
    facts = {name: F(f"audiobook__{name}") for name in _OF_AUDIOBOOK}
    shown = SeriesEntry.objects.filter(series=series, audiobook__hidden_at=None)
    entries = shown.order_by(
        F("position").asc(nulls_last=True), F("audiobook__release_date").asc(nulls_last=True), "id"
    )
    rows: Any = entries.values("audiobook_id", "sequence", "position", **facts)
    return list(rows[:ENTRIES_MAX])


def _shown(entry: Record) -> Record:
    position = entry["position"]
    return entry | {"position": None if position is None else float(position)}


def _next(sold: Sequence[Record], marketplace: str) -> Record | None:
    """The soonest of those not out yet by the store's calendar; undated ones come after all."""
    today = marketplaces.store_date(marketplace, clock.now())
    dated = [entry for entry in sold if entry["release_date"] and entry["release_date"] > today]
    undated = [entry for entry in sold if not entry["release_date"] and not entry["out_at"]]
    soonest = min(dated, key=lambda entry: entry["release_date"], default=None)
    entry = soonest or next(iter(undated), None)
    return _shown(entry) if entry else None


def _elsewhere(series: Series) -> list[Record]:
    others = Series.objects.filter(~Q(group=None), group=series.group_id).exclude(pk=series.pk)
    rows: Any = others.order_by("marketplace", "id").values(*_OF_SERIES)
    return list(rows)
