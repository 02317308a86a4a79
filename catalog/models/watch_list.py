"""What a user watches, by name, for others to see."""

from typing import Self

from django.conf import settings
from django.db import models

from accounts.refreshing import digest_of
from catalog.models.watch import Watch


class WatchListQuerySet(models.QuerySet["WatchList"]):
    def opened_by(self, secret: str) -> Self:
        """The list, if any, whose link this is, and whose owner may still come in."""
        return self.filter(digest=digest_of(secret), user__is_active=True)


class WatchList(models.Model):
    """A named set of a user's watches; shared, whoever has its link may look at it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="watch_lists")
    name = models.CharField(max_length=80)
    # Of 256 random bits a plain hash is enough: there is nothing to guess.
    digest = models.CharField(  # noqa: DJ001 (those without a link have none, and all differ)
        max_length=64, null=True, unique=True, editable=False, db_collation="C"
    )
    shared_at = models.DateTimeField(
        null=True, blank=True, help_text="When its link was made; empty: there is none."
    )
    created_at = models.DateTimeField()

    objects = WatchListQuerySet.as_manager()

    class Meta:
        db_table = "watch_lists"
        constraints = [
            # the other end of its entries' and its feeds' composite keys
            models.UniqueConstraint(fields=["id", "user"], name="watch_list_of_user"),
            models.CheckConstraint(
                condition=models.Q(digest=None, shared_at=None)
                | ~models.Q(digest=None) & ~models.Q(shared_at=None),
                name="watch_list_shared_by_link",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WatchListEntry(models.Model):
    """A watch in a list of its owner's."""

    # The database has keys of (list, user) and (watch, user) instead: a migration says so.
    watch_list = models.ForeignKey(
        WatchList, models.CASCADE, related_name="entries", db_constraint=False
    )
    watch = models.ForeignKey(
        Watch, models.CASCADE, related_name="in_lists", db_constraint=False, db_index=False
    )
    user_id = models.BigIntegerField()

    class Meta:
        db_table = "watch_list_entries"
        verbose_name_plural = "watch list entries"
        constraints = [
            models.UniqueConstraint(fields=["watch_list", "watch"], name="watch_list_entry_once")
        ]
        indexes = [
            models.Index(fields=["watch", "user_id"], name="watch_list_entry_watch")  # their key
        ]

    def __str__(self) -> str:
        return f"{self.watch_list_id} {self.watch_id}"
