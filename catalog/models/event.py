"""News: facts in the past tense, and the outbox that carries them to whoever cares."""

from typing import Self

from django.db import models
from django.db.models import Q


class ReleaseEventQuerySet(models.QuerySet["ReleaseEvent"]):
    def unprocessed(self) -> Self:
        """Those to be told whose fan-out is not finished, oldest first."""
        return self.filter(fanned_out_at=None, held_by=None).order_by("id")

    def braked(self) -> Self:
        """Those a visit brought too many of: a person says whether they are told."""
        return self.exclude(braked_at=None)

    def not_dropped(self) -> Self:
        """Without those of which a person said that nobody needs to hear them.

        Their fan-out is over and reached nobody; that of all others ends beyond the last user.
        """
        return self.exclude(fanned_through=0, fanned_out_at__isnull=False)

    def public(self) -> Self:
        """What anybody may hear: published, no reminder, nothing a person dropped or hid."""
        told = self.not_dropped().exclude(kind="reminder").exclude(published_seq=None)
        return told.filter(audiobook__hidden_at=None)


class ReleaseEvent(models.Model):
    class Kind(models.TextChoices):
        ANNOUNCED = "announced"
        DATE_MOVED = "date_moved"
        OUT_NOW = "out_now"
        WITHDRAWN = "withdrawn"
        RESTORED = "restored"
        DETAIL_CHANGED = "detail_changed"
        REMINDER = "reminder"  # its day is near; only for watches that asked (Watch.remind_days)

    audiobook = models.ForeignKey("catalog.Audiobook", models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=Kind)
    revision = models.PositiveIntegerField(help_text="1, 2, 3 … for one audiobook.")
    seen_at = models.DateTimeField(help_text="When we saw it.")
    old_date = models.DateField(null=True, blank=True)
    new_date = models.DateField(null=True, blank=True)
    days_before = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of a reminder: days to go, 0 on the day itself."
    )
    found_late = models.BooleanField(
        default=False, help_text="Out, or announced long, before we saw it."
    )
    unconfirmed = models.BooleanField(
        default=False, help_text="Out by its date; the store could not be asked."
    )
    held_by = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Not told yet: of a target's visit that is not over. 0: of a restore.",
    )
    braked_at = models.DateTimeField(
        null=True, blank=True, help_text="Held for a person (catalog/brake.py)."
    )
    published_seq = models.BigIntegerField(
        null=True, blank=True, unique=True, help_text="Place in the public order; the cursor."
    )
    fanned_through = models.BigIntegerField(
        default=0, help_text="Users up to this id are done (moved with their deliveries)."
    )
    fanned_out_at = models.DateTimeField(null=True, blank=True)
    trace_id = models.UUIDField(null=True, editable=False, help_text="stalkerr/tracing.py")

    objects = ReleaseEventQuerySet.as_manager()

    class Meta:
        db_table = "release_events"
        constraints = [
            models.UniqueConstraint(fields=["audiobook", "revision"], name="event_revision_once"),
            models.CheckConstraint(
                condition=~Q(kind="date_moved") | ~Q(new_date=None), name="event_moved_has_a_date"
            ),
            models.CheckConstraint(
                condition=~Q(kind="reminder", days_before=None), name="event_reminder_has_days"
            ),
            models.CheckConstraint(
                condition=Q(braked_at=None) | ~Q(held_by=None), name="event_braked_is_held"
            ),
        ]
        indexes = [
            models.Index(  # ReleaseEventQuerySet.unprocessed
                fields=["id"],
                condition=Q(fanned_out_at=None, held_by=None),
                name="event_unprocessed",
            ),
            models.Index(  # catalog/brake.py: of one visit; what waits for a person
                fields=["held_by"], condition=~Q(held_by=None), name="event_held"
            ),
            models.Index(  # catalog.services.publish_events
                fields=["id"],
                condition=Q(published_seq=None, held_by=None),
                name="event_unpublished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.audiobook_id}"

    @property
    def value(self) -> str:
        """What makes telling it again a repetition: house rule of `Told`."""
        if self.kind == self.Kind.DATE_MOVED:
            return str(self.new_date)
        if self.kind == self.Kind.REMINDER:
            return f"{self.new_date} -{self.days_before}"
        if self.kind in (self.Kind.ANNOUNCED, self.Kind.OUT_NOW):
            return ""
        return str(self.revision)
