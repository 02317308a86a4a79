"""What exists: recordings as sold, and the works they are editions of."""

import datetime as dt
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Collate, Left, Now

from catalog import marketplaces
from catalog.search import every_word

# What orders a catalogue, always the same expression so that an index serves it. Undated titles
# come before all others; a title's first letters tell it from others, and fit into an index.
DAY = Coalesce("release_date", models.Value(dt.date.min), output_field=models.DateField())
SORT_TITLE = Collate(Left("folded", 100), "C")


class Work(models.Model):
    """What editions of one book have in common, over marketplaces and re-issues."""

    title = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    hidden_at = models.DateTimeField(
        null=True, blank=True, help_text="By staff: editions that are found later are hidden, too."
    )

    class Meta:
        db_table = "works"

    def __str__(self) -> str:
        return self.title


class AudiobookQuerySet(models.QuerySet["Audiobook"]):
    def shown(self) -> Self:
        """Without those that staff have hidden: for everybody but staff."""
        return self.filter(hidden_at=None)

    def upcoming(self, now: dt.datetime) -> Self:
        """Not out yet by their own store's calendar, soonest first; without withdrawn and hidden ones."""
        stores: dict[dt.date, list[str]] = {}
        for code in marketplaces.MARKETPLACES:
            stores.setdefault(marketplaces.store_date(code, now), []).append(code)
        later = Q()
        for today, codes in stores.items():
            later |= Q(marketplace__in=codes, release_date__gt=today)
        ahead = self.shown().filter(later, release_date__gt=min(stores), withdrawn_at=None)
        return ahead.order_by("release_date", "id")

    def search(self, text: str) -> Self:
        """Those whose title, series or people hold every word of `text`, the last as a beginning."""
        query = every_word(text)
        return self.none() if query is None else self.filter(search_vector=query)

    def sortable(self) -> Self:
        """With what they may be ordered by beside their columns."""
        return self.annotate(day=DAY, sort_title=SORT_TITLE)

    def due_out(self, marketplace: str, today: dt.date) -> Self:
        """Out by their date, and nobody has said so yet."""
        return self.filter(
            marketplace=marketplace, release_date__lte=today, out_at=None, withdrawn_at=None
        )


class Audiobook(models.Model):
    """One recording sold in one marketplace. Empty fields: the store has not said (yet)."""

    marketplace = models.CharField(max_length=2, choices=marketplaces.CHOICES, db_collation="C")
    asin = models.CharField(max_length=10, db_collation="C")
    work = models.ForeignKey(Work, models.PROTECT, related_name="audiobooks")
    title = models.TextField()
    subtitle = models.TextField(blank=True)
    language = models.TextField(blank=True, help_text="Lower-case English word, as the store says.")
    release_date = models.DateField(
        null=True, blank=True, help_text="Day on the store's calendar; empty: no date known."
    )
    publication_at = models.DateTimeField(null=True, blank=True)
    launched_at = models.DateTimeField(
        null=True, blank=True, help_text="When the store put its page up."
    )
    publisher = models.TextField(blank=True)
    runtime_minutes = models.PositiveIntegerField(null=True, blank=True)
    format_type = models.TextField(blank=True)
    content_type = models.TextField(blank=True)
    delivery_type = models.TextField(blank=True)
    kind = models.CharField(
        max_length=20, default="single", help_text="catalog/classify.py: single, part, omnibus, …"
    )
    voice = models.CharField(max_length=10, default="unknown", help_text="human, ai, full_cast, …")
    traits = ArrayField(
        models.TextField(), default=list, blank=True, help_text="All of it that a watch may hide."
    )
    cover_url = models.TextField(blank=True)
    summary = models.TextField(blank=True)
    sku = models.TextField(blank=True)
    isbn = models.TextField(blank=True)
    url = models.TextField(blank=True)
    genres = models.JSONField(default=list, blank=True, help_text="[[id, name], …]")
    metadata = models.JSONField(
        default=dict, blank=True, help_text="The store's record, as it came."
    )

    provenance = models.TextField(
        default="audible_api", help_text="The source of its facts (scraping/sources/registry.py)."
    )
    work_keys = ArrayField(
        models.TextField(), default=list, editable=False, help_text="catalog/works.py"
    )
    work_due = models.BooleanField(
        default=False, editable=False, help_text="Its other editions are yet to be looked for."
    )
    work_pinned = models.BooleanField(
        default=False, help_text="A person said which work it belongs to; refreshes leave it there."
    )
    match_keys = ArrayField(
        models.TextField(), default=list, editable=False, help_text="catalog/keys.py"
    )
    folded = models.TextField(editable=False, help_text="Folded title, subtitle and series titles.")
    search_vector = SearchVectorField(null=True, editable=False)
    fingerprint = models.TextField(editable=False, help_text="Of the facts last seen.")
    fetched_at = models.DateTimeField(help_text="When the store said these facts.")
    revision = models.PositiveIntegerField(default=0, help_text="Number of its latest event.")
    first_seen_at = models.DateTimeField()
    out_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was seen to be out (or was, when first seen)."
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    corrections = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text="Facts that staff have put right: no store changes them (catalog/correcting.py).",
    )
    hidden_at = models.DateTimeField(
        null=True, blank=True, help_text="By staff: it is not listed, fed or told."
    )

    objects = AudiobookQuerySet.as_manager()

    class Meta:
        db_table = "audiobooks"
        constraints = [
            models.UniqueConstraint(fields=["marketplace", "asin"], name="audiobook_once")
        ]
        indexes = [
            models.Index(  # AudiobookQuerySet.upcoming: everything, over marketplaces
                fields=["release_date", "id"],
                condition=models.Q(withdrawn_at=None, hidden_at=None),
                name="audiobook_upcoming",
            ),
            models.Index(  # AudiobookQuerySet.upcoming of one marketplace
                fields=["marketplace", "release_date"],
                condition=models.Q(withdrawn_at=None, hidden_at=None),
                name="audiobook_due",
            ),
            models.Index(  # AudiobookQuerySet.due_out; catalog.services.mark_out_by_date
                fields=["marketplace", "release_date"],
                condition=models.Q(withdrawn_at=None, out_at=None),
                name="audiobook_due_out",
            ),
            models.Index(DAY, "id", name="audiobook_by_day"),  # AudiobookQuerySet.sortable
            models.Index(SORT_TITLE, "id", name="audiobook_by_title"),
            models.Index(  # api/feeds/contents.py: calendars, which say that it is gone
                fields=["release_date"],
                condition=~models.Q(withdrawn_at=None),
                name="audiobook_withdrawn",
            ),
            models.Index(fields=["asin"], name="audiobook_asin"),  # the work of a new edition
            GinIndex(fields=["search_vector"], name="audiobook_search"),  # search()
            GinIndex(fields=["match_keys"], name="audiobook_keys"),  # how rare a word is; previews
            GinIndex(  # editions.py: a pending list would be read through once a key
                fields=["work_keys"], name="audiobook_work_keys", fastupdate=False
            ),
            models.Index(  # works.py: those to look at again
                fields=["id"], condition=models.Q(work_due=True), name="audiobook_work_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.marketplace} {self.asin})"


class AudiobookCheck(models.Model):
    """The narrow, hot row beside an audiobook: when the store last showed it, or did not."""

    audiobook = models.OneToOneField(
        Audiobook, models.CASCADE, primary_key=True, related_name="check_row"
    )
    last_checked_at = models.DateTimeField()
    absent_at = models.DateTimeField(
        null=True, blank=True, help_text="First of two looks that found it gone."
    )
    page_checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When its page was last read to fill gaps."
    )

    class Meta:
        db_table = "audiobook_checks"
        indexes = [
            models.Index(fields=["last_checked_at"], name="check_last_checked"),  # oldest, control
        ]

    def __str__(self) -> str:
        return f"{self.audiobook_id} at {self.last_checked_at}"
