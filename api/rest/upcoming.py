"""GET /api/upcoming"""

from typing import Any

from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from api.catalogue import Record, Rows, records, shown
from api.upcoming import UpcomingFilter
from catalog.models import Audiobook, SeriesEntry
from stalkerr import clock


class PlaceSerializer(serializers.ModelSerializer[SeriesEntry]):
    title = serializers.CharField(source="series.title")
    asin = serializers.CharField(source="series.asin")

    class Meta:
        model = SeriesEntry
        fields = ("title", "asin", "sequence")


class UpcomingSerializer(serializers.ModelSerializer[Audiobook]):
    """For the description only: answers are made by the database (api/catalogue.py)."""

    authors = serializers.ListField(child=serializers.CharField())
    narrators = serializers.ListField(child=serializers.CharField())
    series = PlaceSerializer(source="places", many=True)

    class Meta:
        model = Audiobook
        fields = (
            *("marketplace", "asin", "title", "subtitle", "authors", "narrators", "series"),
            *("release_date", "language", "publisher", "runtime_minutes", "format_type"),
            *("cover_url", "url", "summary", "first_seen_at"),
        )
        read_only_fields = fields


class UpcomingView(ListAPIView[Audiobook]):
    """Titles that are not out yet, soonest first.

    A day is a day on the calendar of the title's own store. Without a token: 100 requests an hour
    from one address.
    """

    permission_classes = (AllowAny,)
    anonymous_group = "upcoming"
    queryset = Audiobook.objects.none()  # says of what; which, is asked anew each time
    serializer_class = UpcomingSerializer
    filterset_class = UpcomingFilter
    keyset = ("release_date", "id")

    def get_queryset(self) -> Rows:
        return Audiobook.objects.upcoming(clock.now())

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows: Any = self.filter_queryset(self.get_queryset())
        page: Any = self.paginate_queryset(records(rows))
        return self.get_paginated_response([_shown(record) for record in page])


def _shown(record: Record) -> Record:
    whole = shown(record)
    places = [
        {name: place[name] for name in PlaceSerializer.Meta.fields} for place in whole["series"]
    ]
    return {name: whole[name] for name in UpcomingSerializer.Meta.fields} | {"series": places}
