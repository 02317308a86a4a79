"""/api/admin/books: audiobooks as staff see and correct them."""

from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django_filters import CharFilter
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.catalogue import CatalogueFilter, IdFilter, Record, Rows, YesFilter, records, shown
from api.rest.admin.operators import OperatorsView, described, log, words_of
from api.rest.audiobooks import AudiobookSerializer
from api.rest.given import Given
from catalog.correcting import correct_audiobook
from catalog.corrections import CORRECTABLE
from catalog.models import Audiobook
from notifications.hiding import hide_audiobook, show_audiobook
from notifications.merging import split_edition
from stalkerr import clock

_MORE: Final = ("isbn", "corrections", "hidden_at", "work_pinned")
_LAST_YEAR: Final = 2099  # a later one stands for "unknown"


class StaffBookSerializer(AudiobookSerializer):
    """For the description only."""

    corrections = serializers.DictField(
        help_text="What staff have put right, by field: no store changes it."
    )
    hidden_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when it is not listed, fed or told."
    )
    work_pinned = serializers.BooleanField(help_text="Staff said which work it belongs to.")

    class Meta(AudiobookSerializer.Meta):
        fields = (*AudiobookSerializer.Meta.fields, *_MORE)  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class CorrectionSerializer(Given[Any]):
    """Facts as they are to be from now on; null: there is nothing to be said."""

    title = serializers.CharField(max_length=1000, required=False)
    subtitle = serializers.CharField(max_length=1000, required=False, allow_null=True)
    language = serializers.RegexField(
        r"^[a-z_]+$",
        max_length=50,
        required=False,
        allow_null=True,
        help_text="An English word in small letters, as stores say it: german, japanese …",
    )
    release_date = serializers.DateField(required=False, allow_null=True)
    publisher = serializers.CharField(max_length=500, required=False, allow_null=True)
    runtime_minutes = serializers.IntegerField(
        min_value=1, max_value=100_000, required=False, allow_null=True
    )
    cover_url = serializers.URLField(max_length=2000, required=False, allow_null=True)
    summary = serializers.CharField(max_length=20_000, required=False, allow_null=True)
    isbn = serializers.RegexField(
        r"^[0-9Xx][0-9Xx -]{8,18}[0-9Xx]$", max_length=20, required=False, allow_null=True
    )
    let_go = serializers.ListField(
        child=serializers.ChoiceField(choices=CORRECTABLE),
        required=False,
        max_length=len(CORRECTABLE),
        help_text="Corrections to take back: what the store says next counts again.",
    )

    def validate_release_date(self, day: Any) -> Any:
        if day is not None and day.year > _LAST_YEAR:
            raise serializers.ValidationError("Stores mean “unknown” by this; send null.")
        return day

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        both = set(values).intersection(values.get("let_go", ()))
        if both:
            raise serializers.ValidationError(f"Correct {min(both)} or let it go, not both.")
        return values


class BookFilter(CatalogueFilter):
    """Which of them."""

    asin = CharFilter("asin", max_length=10)
    work_id = IdFilter("work_id")
    hidden = YesFilter("hidden_at", "isnull", exclude=True, label="Hidden by staff, or not.")
    corrected = YesFilter(method="of_corrected", label="Corrected by staff, or not.")

    class Meta:
        model = Audiobook
        fields: tuple[str, ...] = ()

    def of_corrected(self, rows: Rows, _name: str, is_corrected: bool) -> Rows:  # noqa: FBT001
        return rows.exclude(corrections={}) if is_corrected else rows.filter(corrections={})


class BookListView(OperatorsView, GenericAPIView[Audiobook]):
    """All audiobooks, the newest here first, hidden ones too: what staff look for and put right."""

    queryset = Audiobook.objects.none()  # says of what
    serializer_class = StaffBookSerializer
    filterset_class = BookFilter
    keyset = ("-id",)

    @described("books_list", StaffBookSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = self.filter_queryset(Audiobook.objects.all())
        page: Any = self.paginate_queryset(records(rows, *_MORE))
        return self.get_paginated_response([_book(record) for record in page])


class BookView(OperatorsView):
    """One audiobook, hidden or not."""

    @described("books_read", StaffBookSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(found(pk))

    @described("books_correct", StaffBookSerializer, asked=CorrectionSerializer)
    @transaction.atomic
    def patch(self, request: Request, pk: int) -> Response:
        """Put facts right. They stay so whatever the store says later, and are no news themselves."""
        asked = CorrectionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        facts = {name: asked.data[name] for name in CORRECTABLE if name in asked.validated_data}
        let_go = asked.validated_data.get("let_go", [])
        audiobook = get_object_or_404(Audiobook, pk=pk)
        changes = correct_audiobook(
            audiobook=audiobook, facts=facts, let_go=let_go, now=clock.now()
        )
        words = [f"corrected {words_of(changes.items())}"] if changes else []
        words += [f"let go {', '.join(let_go)}"] if let_go else []
        if words:
            log(request, audiobook, "; ".join(words))
        return Response(found(pk))


class HideBookView(OperatorsView):
    """Nobody is shown it or told of it from now on; what is promised of it is taken back."""

    @described("books_hide", StaffBookSerializer)
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        audiobook = get_object_or_404(Audiobook, pk=pk)
        hide_audiobook(audiobook=audiobook, now=clock.now())
        return _done(request, audiobook, "hidden")


class UnhideBookView(OperatorsView):
    """It is there again. Where it is still to come, those who have not heard of it are told."""

    @described("books_unhide", StaffBookSerializer)
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        audiobook = get_object_or_404(Audiobook, pk=pk)
        show_audiobook(audiobook=audiobook)
        return _done(request, audiobook, "not hidden any more")


class SplitBookView(OperatorsView):
    """It is another book than the other editions of its work: it gets a work of its own, for good.

    Nobody is told again what they were told of either.
    """

    @described("books_split", StaffBookSerializer)
    @transaction.atomic
    def post(self, request: Request, pk: int) -> Response:
        audiobook = get_object_or_404(Audiobook, pk=pk)
        split_edition(audiobook=audiobook)
        return _done(request, audiobook, "split off its work")


def _done(request: Request, audiobook: Audiobook, words: str) -> Response:
    log(request, audiobook, words)
    return Response(found(audiobook.pk))


def found(pk: int) -> Record:
    """An audiobook as staff see it; Http404 where there is none."""
    record = records(Audiobook.objects.filter(pk=pk), *_MORE).first()
    if record is None:
        raise Http404
    return _book(record)


def books(rows: QuerySet[Audiobook], limit: int) -> list[Record]:
    """The first of them, in one statement."""
    return [_book(record) for record in records(rows, *_MORE)[:limit]]


def _book(record: Record) -> Record:
    return shown(record) | {name: record[name] for name in _MORE}
