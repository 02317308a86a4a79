"""/api/audiobooks"""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.catalogue import (
    MORE_COLUMNS,
    AudiobookFilter,
    Rows,
    keyset,
    records,
    shown,
    shown_whole,
)
from api.rest.anybody import AnybodysView
from api.rest.upcoming import UpcomingSerializer
from catalog.models import Audiobook, ReleaseEvent
from catalog.models.watch import HEARABLE
from catalog.roles import ROLES


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    asin = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=ROLES)


class SeriesPlaceSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    asin = serializers.CharField()
    title = serializers.CharField()
    sequence = serializers.CharField(help_text="As sold, such as 1-3; empty: not numbered.")


class GenreSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class AudiobookSerializer(UpcomingSerializer):
    """What lists show; for the description only, answers are made by the database."""

    people = PersonSerializer(many=True)
    series = SeriesPlaceSerializer(many=True)  # type: ignore[assignment]

    class Meta(UpcomingSerializer.Meta):
        fields = (  # type: ignore[assignment]
            *("id", "work_id", *UpcomingSerializer.Meta.fields),
            *("kind", "voice", "out_at", "withdrawn_at", "people"),
        )
        read_only_fields = fields  # type: ignore[assignment]


class WholeAudiobookSerializer(AudiobookSerializer):
    """For the description only, too."""

    genres = GenreSerializer(many=True)
    last_checked_at = serializers.DateTimeField(
        allow_null=True, help_text="When the store last showed it."
    )

    class Meta(AudiobookSerializer.Meta):
        fields = (*AudiobookSerializer.Meta.fields, *MORE_COLUMNS)  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class AudiobookListView(AnybodysView, ListAPIView[Audiobook]):
    """All audiobooks there are, out or to come, also those that were withdrawn.

    A search's hits come nearest first, otherwise the latest date comes first; see `ordering`.
    Without a token: 600 requests an hour from one address, over the whole catalogue.
    """

    queryset = Audiobook.objects.none()  # says of what
    serializer_class = AudiobookSerializer
    filterset_class = AudiobookFilter

    @property
    def keyset(self) -> tuple[str, str]:
        return keyset(self.request.query_params)

    def get_queryset(self) -> Rows:
        return Audiobook.objects.shown().sortable()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        keys = [name.lstrip("-") for name in self.keyset]
        page: Any = self.paginate_queryset(
            records(self.filter_queryset(self.get_queryset()), *keys)
        )
        return self.get_paginated_response([shown(record) for record in page])


class AudiobookView(AnybodysView, RetrieveAPIView[Audiobook]):
    """All that is known of one audiobook."""

    queryset = Audiobook.objects.none()
    serializer_class = WholeAudiobookSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = records(Audiobook.objects.shown().filter(pk=kwargs["pk"]), *MORE_COLUMNS).first()
        if record is None:
            raise Http404
        return Response(shown_whole(record))


class HistorySerializer(serializers.Serializer[ReleaseEvent]):
    event_id = serializers.IntegerField(source="id", help_text="As in webhooks and /api/events.")
    revision = serializers.IntegerField(help_text="1, 2, 3 … of this audiobook; some are missing.")
    kind = serializers.ChoiceField(choices=HEARABLE)
    seen_at = serializers.DateTimeField(help_text="When we saw it.")
    old_date = serializers.DateField(allow_null=True)
    new_date = serializers.DateField(allow_null=True)
    found_late = serializers.BooleanField(help_text="Out, or announced long, before we saw it.")
    unconfirmed = serializers.BooleanField(
        help_text="Out by its date; the store could not be asked."
    )


class HistoryView(AnybodysView, ListAPIView[ReleaseEvent]):
    """What happened to an audiobook, oldest first: each piece of news that was published.

    Reminders are not in it, nor news that a person called untrue.
    """

    queryset = ReleaseEvent.objects.none()
    serializer_class = HistorySerializer
    filter_backends = ()
    keyset = ("revision",)

    def get_queryset(self) -> QuerySet[ReleaseEvent]:
        audiobook_id = self.kwargs["pk"]
        if not Audiobook.objects.shown().filter(pk=audiobook_id).exists():
            raise Http404
        return ReleaseEvent.objects.public().filter(audiobook=audiobook_id)

    @extend_schema(operation_id="audiobooks_history")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
