"""The upcoming titles as a plain view of REST framework has them: nested serializers, prefetched."""

# ruff: noqa: E402 (models need Django set up)

import os
from typing import Any

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.test")
django.setup()
settings.ROOT_URLCONF = __name__

from django.core.asgi import get_asgi_application
from django.urls import path
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import AllowAny

from catalog.models import Audiobook, Contributor, Credit, Series, SeriesEntry
from stalkerr import clock


class ContributorSerializer(serializers.ModelSerializer[Contributor]):
    class Meta:
        model = Contributor
        fields = ("name",)


class CreditSerializer(serializers.ModelSerializer[Credit]):
    contributor = ContributorSerializer()

    class Meta:
        model = Credit
        fields = ("role", "contributor")


class SeriesSerializer(serializers.ModelSerializer[Series]):
    class Meta:
        model = Series
        fields = ("title", "asin")


class EntrySerializer(serializers.ModelSerializer[SeriesEntry]):
    series = SeriesSerializer()

    class Meta:
        model = SeriesEntry
        fields = ("series", "sequence")


class AudiobookSerializer(serializers.ModelSerializer[Audiobook]):
    credits = CreditSerializer(many=True)
    places = EntrySerializer(many=True)

    class Meta:
        model = Audiobook
        fields = (
            *("marketplace", "asin", "title", "subtitle", "credits", "places", "release_date"),
            *("language", "publisher", "runtime_minutes", "format_type", "cover_url", "url"),
            *("summary", "first_seen_at"),
        )


class Fifty(LimitOffsetPagination):
    default_limit = 50

    def get_count(self, _rows: Any) -> int:
        return 50  # nobody counts here: that would be unfair


class PlainView(ListAPIView[Audiobook]):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = ()
    filter_backends = ()
    pagination_class = Fifty
    serializer_class = AudiobookSerializer

    def get_queryset(self) -> Any:
        related = ("credits__contributor", "places__series")
        return Audiobook.objects.upcoming(clock.now()).prefetch_related(*related)


urlpatterns = [path("plain", PlainView.as_view())]
application = get_asgi_application()
