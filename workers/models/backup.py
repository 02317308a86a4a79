"""What is known of each backup. The backup itself says so too: its manifest needs no database."""

import datetime as dt
from typing import Self

from django.db import models
from django.db.models import Q


class BackupQuerySet(models.QuerySet["Backup"]):
    def good(self) -> Self:
        """Those that are whole, the newest first."""
        return self.filter(state=Backup.State.GOOD).order_by("-taken_at")

    def drilled(self) -> Self:
        """Those that a drill took on, the last drill first."""
        return self.exclude(drilled_at=None).order_by("-drilled_at")


class Backup(models.Model):
    class State(models.TextChoices):
        RUNNING = "running"
        GOOD = "good"  # stored, and read back whole
        FAILED = "failed"

    class Drill(models.TextChoices):
        NONE = "", "none yet"
        RESTORED = "restored"  # into a scratch database, found the same
        READ = "read", "read whole, not restored: its key is not here"
        FAILED = "failed"

    name = models.CharField(max_length=40, unique=True, help_text="Also of its folder.")
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    taken_at = models.DateTimeField(help_text="The moment whose data it holds.")
    finished_at = models.DateTimeField(null=True, blank=True)
    bytes = models.BigIntegerField(null=True, blank=True, help_text="Of all its files.")
    encrypted = models.BooleanField(default=False)
    detail = models.TextField(blank=True, help_text="Why it failed.")
    drill = models.CharField(max_length=8, choices=Drill, blank=True, default=Drill.NONE)
    drilled_at = models.DateTimeField(null=True, blank=True)
    drill_detail = models.TextField(blank=True, help_text="What the drill found.")

    objects = BackupQuerySet.as_manager()

    class Meta:
        db_table = "backups"
        constraints = [
            models.CheckConstraint(
                condition=Q(state="running", finished_at=None)
                | (~Q(state="running") & Q(finished_at__isnull=False)),
                name="backup_final",
            ),
            models.CheckConstraint(
                condition=Q(drill="", drilled_at=None)
                | (~Q(drill="") & Q(drilled_at__isnull=False)),
                name="backup_drilled",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def age(self, now: dt.datetime) -> dt.timedelta:
        """How old what it holds is."""
        return now - self.taken_at
