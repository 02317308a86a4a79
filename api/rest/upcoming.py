"""GET /api/upcoming"""

from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny

from api.upcoming import Rows, UpcomingFilter, people, upcoming_rows
from catalog.models import Audiobook, SeriesEntry
from stalkerr import clock


class PlaceSerializer(serializers.ModelSerializer[SeriesEntry]):
    title = serializers.CharField(source="series.title")
    asin = serializers.CharField(source="series.asin")

    class Meta:
        model = SeriesEntry
        fields = ("title", "asin", "sequence")


class UpcomingSerializer(serializers.ModelSerializer[Audiobook]):
    authors = serializers.SerializerMethodField()
    narrators = serializers.SerializerMethodField()
    series = PlaceSerializer(source="places", many=True)

    class Meta:
        model = Audiobook
        fields = (
            *("marketplace", "asin", "title", "subtitle", "authors", "narrators", "series"),
            *("release_date", "language", "publisher", "runtime_minutes", "format_type"),
            *("cover_url", "url", "summary", "first_seen_at"),
        )
        read_only_fields = fields

    def get_authors(self, audiobook: Audiobook) -> list[str]:
        return people(audiobook, "author")

    def get_narrators(self, audiobook: Audiobook) -> list[str]:
        return people(audiobook, "narrator")


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
        return upcoming_rows(clock.now())
