"""A file that a user brought: what it would make, and how far that has got."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from catalog.models.watch import Watch


class ImportQuerySet(models.QuerySet["Import"]):
    def of(self, user_id: int) -> Self:
        return self.filter(user_id=user_id)

    def counted(self) -> Self:
        """With how many items there are of each kind, how many were chosen and are done."""
        kinds = {
            f"{kind}_count": models.Count("items", filter=Q(items__kind=kind))
            for kind in ImportItem.Kind.values
        }
        return self.annotate(
            **kinds,
            chosen_count=models.Count("items", filter=Q(items__is_chosen=True)),
            done_count=models.Count("items", filter=~Q(items__done_at=None)),
        )


class Import(models.Model):
    class State(models.TextChoices):
        PREVIEW = "preview"  # nothing is made before its owner says so
        APPLYING = "applying"  # workers/tasks/imports.py makes what was chosen
        DONE = "done"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="imports")
    kind = models.CharField(max_length=16, help_text="Of the file: catalog/imports/.")
    state = models.CharField(max_length=16, choices=State, default=State.PREVIEW)
    marketplaces = models.JSONField(default=list, help_text="Of the watches that it makes.")
    known = models.PositiveIntegerField(
        default=0, help_text="Authors and series in it that its owner watches already."
    )
    created_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        db_table = "imports"
        indexes = [
            models.Index(  # catalog.importing.apply_some
                fields=["id"], condition=Q(state="applying"), name="import_applying"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class ImportItem(models.Model):
    """A watch or a mark to be made, or a title for which there is neither, and why."""

    class Kind(models.TextChoices):
        WATCH = "watch"
        MARK = "mark"
        UNRESOLVED = "unresolved"

    imported = models.ForeignKey(Import, models.CASCADE, related_name="items")
    kind = models.CharField(max_length=16, choices=Kind)
    title = models.TextField(blank=True, help_text="Of a watch its query, else of the title.")
    watch_kind = models.CharField(max_length=16, choices=Watch.Kind, blank=True)
    asin = models.CharField(max_length=10, blank=True)
    titles = models.PositiveIntegerField(default=1, help_text="In the file, of this watch.")
    audiobook = models.ForeignKey(
        "catalog.Audiobook", models.SET_NULL, null=True, related_name="+", help_text="To be marked."
    )
    reason = models.TextField(blank=True, help_text="Why it is unresolved.")
    is_chosen = models.BooleanField(default=False)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "import_items"
        indexes = [
            models.Index(  # what is left to make
                fields=["imported", "kind", "id"],
                condition=Q(is_chosen=True, done_at=None),
                name="import_item_left",
            )
        ]

    def __str__(self) -> str:
        return self.title
