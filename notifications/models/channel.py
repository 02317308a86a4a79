"""Where people hear it, and what goes there, when."""

from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from catalog.models import ReleaseEvent, Watch
from stalkerr import crypto

RETRY_CREDIT = 20.0  # failed retries that a destination may have at once


class Destination(models.Model):
    """What fails as one: a host for addresses users made, a hook or chat for provider kinds."""

    kind = models.CharField(max_length=16)
    address = models.TextField(db_collation="C", help_text="Host, or a digest of the hook.")
    failures = models.PositiveIntegerField(default=0, help_text="Refused contacts in a row.")
    trips = models.PositiveIntegerField(
        db_default=0, help_text="How often the breaker opened since the last answer."
    )
    open_until = models.DateTimeField(
        null=True, blank=True, help_text="The breaker: nothing is sent there before."
    )
    retry_credit = models.FloatField(
        db_default=RETRY_CREDIT, help_text="The retry budget: a failed retry costs one."
    )
    answered_at = models.DateTimeField(null=True, blank=True, help_text="Its last answer.")
    credited_at = models.DateTimeField(null=True, blank=True, help_text="When that was counted.")
    sent_total = models.BigIntegerField(default=0, help_text="For metrics; never falls.")
    failed_total = models.BigIntegerField(default=0, help_text="For metrics; never falls.")

    class Meta:
        db_table = "destinations"
        constraints = [models.UniqueConstraint(fields=["kind", "address"], name="destination_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.address}"


class Timing(models.Model):
    """When a channel is told, on its owner's clock; channels with the same wishes share a row.

    The pure rules: notifications/timing.py. A channel without one is told at once, at any hour.
    """

    class Digest(models.TextChoices):
        NONE = ""
        DAILY = "daily"
        WEEKLY = "weekly"

    zone = models.CharField(max_length=64)
    digest = models.CharField(max_length=8, choices=Digest, blank=True)
    hour = models.PositiveSmallIntegerField(default=0, help_text="Of the digest: 0 to 23.")
    weekday = models.PositiveSmallIntegerField(
        default=0, help_text="Of a weekly digest: 0 is Monday."
    )
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)

    class Meta:
        db_table = "timings"
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "digest", "hour", "weekday", "quiet_from", "quiet_until"],
                nulls_distinct=False,
                name="timing_once",
            ),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="timing_quiet_has_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.zone} {self.digest} {self.hour}".strip()


class ChannelQuerySet(models.QuerySet["Channel"]):
    def enabled(self) -> Self:
        return self.filter(disabled_at=None)

    def hearing(self) -> Self:
        """Those that are told: neither disabled nor waiting for their confirmation."""
        return self.enabled().filter(unconfirmed_since=None)


class Channel(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=16, help_text="A name in notifications/channels/registry.py")
    name = models.CharField(max_length=100, blank=True)
    sealed_config = models.TextField(
        editable=False, help_text="Address and secrets, encrypted (stalkerr/crypto.py)."
    )
    destination = models.ForeignKey(
        Destination, models.PROTECT, editable=False, related_name="channels"
    )
    unconfirmed_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Its owner has yet to follow the link sent there; news waits.",
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.TextField(blank=True)
    timing = models.ForeignKey(
        Timing, models.PROTECT, null=True, blank=True, related_name="channels"
    )
    headline_template = models.TextField(
        blank=True,
        db_default="",
        help_text="The owner's own words (notifications/templates.py); empty: ours.",
    )
    body_template = models.TextField(blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        db_table = "channels"
        indexes = [
            models.Index(  # notifications.services.hold_strays
                fields=["disabled_at"], condition=~Q(disabled_at=None), name="channel_disabled"
            ),
            models.Index(  # notifications.wishes: those whose owner's clock changed
                fields=["timing"], condition=~Q(timing=None), name="channel_timed"
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.kind} {self.id}"

    @property
    def config(self) -> dict[str, Any]:
        return crypto.decrypt(self.sealed_config)

    @config.setter
    def config(self, value: dict[str, Any]) -> None:
        self.sealed_config = crypto.encrypt(value)


class Route(models.Model):
    """Which channel hears a watch; a user's routes without a watch are for all other watches."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="routes")
    watch = models.ForeignKey(Watch, models.CASCADE, null=True, blank=True, related_name="routes")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="routes")
    event_kinds = ArrayField(
        models.CharField(max_length=16, choices=ReleaseEvent.Kind),
        default=list,
        blank=True,
        help_text="Empty: all that the watch hears.",
    )

    class Meta:
        db_table = "routes"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "watch", "channel"], nulls_distinct=False, name="route_once"
            )
        ]
        indexes = [
            models.Index(fields=["watch"], name="route_of_watch", condition=~Q(watch=None)),
        ]

    def __str__(self) -> str:
        return f"{self.watch or 'every watch'} to {self.channel}"
