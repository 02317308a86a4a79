"""Stretches of time of which the database remembers nothing: it was restored from a backup."""

from django.db import models
from django.db.models import Q


class Gap(models.Model):
    """What happened in it may have been told. Until it is seen again, news waits for a person."""

    began_at = models.DateTimeField(help_text="The moment of the backup.")
    ended_at = models.DateTimeField(help_text="The moment of its restore.")

    class Meta:
        db_table = "gaps"
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__gte=models.F("began_at")), name="gap_ends_after_it_began"
            )
        ]

    def __str__(self) -> str:
        return f"{self.began_at} to {self.ended_at}"
