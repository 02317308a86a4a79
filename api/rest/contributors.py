"""GET /api/contributors"""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.marketplaces import CHOICES
from catalog.normalise import name_key
from catalog.people import Namesake, namesakes
from catalog.watch_rules import TEXT_MAX


class NamesakeSerializer(serializers.Serializer[Namesake]):
    asin = serializers.CharField()
    name = serializers.CharField()
    titles = serializers.IntegerField(help_text="How many works of theirs we know.")
    latest = serializers.CharField(help_text="The title with the latest date.")
    marketplaces = serializers.ListField(child=serializers.ChoiceField(choices=CHOICES))


class NameSerializer(serializers.Serializer[dict[str, str]]):
    name = serializers.CharField(max_length=TEXT_MAX, help_text="An author's, as it is written.")


class ContributorsView(APIView):
    """Authors known under a name, to choose the one you mean by ASIN.

    Names are compared without case, accents and punctuation. Most titles come first, 50 people at
    most; authors that no store gave an ASIN are not among them.
    """

    @extend_schema(parameters=[NameSerializer], responses=NamesakeSerializer(many=True))
    def get(self, request: Request) -> Response:
        asked = NameSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        key = name_key(asked.validated_data["name"])
        return Response(shown(namesakes([key]).get(key, [])))


def shown(people: Sequence[Namesake]) -> Any:
    """What an answer says of them."""
    rows: Any = people  # of many, which the stubs don't know
    return NamesakeSerializer(rows, many=True).data
