"""Where we look, and what came of it."""

import datetime as dt
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from catalog import marketplaces
from catalog.models import WatchQuery


class TargetQuerySet(models.QuerySet["Target"]):
    def needed(self) -> Self:
        """Those that a watch needs, and those we keep for ourselves."""
        asked_for = WatchQuery.objects.filter(
            marketplace=OuterRef("marketplace"), kind=OuterRef("kind"), query=OuterRef("query")
        )
        return self.filter(Q(kind=Target.Kind.DUE) | Exists(asked_for))


class Target(models.Model):
    """One query to one marketplace, shared by all watches that need it."""

    class Kind(models.TextChoices):
        AUTHOR = "author"
        SERIES = "series"
        NARRATOR = "narrator"
        PUBLISHER = "publisher"
        GENRE = "genre"
        KEYWORD = "keyword"
        ASIN = "asin"
        DUE = "due", "titles due today"

    marketplace = models.CharField(max_length=2, choices=marketplaces.CHOICES, db_collation="C")
    kind = models.CharField(max_length=16, choices=Kind)
    query = models.TextField(db_collation="C", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    next_visit_at = models.DateTimeField(help_text="Not before.")
    visited_at = models.DateTimeField(null=True, blank=True, help_text="End of the last visit.")
    completed_at = models.DateTimeField(
        null=True, blank=True, help_text="End of the last complete pass; the first is the baseline."
    )
    failures = models.PositiveIntegerField(default=0, help_text="Visits in a row that saw nothing.")
    blind_visits = models.PositiveIntegerField(
        default=0, help_text="In a row that could not see the store; two raise an alarm."
    )
    products_total = models.BigIntegerField(default=0, help_text="For metrics; never falls.")
    claim_no = models.PositiveIntegerField(default=0, help_text="Fencing token of the visit.")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    asins = ArrayField(
        models.TextField(),
        default=list,
        editable=False,
        help_text="What complete passes listed; one that is missing later may be withdrawn.",
    )
    unfinished_pass = models.JSONField(
        null=True, editable=False, help_text="Where a visit that was cut short goes on."
    )

    objects = TargetQuerySet.as_manager()

    class Meta:
        db_table = "targets"
        constraints = [
            models.UniqueConstraint(fields=["marketplace", "kind", "query"], name="target_once")
        ]
        indexes = [
            models.Index(  # scraping.services.claim_due
                fields=["marketplace", "next_visit_at"], name="target_due"
            ),
            models.Index(  # claim_due: how many are under way
                fields=["marketplace", "lease_expires_at"],
                condition=~Q(lease_expires_at=None),
                name="target_leased",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.marketplace} {self.kind} {self.query}".strip()


class Visit(models.Model):
    """One run of a target."""

    class Outcome(models.TextChoices):
        FOUND = "found"
        ABSENT = "absent"
        THROTTLED = "throttled"
        FAILED = "failed"
        POSTPONED = "postponed"

    target = models.ForeignKey(Target, models.CASCADE, related_name="visits")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Outcome)
    source = models.TextField(default="audible_api", help_text="Who read the store.")
    complete = models.BooleanField(default=False, help_text="The pass came to its end.")
    pages = models.PositiveIntegerField(default=0)
    products = models.PositiveIntegerField(default=0)
    total_results = models.PositiveIntegerField(null=True)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    others = models.PositiveIntegerField(
        default=0, help_text="Answers to a fuzzy search that were not what it asks for."
    )
    capped = models.BooleanField(default=False, help_text="The store showed no more of them.")
    events = models.PositiveIntegerField(default=0, help_text="Pieces of news.")
    braked = models.BooleanField(default=False, help_text="Its news is held for a person.")
    detail = models.TextField(blank=True)
    trace_id = models.UUIDField(null=True, editable=False, help_text="stalkerr/tracing.py")

    class Meta:
        db_table = "visits"
        indexes = [
            models.Index(fields=["target", "-id"], name="visit_of_target"),  # a target's log
            models.Index(fields=["finished_at"], name="visit_finished"),  # health; pruning
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.outcome}"

    @property
    def duration(self) -> dt.timedelta:
        """How long it took, turns waited for included."""
        return self.finished_at - self.started_at
