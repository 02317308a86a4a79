"""A channel as the API takes and shows it: settings, timing, words."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from api.rest.given import Given
from api.rest.preferred import preferred
from catalog.normalise import clean
from notifications.channels.registry import CHANNELS
from notifications.models import Channel, Delivery, Message, Timing
from notifications.registration import shown_config
from notifications.templates import BODY_MAX, HEADLINE_MAX, check
from notifications.timing import Wish
from notifications.wishes import wish_of
from stalkerr.crypto import UnreadableSecretError

NAME_MAX: Final = 100
# Who says a part of one of these says all of it.
_DIGEST: Final = frozenset({"digest", "digest_hour", "digest_weekday"})
_QUIET: Final = frozenset({"quiet_from", "quiet_until"})
EXAMPLE: Final = {"kind": "webhook", "config": {"url": "https://receiver.example/hook"}}
# How the API calls the parts of a wish.
_WISHES: Final = {
    "digest": "digest",
    "digest_hour": "hour",
    "digest_weekday": "weekday",
    "quiet_from": "quiet_from",
    "quiet_until": "quiet_until",
}


def _settings_words() -> str:
    """The settings of every kind, for people."""
    kinds = (
        f"{kind}: {', '.join(f'`{name}` ({words})' for name, words in channel.fields.items())}."
        for kind, channel in CHANNELS.items()
    )
    return " ".join(
        [*kinds, "In a change, what is left out stays; an optional one may be emptied."]
    )


class ConfigField(serializers.DictField):
    """Settings of a kind of channel; secrets go in, and do not come out."""

    child = serializers.CharField(max_length=2000, allow_blank=True)

    def get_attribute(self, channel: Channel) -> dict[str, Any] | None:
        try:
            return shown_config(channel)
        except UnreadableSecretError:
            return None


class TemplateField(serializers.CharField):
    """A template of notifications/templates.py; blank: the usual words."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_blank=True, trim_whitespace=False, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        text = super().run_validation(data)
        errors = check(text, self.max_length or BODY_MAX) if text and text.strip() else ()
        if errors:
            raise serializers.ValidationError(list(errors))
        return text if text and text.strip() else ""


@extend_schema_field({"type": ["string", "null"], "pattern": r"^([01]?\d|2[0-3]):[0-5]?\d$"})
class HourField(serializers.TimeField):
    """An hour and a minute of any day."""


def _time_field(words: str) -> HourField:
    form = "%H:%M"
    return HourField(
        source=f"timing.{words}",
        format=form,
        input_formats=[form],
        allow_null=True,
        default=preferred(words, None, beside=_QUIET),
        help_text="Such as 22:00, in `time_zone`. In between nothing is sent; it comes afterwards.",
    )


@extend_schema_serializer(examples=[OpenApiExample("A webhook", EXAMPLE, request_only=True)])
class ChannelSerializer(Given[Channel]):
    id = serializers.IntegerField(read_only=True)
    kind = serializers.ChoiceField(
        choices=[(kind, channel.label) for kind, channel in CHANNELS.items()]
    )
    name = serializers.CharField(max_length=NAME_MAX, allow_blank=True, default="")
    config = ConfigField(help_text=_settings_words())
    config_error = serializers.SerializerMethodField(
        help_text="Why `config` is null: it can't be read any more. Give all settings anew."
    )
    digest = serializers.ChoiceField(
        source="timing.digest",
        choices=Timing.Digest.choices,
        allow_blank=True,
        default=preferred("digest", "", beside=_DIGEST),
        help_text="All news of a day or a week in one message; empty: at once.",
    )
    digest_hour = serializers.IntegerField(
        source="timing.hour",
        min_value=0,
        max_value=23,
        default=preferred("digest_hour", 0, beside=_DIGEST),
        help_text="In `time_zone`.",
    )
    digest_weekday = serializers.IntegerField(
        source="timing.weekday",
        min_value=0,
        max_value=6,
        default=preferred("digest_weekday", 0, beside=_DIGEST),
        help_text="Of a weekly digest; 0 is Monday.",
    )
    quiet_from = _time_field("quiet_from")
    quiet_until = _time_field("quiet_until")
    time_zone = serializers.SerializerMethodField(help_text="Yours: all these hours are meant so.")
    headline_template = TemplateField(
        max_length=HEADLINE_MAX, default="", help_text="Your own words; see docs/reference."
    )
    body_template = TemplateField(max_length=BODY_MAX, default="")
    unconfirmed_since = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="A link was sent there that has yet to be followed; news is kept until then.",
    )
    disabled_at = serializers.DateTimeField(read_only=True, allow_null=True)
    disabled_reason = serializers.CharField(read_only=True)
    held = serializers.IntegerField(
        read_only=True,
        default=0,
        help_text="Messages kept while it is disabled, or until it is confirmed.",
    )
    created_at = serializers.DateTimeField(read_only=True)

    @staticmethod
    def rows() -> QuerySet[Channel]:
        """Channels with all that is shown of them, in one statement."""
        held = _held(Delivery.objects.all()) + _held(Message.objects.all())
        return Channel.objects.select_related("timing", "user").annotate(held=held)

    def get_config_error(self, channel: Channel) -> str:
        try:
            shown_config(channel)
        except UnreadableSecretError as error:
            return str(error)
        return ""

    def get_time_zone(self, channel: Channel) -> str:
        return channel.timing.zone if channel.timing else channel.user.time_zone

    def validate_kind(self, kind: str) -> str:
        if self.instance is not None and kind != self.instance.kind:
            raise serializers.ValidationError("A channel keeps its kind; make another channel.")
        return kind

    def validate_name(self, name: str) -> str:
        if len(clean(name)) > NAME_MAX:  # composing some letters takes more characters
            raise serializers.ValidationError(f"This may have {NAME_MAX} characters at most.")
        return name

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """What is said of the timing becomes one `wish`, the rest of it as it is."""
        said = values.pop("timing", None)
        if said is None:
            return values
        wish = self._wish(said)
        if errors := wish.errors() | unheard(said, wish):
            raise serializers.ValidationError(errors)
        return values | {"wish": wish}

    def _wish(self, said: dict[str, Any]) -> Wish:
        zone: str = self.context["request"].user.time_zone
        timing = self.instance.timing if self.instance is not None else None
        now = wish_of(timing) if timing else Wish(zone)
        parts = {name: getattr(now, name) for name in _WISHES.values()}
        return Wish(zone=zone, **parts | said)


def unheard(said: Mapping[str, Any], wish: Wish) -> dict[str, str]:
    """What was said of a digest that there is none of."""
    errors = {}
    if said.get("hour") and not wish.digest:
        errors["digest_hour"] = "This is of a digest; choose daily or weekly as well."
    if said.get("weekday") and wish.digest != Timing.Digest.WEEKLY:
        errors["digest_weekday"] = "This is of a weekly digest; choose weekly as well."
    return errors


def _held(waiting: QuerySet[Any]) -> Coalesce:
    """How much of `waiting` is held for the channel of the outer query."""
    held = waiting.filter(channel=OuterRef("pk"), state="held").order_by().values("channel")
    return Coalesce(Subquery(held.annotate(count=Count("*")).values("count")), 0)
