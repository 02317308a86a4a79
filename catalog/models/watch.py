"""Who cares about what."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from catalog import marketplaces
from catalog.classify import HIDDEN_BY_DEFAULT, HIDEABLE
from catalog.models.event import ReleaseEvent
from catalog.watch_rules import tidy_languages, tidy_query, watch_errors


def default_marketplaces() -> list[str]:
    return ["us"]


# What a watch may hear; reminders are asked for by their days instead.
HEARABLE = [choice for choice in ReleaseEvent.Kind.choices if choice[0] != "reminder"]


def default_event_kinds() -> list[str]:
    """What a new watch hears: all news but corrections of details."""
    return [kind for kind, _ in HEARABLE if kind != ReleaseEvent.Kind.DETAIL_CHANGED]


def default_hidden() -> list[str]:
    """What a new watch does not hear of."""
    return list(HIDDEN_BY_DEFAULT)


class WatchQuerySet(models.QuerySet["Watch"]):
    def of(self, user_id: int) -> Self:
        """A user's own, without those on their way out."""
        return self.filter(user_id=user_id, ended_at=None)


class Watch(models.Model):
    class Kind(models.TextChoices):
        AUTHOR = "author"
        SERIES = "series"
        NARRATOR = "narrator"
        PUBLISHER = "publisher"
        GENRE = "genre"
        KEYWORD = "keyword"
        ASIN = "asin"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="watches")
    kind = models.CharField(max_length=16, choices=Kind)
    query = models.TextField(
        help_text='A name, a title, a category\'s id, words ("a phrase" in quotes), or an ASIN.'
    )
    asin = models.CharField(
        max_length=10, blank=True, help_text="Of the author or series, where known."
    )
    aliases = ArrayField(
        models.CharField(max_length=10),
        default=list,
        blank=True,
        help_text="Further ASINs of the same author: pen names, a second page.",
    )
    marketplaces = ArrayField(
        models.CharField(max_length=2, choices=marketplaces.CHOICES), default=default_marketplaces
    )
    languages = ArrayField(
        models.TextField(),
        default=list,
        blank=True,
        help_text='Empty: the marketplace\'s own; "any": every language.',
    )
    hidden = ArrayField(
        models.TextField(),
        default=default_hidden,
        blank=True,
        help_text=f"What it does not hear of: any of {', '.join(HIDEABLE)}.",
    )
    excluded_words = ArrayField(models.TextField(), default=list, blank=True)
    event_kinds = ArrayField(
        models.CharField(max_length=16, choices=HEARABLE), default=default_event_kinds
    )
    remind_days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        db_default=[],
        blank=True,
        help_text="Reminded so many days before a title is due; 0: on its day.",
    )
    include_announced = models.BooleanField(
        default=True, help_text="Also later news of what was announced and unreleased at the start."
    )
    per_edition = models.BooleanField(
        default=False, help_text="Told once an edition instead of once a work."
    )
    muted = models.BooleanField(default=False, help_text="Recorded, not told, not told later.")
    snoozed_until = models.DateTimeField(null=True, blank=True, help_text="Told when it ends.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(
        null=True, editable=False, help_text="Deleted; gone once its promises are cancelled."
    )
    edited_at = models.DateTimeField(
        null=True, editable=False, help_text="Promises made before an edit are yet to be looked at."
    )
    # What a match asks beyond a shared key, folded once (catalog/keys.py):
    required_keys = ArrayField(models.TextField(), default=list, editable=False)
    excluded_keys = ArrayField(models.TextField(), default=list, editable=False)
    phrase = models.TextField(blank=True, editable=False)

    objects = WatchQuerySet.as_manager()

    class Meta:
        db_table = "watches"
        verbose_name_plural = "watches"
        constraints = [
            # the other end of watch_keys' composite key
            models.UniqueConstraint(fields=["id", "user"], name="watch_of_user")
        ]
        indexes = [
            models.Index(  # notifications.services.cancel_unwanted
                fields=["id"], condition=~Q(edited_at=None), name="watch_edited"
            ),
            models.Index(  # catalog/reminders.py: which days anybody wants
                fields=["id"], condition=~Q(remind_days=[]), name="watch_reminded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.query}"

    def clean(self) -> None:
        """Tidy query and languages; ValidationError with a sentence per field that can't be meant so."""
        self.query = tidy_query(self.kind, self.query)
        self.languages = tidy_languages(self.languages)
        errors = watch_errors(
            kind=self.kind,
            query=self.query,
            asin=self.asin,
            aliases=self.aliases,
            hidden=self.hidden,
            excluded_words=self.excluded_words,
        )
        if errors:
            raise ValidationError(errors)


class WatchKey(models.Model):
    """What an audiobook must yield for the watch to be a candidate."""

    pk = models.CompositePrimaryKey("key", "user_id", "watch_id")
    key = models.TextField(db_collation="C")
    user_id = models.BigIntegerField()
    # The database has a key of (watch, user) instead: a migration says so.
    watch = models.ForeignKey(Watch, models.CASCADE, related_name="keys", db_constraint=False)

    class Meta:
        db_table = "watch_keys"

    def __str__(self) -> str:
        return self.key


class WatchQuery(models.Model):
    """A query a watch needs in one marketplace, and since when it is heard there."""

    watch = models.ForeignKey(Watch, models.CASCADE, related_name="queries")
    marketplace = models.CharField(max_length=2, choices=marketplaces.CHOICES, db_collation="C")
    kind = models.CharField(max_length=16)
    query = models.TextField(db_collation="C")
    active_from = models.DateTimeField(
        null=True, help_text="Empty until the first complete pass: the baseline."
    )

    class Meta:
        db_table = "watch_queries"
        constraints = [
            models.UniqueConstraint(
                fields=["watch", "marketplace", "kind", "query"], name="watch_query_once"
            )
        ]
        indexes = [
            models.Index(  # who needs a target; whom its first pass makes active
                fields=["marketplace", "kind", "query"], name="watch_query_target"
            ),
            models.Index(  # those waiting for a target or its first pass
                fields=["id"], condition=Q(active_from=None), name="watch_query_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.marketplace} {self.kind} {self.query}"


class Mark(models.Model):
    """A user's last word on a work: never told of it again, over all editions."""

    class Kind(models.TextChoices):
        NOT_INTERESTED = "not_interested"
        HAVE_IT = "have_it"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="marks")
    work = models.ForeignKey("catalog.Work", models.CASCADE, related_name="marks")
    kind = models.CharField(max_length=16, choices=Kind)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "marks"
        constraints = [
            # the fan-out asks by work and user
            models.UniqueConstraint(fields=["work", "user"], name="mark_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind} {self.work_id}"
