"""/api/admin/works: books with all their editions, as staff put them together and hide them."""

from typing import Any, Final

from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest.admin.books import StaffBookSerializer, books
from api.rest.admin.operators import ID_MAX, OperatorsView, described, log
from api.rest.given import Given
from catalog.models import Audiobook, Work
from notifications.hiding import hide_work, show_work
from notifications.merging import join_works
from stalkerr import clock

EDITIONS_MAX: Final = 200
MERGED_MAX: Final = 20  # at once


class StaffWorkSerializer(serializers.Serializer[Work]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    hidden_at = serializers.DateTimeField(allow_null=True)
    editions = StaffBookSerializer(many=True, help_text=f"The first {EDITIONS_MAX}, by date.")


class MergeSerializer(Given[Any]):
    works = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=ID_MAX),
        min_length=1,
        max_length=MERGED_MAX,
        help_text="By id: what becomes part of this one.",
    )


class StaffWorkView(OperatorsView):
    """A work with all its editions, hidden or not."""

    @described("works_read", StaffWorkSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(_shown(get_object_or_404(Work, pk=pk)))


class MergeView(OperatorsView):
    """These works are the same book: their editions become this one's, and stay together.

    Nobody is told anything for it: what was told of one counts as told of all.
    """

    @described("works_merge", StaffWorkSerializer, asked=MergeSerializer)
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        asked = MergeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        into = get_object_or_404(Work, pk=pk)
        works = _others(into, asked.validated_data["works"])
        join_works(into=into, works=works)
        for work in works:
            log(request, into, f"merged work {work.id} ({work.title})"[:1000])
        return Response(_shown(into))


def _others(into: Work, ids: list[int]) -> list[Work]:
    works = list(Work.objects.filter(id__in=ids).order_by("id"))
    missing = sorted({*ids} - {work.id for work in works})
    if missing or into in works:
        sentence = f"There is no work {missing[0]}." if missing else "This is the work itself."
        raise serializers.ValidationError({"works": sentence})
    return works


class HideWorkView(OperatorsView):
    """Nobody is shown any edition of it or told of one, also of those that are found later."""

    @described("works_hide", StaffWorkSerializer)
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        work = get_object_or_404(Work, pk=pk)
        hide_work(work=work, now=clock.now())
        return _done(request, work, "hidden")


class UnhideWorkView(OperatorsView):
    """All its editions are there again, also those that were hidden one by one."""

    @described("works_unhide", StaffWorkSerializer)
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        work = get_object_or_404(Work, pk=pk)
        show_work(work=work)
        return _done(request, work, "not hidden any more")


def _done(request: Request, work: Work, words: str) -> Response:
    log(request, work, words)
    work.refresh_from_db()
    return Response(_shown(work))


def _shown(work: Work) -> dict[str, Any]:
    editions = Audiobook.objects.filter(work=work.id).order_by("release_date", "id")
    return {
        "id": work.id,
        "title": work.title,
        "hidden_at": work.hidden_at,
        "editions": books(editions, EDITIONS_MAX),
    }
