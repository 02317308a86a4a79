"""/api/contributors"""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.rest.anybody import AnybodysView
from catalog.marketplaces import CHOICES
from catalog.models import Contributor, Credit
from catalog.normalise import name_key
from catalog.people import Namesake, namesakes
from catalog.roles import ROLES
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


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=ROLES)
    audiobooks = serializers.IntegerField(help_text="In how many they have it.")


class ContributorSerializer(serializers.Serializer[Contributor]):
    id = serializers.IntegerField(help_text="`person_id` of /api/audiobooks.")
    asin = serializers.CharField(allow_null=True, help_text="Null: no store gave one.")
    name = serializers.CharField()
    roles = RoleSerializer(many=True)
    marketplaces = serializers.ListField(child=serializers.ChoiceField(choices=CHOICES))


class ContributorView(AnybodysView, RetrieveAPIView[Contributor]):
    """A person: what they do, and where it is sold."""

    queryset = Contributor.objects.none()
    serializer_class = ContributorSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        person = get_object_or_404(Contributor, pk=kwargs["pk"])
        credits = Credit.objects.filter(contributor=person, audiobook__hidden_at=None)
        roles = credits.values("role").annotate(audiobooks=Count("*")).order_by("role")
        codes = credits.values_list("audiobook__marketplace", flat=True).distinct()
        return Response(
            {
                **{name: getattr(person, name) for name in ("id", "asin", "name")},
                "roles": list(roles),
                "marketplaces": sorted(codes),
            }
        )
