"""/api/watches/bulk: many watches at once, all of them or none."""

from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from api.describing import problems
from api.rest.given import Given
from api.rest.owned import Owned
from api.rest.watches import WatchSerializer, look_soon
from api.throttling import limit
from catalog.models import Watch
from catalog.normalise import name_key
from catalog.watching import add_watches, end_watches, mute_watches
from notifications.registration import route_new
from stalkerr import clock

AT_ONCE: Final = 200
RATE: Final = "60/h"  # of one user, each of up to 200 watches
_ID_MAX: Final = 2**63 - 1


class WatchesSerializer(serializers.ListSerializer[Watch]):
    """Watches that are valid one by one, and that do not ask for the same."""

    def run_child_validation(self, data: Any) -> Any:
        child: Any = self.child
        child.initial_data = data  # what is given: the rest is as its user prefers
        return child.run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        watches = super().to_internal_value(data)
        errors: list[Any] = [{} for _ in watches]
        first: dict[tuple[str, str, str], int] = {}
        for place, asked in enumerate(watches):
            same = asked["kind"], name_key(asked["query"]) or asked["query"], asked["asin"]
            if first.setdefault(same, place) != place:
                errors[place] = {"query": [f"This is the same as number {first[same]}."]}
        if any(errors):
            raise serializers.ValidationError(errors)
        return watches


class BulkSerializer(Given[Any]):
    watches = WatchesSerializer(
        child=WatchSerializer(),
        allow_empty=False,
        max_length=AT_ONCE,
        help_text=f"Up to {AT_ONCE}.",
    )


class IdsSerializer(Given[Any]):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_ID_MAX),
        allow_empty=False,
        max_length=AT_ONCE,
        help_text="Watches of yours.",
    )


class ChangedSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="Those that were otherwise before.")


_CHANGED: dict[Any, Any] = {200: ChangedSerializer, **problems(404)}


class OwnedWatches(Owned[Watch]):
    def owned(self, user_id: int) -> QuerySet[Watch]:
        return Watch.objects.of(user_id)


class BulkView(OwnedWatches):
    """Make many watches at once: all of them, or none.

    Where one can't be made none is, and `errors` says what is wrong with each: `watches.3.query` is
    the query of the fourth.
    """

    @extend_schema(
        operation_id="watches_bulk", request=BulkSerializer, responses={201: BulkSerializer}
    )
    def post(self, request: Request) -> Response:
        limit(request, group="bulk", rate=RATE, who=str(self.user.pk))
        context = {"request": request}
        asked = BulkSerializer(data=request.data, context=context)
        asked.is_valid(raise_exception=True)
        with transaction.atomic():
            ids = self._make(asked.validated_data["watches"])
            transaction.on_commit(look_soon)
        made: Any = self.mine().filter(id__in=ids).prefetch_related("routes").order_by("id")
        shown = WatchSerializer(made, many=True, context=context).data
        return Response({"watches": shown}, status=status.HTTP_201_CREATED)

    def _make(self, asked: list[dict[str, Any]]) -> list[int]:
        chosen = [values.pop("channels") for values in asked]
        watches = [Watch(user=self.user, **values) for values in asked]
        add_watches(watches=watches)
        route_new(chosen=zip(watches, chosen, strict=True))
        return [watch.pk for watch in watches]


class ManyView(OwnedWatches):
    """One change of many watches; where one of them is not yours, nothing changes."""

    def _locked(self, request: Request) -> list[int]:
        """The ids that are asked for, their rows held. Raises NotFound if one is not there."""
        asked = IdsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ids = set(asked.validated_data["ids"])
        # In the order in which all who lock several do it.
        rows = self.mine().filter(id__in=ids).select_for_update(no_key=True).order_by("id")
        found = list(rows.values_list("id", flat=True))
        if missing := sorted(ids - set(found)):
            names = ", ".join(map(str, missing[:5]))
            raise NotFound(f"You have no watch {names}; nothing was changed.")
        return found


class MuteView(ManyView):
    """Pause watches: what they would have told is recorded, not told, and not told later."""

    @extend_schema(operation_id="watches_mute", request=IdsSerializer, responses=_CHANGED)
    @transaction.atomic
    def post(self, request: Request) -> Response:
        ids = self._locked(request)
        return Response({"changed": mute_watches(watch_ids=ids, muted=True, now=clock.now())})


class UnmuteView(ManyView):
    """Let paused watches be heard again, from now on."""

    @extend_schema(operation_id="watches_unmute", request=IdsSerializer, responses=_CHANGED)
    @transaction.atomic
    def post(self, request: Request) -> Response:
        ids = self._locked(request)
        return Response({"changed": mute_watches(watch_ids=ids, muted=False, now=clock.now())})


class DeleteView(ManyView):
    """Delete watches."""

    @extend_schema(operation_id="watches_delete", request=IdsSerializer, responses=_CHANGED)
    @transaction.atomic
    def post(self, request: Request) -> Response:
        ids = self._locked(request)
        end_watches(watch_ids=ids, now=clock.now())
        return Response({"changed": len(ids)})
