"""Series, their places, and what holds one series together over marketplaces."""

from django.db import models

from catalog import marketplaces


class SeriesGroup(models.Model):
    """One series over all marketplaces."""

    title = models.TextField()

    class Meta:
        db_table = "series_groups"

    def __str__(self) -> str:
        return self.title


class Series(models.Model):
    marketplace = models.CharField(max_length=2, choices=marketplaces.CHOICES, db_collation="C")
    asin = models.CharField(max_length=10, db_collation="C")
    title = models.TextField()
    title_key = models.TextField(db_collation="C", help_text="The folded title.")
    group = models.ForeignKey(SeriesGroup, models.SET_NULL, null=True, blank=True)

    class Meta:
        db_table = "series"
        verbose_name_plural = "series"
        constraints = [models.UniqueConstraint(fields=["marketplace", "asin"], name="series_once")]
        indexes = [
            models.Index(fields=["title_key"], name="series_title"),  # ids known for a title
        ]

    def __str__(self) -> str:
        return self.title


class SeriesEntry(models.Model):
    """An audiobook's place in a series."""

    series = models.ForeignKey(Series, models.CASCADE, related_name="entries")
    audiobook = models.ForeignKey("catalog.Audiobook", models.CASCADE, related_name="places")
    sequence = models.TextField(blank=True, help_text="As sold, such as 1-3.")
    position = models.DecimalField(
        max_digits=9, decimal_places=3, null=True, blank=True, help_text="Sortable."
    )

    class Meta:
        db_table = "series_entries"
        constraints = [
            # also serves "places of an audiobook"
            models.UniqueConstraint(fields=["audiobook", "series"], name="series_entry_once")
        ]
        indexes = [
            models.Index(
                fields=["series", "position"], name="series_entry_order"
            ),  # a series in order
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.sequence}"
