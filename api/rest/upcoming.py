"""GET /api/upcoming"""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from api.catalogue import Rows
from api.rest.upcoming_page import page_of, tag_of
from api.upcoming import UpcomingFilter
from catalog.models import Audiobook, SeriesEntry
from stalkerr import clock, sql


class PlaceSerializer(serializers.ModelSerializer[SeriesEntry]):
    title = serializers.CharField(source="series.title")
    asin = serializers.CharField(source="series.asin")

    class Meta:
        model = SeriesEntry
        fields = ("title", "asin", "sequence")


class UpcomingSerializer(serializers.ModelSerializer[Audiobook]):
    """For the description only: answers are made by the database (api/rest/upcoming_page.py)."""

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

    def get_queryset(self) -> Rows:
        return Audiobook.objects.upcoming(clock.now())

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        rows: Any = self.filter_queryset(self.get_queryset())
        page = page_of(rows, request.query_params)
        (row,) = sql.rows(page.statement, page.parameters)
        body = page.body(row, request.build_absolute_uri())
        response = HttpResponse(
            body, content_type="application/json", headers={"ETag": tag_of(body)}
        )
        return (
            get_conditional_response(request._request, tag_of(body), response=response) or response
        )
