"""GET /api/events"""

from typing import Any, Final

from django.db.models import Max
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import marketplaces
from catalog.models import ReleaseEvent
from catalog.models.watch import HEARABLE
from notifications.channels.webhook import body_of
from notifications.contents import release_contents

LIMIT: Final = 50
LIMIT_MAX: Final = 200
LOOKED_AT: Final = 10_000  # events a request looks at, however few of them pass its filters
_ID_MAX: Final = 2**63 - 1


class AskedSerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        min_value=0, max_value=_ID_MAX, default=0, help_text="`next` of the answer before; 0: all."
    )
    limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, default=LIMIT)
    marketplace = serializers.ChoiceField(choices=marketplaces.CHOICES, required=False)
    kind = serializers.ChoiceField(choices=HEARABLE, required=False)


class EventsSerializer(serializers.Serializer[Any]):
    next = serializers.IntegerField(
        help_text="What to ask for next as `after`; the same again: nothing has come since."
    )
    results = serializers.ListField(
        child=serializers.DictField(),
        help_text="Each as a webhook has it (webhook-v1.schema.json), its moment when it was seen.",
    )


class EventsView(APIView):
    """All news in the order in which it was published, oldest first: for programs that keep up.

    Begin with `after=0` and go on with each answer's `next`; nothing is left out or comes twice,
    whatever is published meanwhile. Reminders are not in it.
    """

    @extend_schema(parameters=[AskedSerializer], responses=EventsSerializer)
    def get(self, request: Request) -> Response:
        asked = AskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(_page(**asked.validated_data))


def _page(*, after: int, limit: int, **filters: str) -> dict[str, Any]:
    """At most `limit` events behind `after`, and how far that got."""
    # Read first: whatever has a number up to this one can be seen by the statement after it.
    newest = ReleaseEvent.objects.aggregate(newest=Max("published_seq"))["newest"] or 0
    through = max(after, min(newest, after + LOOKED_AT))
    events = _told(after, through, **filters).values_list("id", "published_seq", "seen_at")[:limit]
    rows = list(events)
    contents = release_contents([event_id for event_id, _, _ in rows])
    return {
        "next": rows[-1][1] if len(rows) == limit else through,
        "results": [
            body_of(contents[event_id], seen_at)
            for event_id, _, seen_at in rows
            if event_id in contents
        ],
    }


def _told(after: int, through: int, marketplace: str = "", kind: str = "") -> Any:
    events = ReleaseEvent.objects.public()
    if marketplace:
        events = events.filter(audiobook__marketplace=marketplace)
    if kind:
        events = events.filter(kind=kind)
    return events.filter(published_seq__gt=after, published_seq__lte=through).order_by(
        "published_seq"
    )
