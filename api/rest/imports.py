"""/api/imports"""

from typing import Any, Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import TooLargeError
from api.parsers import FileParser
from api.rest.given import Given
from api.rest.owned import Owned
from api.rest.preferred import preferred
from api.throttling import IMPORTS, limit
from catalog import importing, marketplaces
from catalog.imports.reading import read
from catalog.imports.row import ROWS_MAX, UnreadableError
from catalog.models import Import, ImportItem
from catalog.models.watch import default_marketplaces
from stalkerr import clock
from workers.hints import hint_once

EXAMPLE: Final = """\
<opml version="2.0">
  <body><outline text="Ada Example" type="stalkerr" kind="author"/></body>
</opml>
"""
SHOWN: Final = 100  # items of each kind beside the counts; the rest is at /items
_FORM: Final = 10_000  # bytes that a form may add to the file in it
_ID_MAX: Final = 2**63 - 1


class ImportItemSerializer(serializers.Serializer[ImportItem]):
    id = serializers.IntegerField(read_only=True)
    kind = serializers.ChoiceField(choices=ImportItem.Kind.choices)
    title = serializers.CharField(help_text="Of a watch its query, else of the title.")
    watch_kind = serializers.CharField(help_text="author, series, …; empty where it is no watch.")
    asin = serializers.CharField()
    titles = serializers.IntegerField(help_text="In the file, that this watch is for.")
    audiobook = serializers.IntegerField(
        source="audiobook_id", allow_null=True, help_text="By id: what is marked as heard."
    )
    reason = serializers.CharField(help_text="Why it is unresolved.")
    is_chosen = serializers.BooleanField()
    done_at = serializers.DateTimeField(allow_null=True)


class ImportSerializer(serializers.Serializer[Import]):
    id = serializers.IntegerField(read_only=True)
    kind = serializers.CharField(help_text="What the file was found to be: goodreads, opml, …")
    state = serializers.ChoiceField(choices=Import.State.choices)
    watches = serializers.IntegerField(source="watch_count", help_text="That it can make.")
    marks = serializers.IntegerField(
        source="mark_count", help_text="Known titles that were heard already."
    )
    unresolved = serializers.IntegerField(source="unresolved_count")
    known = serializers.IntegerField(help_text="Authors and series that you watch already.")
    chosen = serializers.IntegerField(source="chosen_count")
    done = serializers.IntegerField(source="done_count", help_text="Of those chosen.")
    created_at = serializers.DateTimeField()
    applied_at = serializers.DateTimeField(allow_null=True)


class ImportPreviewSerializer(ImportSerializer):
    preview = serializers.SerializerMethodField(
        help_text=f"The first {SHOWN} items of each kind; all are at `/items`."
    )

    @extend_schema_field(serializers.DictField(child=ImportItemSerializer(many=True)))
    def get_preview(self, imported: Import) -> dict[str, Any]:
        rows = imported.items.order_by("id")
        shown: dict[str, Any] = {kind: rows.filter(kind=kind) for kind in ImportItem.Kind.values}
        return {
            kind: ImportItemSerializer(items[:SHOWN], many=True).data
            for kind, items in shown.items()
        }


class ApplySerializer(Given[Any]):
    items = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_ID_MAX),
        max_length=2 * ROWS_MAX,
        allow_null=True,
        default=None,
        help_text="Watches and marks to make, by id; null: all of them.",
    )
    marketplaces = serializers.ListField(
        child=serializers.ChoiceField(choices=marketplaces.CHOICES),
        allow_empty=False,
        default=preferred("marketplaces", default_marketplaces),
        help_text="Of the watches that are made.",
    )


class OwnedImports(Owned[Import]):
    def owned(self, user_id: int) -> QuerySet[Import]:
        return Import.objects.of(user_id).counted()


class ImportsView(OwnedImports, ListAPIView[Import]):
    """Files that you brought, newest first."""

    serializer_class = ImportSerializer
    parser_classes = (MultiPartParser, FileParser)
    keyset = ("-id",)

    def get_queryset(self) -> QuerySet[Import]:
        return self.mine()

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            },
            "application/octet-stream": {"type": "string", "format": "binary"},
        },
        responses={201: ImportPreviewSerializer},
        examples=[
            OpenApiExample(
                "OPML", EXAMPLE, request_only=True, media_type="application/octet-stream"
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """What a file would make: the body is the file, or a form with it as `file`.

        Exports of Goodreads, StoryGraph, audible-cli, Libation, Audiobookshelf and Stalkerr, and
        OPML, also zipped. Nothing is made before you apply it.
        """
        limit(request, group="import", rate=IMPORTS, who=str(self.user.pk))
        try:
            reading = read(_file(request), limit=settings.IMPORT_MAX_BYTES)
        except UnreadableError as error:
            raise ValidationError({"file": [str(error)]}) from error
        imported = importing.prepare(user=self.user, reading=reading, now=clock.now())
        shown = ImportPreviewSerializer(self.mine().get(id=imported.pk))
        return Response(shown.data, status=status.HTTP_201_CREATED)


class ImportView(OwnedImports):
    """One file: what it would make, and how far that has got."""

    @extend_schema(operation_id="imports_retrieve", responses=ImportPreviewSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(ImportPreviewSerializer(get_object_or_404(self.mine(), pk=pk)).data)


class ImportItemsView(OwnedImports, ListAPIView[ImportItem]):
    """All that a file would make, and what it can't and why."""

    serializer_class = ImportItemSerializer
    keyset = ("id",)

    @extend_schema(operation_id="imports_items_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        get_object_or_404(self.mine(), pk=kwargs["pk"])
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ImportItem]:
        return ImportItem.objects.filter(
            imported__in=self.mine().filter(pk=self.kwargs.get("pk", 0))
        )


class ApplyView(OwnedImports):
    """Have the chosen items made. It goes on by itself, and may be asked again: nothing is made twice."""

    @extend_schema(
        operation_id="imports_apply", request=ApplySerializer, responses={202: ImportSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        imported = get_object_or_404(Import.objects.of(self.user.pk), pk=pk)
        asked = ApplySerializer(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        codes = list(dict.fromkeys(asked.validated_data["marketplaces"]))
        with transaction.atomic():
            importing.begin(
                imported=imported, chosen=asked.validated_data["items"], marketplaces=codes
            )
            transaction.on_commit(_make_soon)
        shown = ImportSerializer(self.mine().get(id=pk))
        return Response(shown.data, status=status.HTTP_202_ACCEPTED)


def _make_soon() -> None:
    """The tick would find it too."""
    hint_once("catalog.apply_import", "scrape")


def _file(request: Request) -> bytes:
    """The file, by itself or in a form; refused by what it says of its size before it is read."""
    size = request.META.get("CONTENT_LENGTH") or "0"
    if not size.isdecimal() or int(size) > settings.IMPORT_MAX_BYTES + _FORM:
        raise TooLargeError(f"{settings.IMPORT_MAX_BYTES} bytes are the limit.")
    body: Any = request.data
    if isinstance(body, bytes):
        return body
    file = body.get("file")
    if not isinstance(file, UploadedFile):
        raise ValidationError({"file": ["Send a file by this name, or as the body itself."]})
    return bytes(file.read(settings.IMPORT_MAX_BYTES + 1))
