"""POST /api/watches/{id}/visit"""

from typing import Any, Final

from django.db import transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api.describing import problems
from api.rest.bulk import OwnedWatches
from api.rest.watches import look_soon
from api.throttling import limit_all, rule_of
from scraping.hurrying import Errand, bring_forward
from stalkerr import clock

PER_WATCH: Final = "1/30m"  # as long as an answer of a store is good for
PER_USER: Final = "20/h"  # a store is everybody's: who is in a hurry takes no more of its turns


class ErrandSerializer(serializers.Serializer[Errand]):
    marketplace = serializers.CharField()
    kind = serializers.CharField()
    query = serializers.CharField()
    state = serializers.ChoiceField(
        choices=["visiting", "waiting", "in_trouble"],
        help_text="Under way; not before `due_at`, in its turn; the store could not be seen lately, "
        "and is left alone until `due_at`.",
    )
    due_at = serializers.DateTimeField()
    visited_at = serializers.DateTimeField(allow_null=True, help_text="Last; null: not yet.")


class VisitSerializer(serializers.Serializer[Any]):
    visits = ErrandSerializer(many=True)


class VisitView(OwnedWatches):
    """Look for this watch as soon as may be, instead of when it would have been its turn.

    All that it needs is looked at for everybody, at most every half an hour, and each visit waits for
    its turn at the store. Once in half an hour for a watch, 20 times an hour for a user.
    """

    @extend_schema(
        operation_id="watches_visit",
        request=None,
        responses={202: VisitSerializer, **problems(503)},
    )
    def post(self, request: Request, pk: int) -> Response:
        watch = get_object_or_404(self.mine(), pk=pk)
        who = str(self.user.pk)
        rules = [
            rule_of(request, "visit of watch", PER_WATCH, f"{who} {watch.pk}"),
            rule_of(request, "visit", PER_USER, who),
        ]
        limit_all(request, rules, guarded=True)
        with transaction.atomic():
            visits = bring_forward(watch_id=watch.pk, now=clock.now())
            transaction.on_commit(look_soon)
        shown = VisitSerializer({"visits": visits}).data
        return Response(shown, status=status.HTTP_202_ACCEPTED)
