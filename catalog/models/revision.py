"""How new what readers see of a store is: what caches compare, and who changed it."""

from django.db import models

from catalog import marketplaces


class StoreRevision(models.Model):
    """A number that rises with whatever changes what anybody may read of a store."""

    marketplace = models.CharField(
        max_length=2, choices=marketplaces.CHOICES, db_collation="C", primary_key=True
    )
    revision = models.BigIntegerField(
        help_text="Microseconds since 1970, so that it never repeats."
    )

    class Meta:
        db_table = "store_revisions"

    def __str__(self) -> str:
        return f"{self.marketplace} {self.revision}"


class StoreChange(models.Model):
    """A transaction that changed what is read of a store, and is not numbered yet.

    Written by triggers (migration 0008), so that no way to write can forget it, and one row a
    transaction, so that none waits for another.
    """

    marketplace = models.CharField(max_length=2, db_collation="C")
    transaction = models.BigIntegerField()

    class Meta:
        db_table = "store_changes"
        constraints = [
            models.UniqueConstraint(fields=["marketplace", "transaction"], name="store_change_once")
        ]

    def __str__(self) -> str:
        return f"{self.marketplace} by {self.transaction}"
