"""What channels there can be, and how templates would look: /api/channels/kinds, …/preview"""

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.rest.given import Given
from api.rest.once import Once
from catalog.models import ReleaseEvent
from notifications.channels.base import Channel, ConfigError
from notifications.channels.registry import CHANNELS
from notifications.contents import release_contents
from notifications.messages import Content
from notifications.templates import BODY_MAX, EXAMPLE, HEADLINE_MAX, check, preview

_ID_MAX: Final = 2**63 - 1
_LONGEST: Final = 10 * BODY_MAX  # what is looked at, to say that it is too long


class SettingSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # a name of Field's own
    secret = serializers.BooleanField(help_text="Not shown again once it is stored.")
    help = serializers.CharField()


class KindSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    settings = SettingSerializer(many=True)
    groups = serializers.IntegerField(help_text="Pieces of news in one message, at most.")
    confirmed_by_link = serializers.BooleanField(
        help_text="It is told nothing before its owner has followed a link sent there."
    )
    facts = serializers.DictField(
        child=serializers.CharField(), help_text="What else a program needs, such as a public key."
    )


class KindsView(APIView):
    """Every kind of channel, and what each wants to know."""

    @extend_schema(responses=KindSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows: Any = [_kind(channel) for channel in CHANNELS.values()]
        return Response(KindSerializer(rows, many=True).data)


def _kind(channel: Channel[Any]) -> dict[str, Any]:
    required = _required(channel)
    settings = [
        {
            "name": name,
            "required": name in required,
            "secret": name in channel.secret_fields,
            "help": words,
        }
        for name, words in channel.fields.items()
    ]
    return {
        "kind": channel.kind,
        "label": channel.label,
        "settings": settings,
        "groups": channel.groups,
        "confirmed_by_link": channel.confirmed_by_link,
        "facts": channel.public_facts(),
    }


def _required(channel: Channel[Any]) -> Mapping[str, str]:
    """What the kind itself says to somebody who gives nothing."""
    try:
        channel.parse_config(channel.completed({}))
    except ConfigError as error:
        return error.errors
    return {}


class TemplatesSerializer(Given[Any]):
    headline_template = serializers.CharField(
        max_length=_LONGEST, allow_blank=True, default="", trim_whitespace=False
    )
    body_template = serializers.CharField(
        max_length=_LONGEST, allow_blank=True, default="", trim_whitespace=False
    )
    event = serializers.IntegerField(
        min_value=1, max_value=_ID_MAX, required=False, help_text="News to show, by its event id."
    )
    audiobook = serializers.IntegerField(
        min_value=1, max_value=_ID_MAX, required=False, help_text="Its latest news, by its id."
    )


class PreviewSerializer(serializers.Serializer[Any]):
    headline = serializers.CharField()
    lines = serializers.ListField(child=serializers.CharField())
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Sentences about each template that can't be used; the usual words stand for it.",
    )


class PreviewView(Once):
    """What templates make of a made-up title, or of real news."""

    @extend_schema(request=TemplatesSerializer, responses=PreviewSerializer)
    def post(self, request: Request) -> Response:
        asked = TemplatesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        templates = values["headline_template"], values["body_template"]
        shown = preview(*templates, _content(values))
        body = {"headline": shown.headline, "lines": shown.lines, "errors": _errors(*templates)}
        return Response(PreviewSerializer(body).data)


def _errors(headline_template: str, body_template: str) -> dict[str, list[str]]:
    found = {
        "headline_template": _check(headline_template, HEADLINE_MAX),
        "body_template": _check(body_template, BODY_MAX),
    }
    return {name: sentences for name, sentences in found.items() if sentences}


def _check(template: str, limit: int) -> list[str]:
    """Blank is no error: it means the usual words."""
    return list(check(template, limit)) if template.strip() else []


def _content(asked: Mapping[str, Any]) -> Content:
    """The news that is asked for; of none in particular, an example."""
    if "event" not in asked and "audiobook" not in asked:
        return EXAMPLE
    events = ReleaseEvent.objects.exclude(published_seq=None).filter(audiobook__hidden_at=None)
    if "event" in asked:
        events = events.filter(published_seq=asked["event"])
    if "audiobook" in asked:
        events = events.filter(audiobook=asked["audiobook"])
    newest = events.order_by("-published_seq").values_list("id", flat=True).first()
    if newest is None:
        field = "event" if "event" in asked else "audiobook"
        raise serializers.ValidationError({field: "There is no such news."})
    return release_contents([newest])[newest]
