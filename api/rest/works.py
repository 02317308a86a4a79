"""GET /api/works/{id}"""

from typing import Any, Final

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.catalogue import records, shown
from api.rest.anybody import AnybodysView
from api.rest.audiobooks import AudiobookSerializer
from catalog.models import Audiobook, Work

EDITIONS_MAX: Final = 200


class WorkSerializer(serializers.Serializer[Work]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    editions = AudiobookSerializer(many=True, help_text=f"The first {EDITIONS_MAX}, by date.")


class WorkView(AnybodysView, RetrieveAPIView[Work]):
    """A book with its editions: recordings, re-issues and marketplaces."""

    queryset = Work.objects.none()
    serializer_class = WorkSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        work = get_object_or_404(Work, pk=kwargs["pk"], hidden_at=None)
        editions = Audiobook.objects.shown().filter(work=work).order_by("release_date", "id")
        found = [shown(record) for record in records(editions)[:EDITIONS_MAX]]
        if not found:  # all of them are hidden
            raise Http404
        return Response({"id": work.id, "title": work.title, "editions": found})
