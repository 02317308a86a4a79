"""Who wrote, read or made an audiobook."""

from django.db import models
from django.db.models import Q


class Contributor(models.Model):
    """A person. Never merged by name alone: only a shared ASIN or a person's word proves it."""

    asin = models.CharField(max_length=10, null=True, blank=True, db_collation="C")  # noqa: DJ001 (unique where known)
    name = models.TextField()
    name_key = models.TextField(db_collation="C", help_text="The folded name.")

    class Meta:
        db_table = "contributors"
        constraints = [
            models.UniqueConstraint(fields=["asin"], name="contributor_asin_once"),
            models.UniqueConstraint(
                fields=["name_key"], condition=Q(asin=None), name="contributor_name_once"
            ),
        ]
        indexes = [
            models.Index(fields=["name_key"], name="contributor_name"),  # ids known for a name
        ]

    def __str__(self) -> str:
        return self.name


class Credit(models.Model):
    """A contributor's role on an audiobook."""

    audiobook = models.ForeignKey("catalog.Audiobook", models.CASCADE, related_name="credits")
    contributor = models.ForeignKey(Contributor, models.PROTECT, related_name="credits")
    role = models.TextField()
    position = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "credits"
        constraints = [
            # also serves "credits of an audiobook"
            models.UniqueConstraint(fields=["audiobook", "role", "contributor"], name="credit_once")
        ]

    def __str__(self) -> str:
        return f"{self.contributor} ({self.role})"
