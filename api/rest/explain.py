"""GET /api/explain"""

from typing import Any, Final

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from api.describing import problems
from api.throttling import limit
from catalog.marketplaces import CHOICES
from catalog.models import Audiobook, Watch
from scraping import fields
from stalkerr import clock
from workers.explain import Place, editions, explain_to, reading

RATE: Final = "300/h"  # of one user
_ID_MAX: Final = 2**63 - 1


def _id(what: str) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=_ID_MAX, required=False, help_text=what)


class QuestionSerializer(serializers.Serializer[Any]):
    work = _id("All editions of a work, by its id.")
    audiobook = _id("One edition, by its id.")
    marketplace = serializers.ChoiceField(choices=CHOICES, required=False)
    asin = serializers.CharField(
        max_length=10, required=False, help_text="One edition, with its marketplace."
    )
    watch = _id("This watch of yours only, also where it shares nothing with the title.")

    def validate_asin(self, text: str) -> str:
        asin = fields.asin(text)
        if asin is None:
            raise serializers.ValidationError("This is not an ASIN: ten capitals and digits.")
        return asin

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        named = values.keys() - {"watch"}
        if named not in ({"work"}, {"audiobook"}, {"marketplace", "asin"}):
            raise serializers.ValidationError(
                "Name a work, or an audiobook, or a marketplace with an ASIN."
            )
        return values


class StepSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    mark = serializers.CharField(help_text="passed, stopped, or unknown: nobody can know.")
    text = serializers.CharField()


class WaySerializer(serializers.Serializer[Any]):
    watch = serializers.IntegerField(source="watch.pk")
    asks = serializers.CharField(source="watch", help_text="What the watch is for.")
    marketplace = serializers.CharField()
    asin = serializers.CharField()
    outcome = serializers.CharField(help_text="told, waiting, stopped or unknown.")
    verdict = serializers.CharField(help_text="The step that decided it.")
    steps = StepSerializer(many=True)


class AnswerSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField(help_text="Of the way that came furthest.")
    summary = serializers.CharField()
    ways = WaySerializer(many=True, help_text="One for each watch and edition, ten at most.")
    left_out = serializers.IntegerField(help_text="How many more there are.")


class ExplainView(APIView):
    """Why you heard of a title, or did not: the way it took to each watch it could concern."""

    @extend_schema(
        parameters=[QuestionSerializer], responses={200: AnswerSerializer, **problems(404)}
    )
    def get(self, request: Request) -> Response:
        if not isinstance(request.user, User):
            raise NotAuthenticated
        question = QuestionSerializer(data=request.query_params)
        question.is_valid(raise_exception=True)
        user_id, asked = request.user.pk, question.validated_data
        limit(request, group="explain", rate=RATE, who=str(user_id))
        now = clock.now()
        with reading():
            watch_id = _own(user_id, asked.get("watch"))
            places = _places(asked)
            answer = explain_to(user_id=user_id, places=places, watch_id=watch_id, now=now)
            return Response(AnswerSerializer(answer).data)


def _own(user_id: int, watch_id: int | None) -> int | None:
    if watch_id is not None and not Watch.objects.of(user_id).filter(id=watch_id).exists():
        raise Http404
    return watch_id


def _places(asked: dict[str, Any]) -> list[Place]:
    """The editions asked about; one named by its ASIN need not be known."""
    if "asin" in asked:
        return [(asked["marketplace"], asked["asin"])]
    if "work" in asked:
        found = editions(work_id=asked["work"])
    else:
        one = Audiobook.objects.filter(id=asked["audiobook"])
        found = list(one.values_list("marketplace", "asin"))
    if not found:
        raise Http404
    return found
