"""/api/preferences"""

from typing import Any, Final

from django.core.exceptions import ValidationError as ZoneError
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Preferences, User, check_time_zone
from api.rest.channel_fields import HourField, unheard
from api.rest.given import Given
from api.rest.owned import Owned
from api.rest.preferred import preferences_of
from api.rest.versions import Versioned
from catalog import marketplaces
from catalog.classify import HIDEABLE
from catalog.models.watch import default_hidden, default_marketplaces
from catalog.reminders import DAYS_MAX
from catalog.watch_rules import LIST_MAX, TEXT_MAX, tidy_languages
from notifications.models import Timing
from notifications.timing import Wish
from notifications.wishes import follow_zones
from stalkerr import clock

_CLOCK: Final = "%H:%M"
# How a wish calls the parts of a timing.
_PARTS: Final = {
    "digest": "digest",
    "digest_hour": "hour",
    "digest_weekday": "weekday",
    "quiet_from": "quiet_from",
    "quiet_until": "quiet_until",
}


def _time_field() -> HourField:
    return HourField(
        format=_CLOCK, input_formats=[_CLOCK], allow_null=True, help_text="Of a new channel."
    )


class PreferencesSerializer(Given[dict[str, Any]]):
    time_zone = serializers.CharField(
        max_length=64, help_text="Yours, such as Europe/Berlin: all hours are meant so."
    )
    marketplaces = serializers.ListField(
        child=serializers.ChoiceField(choices=marketplaces.CHOICES),
        allow_empty=False,
        help_text="Of a new watch.",
    )
    languages = serializers.ListField(
        child=serializers.CharField(max_length=TEXT_MAX),
        max_length=LIST_MAX,
        help_text="Of a new watch. Empty: the marketplace's own.",
    )
    hidden = serializers.ListField(
        child=serializers.ChoiceField(choices=HIDEABLE),
        help_text="What a new watch does not hear of.",
    )
    remind_days = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=DAYS_MAX),
        max_length=LIST_MAX,
        help_text="Of a new watch. Empty: no reminders.",
    )
    digest = serializers.ChoiceField(
        choices=Timing.Digest.choices,
        allow_blank=True,
        help_text="Of a new channel. Empty: at once.",
    )
    digest_hour = serializers.IntegerField(
        min_value=0, max_value=23, help_text="Of a new channel's digest."
    )
    digest_weekday = serializers.IntegerField(
        min_value=0, max_value=6, help_text="Of a new channel's weekly digest; 0 is Monday."
    )
    quiet_from = _time_field()
    quiet_until = _time_field()

    def validate_time_zone(self, name: str) -> str:
        try:
            check_time_zone(name)
        except ZoneError as error:
            raise serializers.ValidationError(error.messages) from error
        return name

    def validate_marketplaces(self, codes: list[str]) -> list[str]:
        return list(dict.fromkeys(codes))

    def validate_languages(self, languages: list[str]) -> list[str]:
        return tidy_languages(languages)

    def validate_hidden(self, traits: list[str]) -> list[str]:
        return list(dict.fromkeys(traits))

    def validate_remind_days(self, days: list[int]) -> list[int]:
        return sorted(set(days), reverse=True)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """A change together with what stays: no channel could be made with hours that can't be meant."""
        known: dict[str, Any] = self.instance or {}
        result = known | values
        parts = {part: result[name] for name, part in _PARTS.items()}
        wish = Wish(zone=result["time_zone"], **parts)
        said = {part: values[name] for name, part in _PARTS.items() if name in values}
        if errors := wish.errors() | unheard(said, wish):
            raise serializers.ValidationError(errors)
        return values


class PreferencesView(Owned[Preferences], Versioned):
    """What your new watches and channels begin with, and your time zone.

    What is there already stays as it is, but for the zone: all hours move along with it.
    """

    http_method_names = ("get", "patch", "head", "options")

    def owned(self, user_id: int) -> QuerySet[Preferences]:
        return Preferences.objects.filter(user_id=user_id)

    @extend_schema(operation_id="preferences_retrieve", responses=PreferencesSerializer)
    def get(self, request: Request) -> Response:
        shown = _shown(self.user, preferences_of(self.user.pk))
        return self.tagged(Response(PreferencesSerializer(shown).data))

    @extend_schema(
        operation_id="preferences_change",
        request=PreferencesSerializer(partial=True),
        responses=PreferencesSerializer,
    )
    def patch(self, request: Request) -> Response:
        """Change some; what is left out stays."""
        with transaction.atomic():
            user, preferences = _locked(self.user.pk)
            before = _shown(user, preferences)
            if self.has_condition():
                self.check_tag(PreferencesSerializer(before).data)
            asked = PreferencesSerializer(before, data=request.data, partial=True)
            asked.is_valid(raise_exception=True)
            _store(user, preferences, asked.validated_data)
        # A transaction of its own, that takes its locks in its own order; what dies in between, the
        # daily look finds.
        if user.time_zone != before["time_zone"]:
            follow_zones(users=[user], now=clock.now())
        return self.tagged(Response(PreferencesSerializer(_shown(user, preferences)).data))


def _shown(user: User, preferences: Preferences) -> dict[str, Any]:
    """As it has effect."""
    chosen = {name: getattr(preferences, name) for name in ("languages", "remind_days", *_PARTS)}
    usual = {"marketplaces": default_marketplaces(), "hidden": default_hidden()}
    for name, value in usual.items():
        own = getattr(preferences, name)
        chosen[name] = value if own is None else own
    return {"time_zone": user.time_zone, **chosen}


def _locked(user_id: int) -> tuple[User, Preferences]:
    """Of two changes, one sees the other."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    return user, preferences_of(user_id)


def _store(user: User, preferences: Preferences, values: dict[str, Any]) -> None:
    zone = values.pop("time_zone", user.time_zone)
    if zone != user.time_zone:
        user.time_zone = zone
        user.save(update_fields=["time_zone"])
    for name, value in values.items():
        setattr(preferences, name, value)
    preferences.save()
