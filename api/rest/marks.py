"""/api/marks"""

from typing import Any

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest.given import Given
from api.rest.owned import OwnedViewSet
from catalog.marketplaces import CHOICES
from catalog.models import Audiobook, Mark
from notifications.marking import mark_work
from stalkerr import clock

_ID_MAX = 2**63 - 1


@extend_schema_field(serializers.ListField(child=serializers.DictField()))
class EditionsField(serializers.Field[Any, Any, Any, Any]):
    """All audiobooks the mark is about: marketplace and ASIN."""

    def to_representation(self, editions: Any) -> list[dict[str, str]]:
        shown = sorted((each.marketplace, each.asin) for each in editions.all())
        return [{"marketplace": marketplace, "asin": asin} for marketplace, asin in shown]


class MarkSerializer(Given[Mark]):
    id = serializers.IntegerField(read_only=True)
    kind = serializers.ChoiceField(choices=Mark.Kind.choices)
    work = serializers.IntegerField(
        source="work_id", required=False, min_value=1, max_value=_ID_MAX, help_text="By id."
    )
    audiobook = serializers.IntegerField(
        write_only=True, required=False, min_value=1, max_value=_ID_MAX, help_text="By id."
    )
    marketplace = serializers.ChoiceField(write_only=True, required=False, choices=CHOICES)
    asin = serializers.CharField(write_only=True, required=False, max_length=10)
    title = serializers.CharField(source="work.title", read_only=True)
    editions = EditionsField(source="work.audiobooks", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """Says of what: `work`, or `audiobook`, or `marketplace` with `asin`."""
        named = {
            name: values[field]
            for name, field in (("work_id", "work_id"), ("id", "audiobook"))
            if field in values
        }
        if "marketplace" in values and "asin" in values:
            named |= {"marketplace": values["marketplace"], "asin": values["asin"].upper()}
        audiobook = Audiobook.objects.filter(**named).order_by("id").first() if named else None
        if audiobook is None:
            raise serializers.ValidationError(
                "Name a known work, a known audiobook, or a marketplace with an ASIN sold there."
            )
        return {"kind": values["kind"], "audiobook": audiobook}


class MarkViewSet(OwnedViewSet[Mark]):
    """What you are not interested in, or have: you are not told of it again, in no edition."""

    serializer_class = MarkSerializer
    http_method_names = ("get", "post", "delete", "head", "options")

    def owned(self, user_id: int) -> QuerySet[Mark]:
        editions = Audiobook.objects.only("work_id", "marketplace", "asin")
        marks = Mark.objects.filter(user_id=user_id).select_related("work")
        return marks.prefetch_related(Prefetch("work__audiobooks", editions))

    @extend_schema(responses={201: MarkSerializer})
    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Mark a work; one that you marked before is marked anew."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        mark = mark_work(user=self.user, **serializer.validated_data, now=clock.now())
        shown = self.get_serializer(self.get_queryset().get(id=mark.id))
        return Response(shown.data, status=status.HTTP_201_CREATED)
