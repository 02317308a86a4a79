"""The promise to tell, and the memory of what was told."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from accounts.models import Notice
from catalog.models import Audiobook, ReleaseEvent, Work
from notifications.models.channel import Channel, Destination
from notifications.models.message import Message, shard_of


class Posting(models.Model):
    """An audiobook that a program asked us to send to one address (POST /api/webhooks/new-book)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    book = models.JSONField(help_text="As it was given, checked.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "postings"

    def __str__(self) -> str:
        return str(self.book.get("title", ""))


class Delivery(models.Model):
    """One piece of news promised to one channel, and every reason for it.

    The table is partitioned by the month of `source_at`, so every unique key holds it.
    """

    class State(models.TextChoices):
        PENDING = "pending"  # will be composed when due_at has come
        COMPOSED = "composed"  # frozen into a Message; can't be cancelled any more
        HELD = "held"  # its channel is disabled; offered for replay
        CANCELLED = "cancelled"  # its last reason went before it was composed

    REVOCABLE = (State.PENDING, State.HELD)  # not composed: it goes with its last reason

    event = models.ForeignKey(ReleaseEvent, models.CASCADE, null=True, related_name="deliveries")
    notice = models.ForeignKey(Notice, models.CASCADE, null=True, related_name="deliveries")
    posting = models.ForeignKey(Posting, models.CASCADE, null=True, related_name="deliveries")
    source_at = models.DateTimeField(help_text="The moment of what it tells: never changes.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    channel_kind = models.CharField(max_length=16)
    destination = (
        models.ForeignKey(  # as the channel's: whoever composes passes over what is spared
            Destination, models.PROTECT, related_name="+", db_constraint=False, db_index=False
        )
    )
    shard = shard_of("channel_id")
    watch_ids = ArrayField(models.BigIntegerField(), default=list, help_text="Why.")
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    due_at = models.DateTimeField()
    in_digest = models.BooleanField(db_default=False, help_text="Waits for its channel's digest.")
    created_at = models.DateTimeField()
    message = models.ForeignKey(
        Message,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="deliveries",
        db_constraint=False,  # the key of a partitioned table holds its month
    )
    message_at = models.DateTimeField(null=True, editable=False, help_text="Message.created_at")

    class Meta:
        db_table = "deliveries"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["event", "channel", "source_at"], name="deliver_event_once"
            ),
            models.UniqueConstraint(
                fields=["notice", "channel", "source_at"],
                condition=~Q(notice=None),
                name="deliver_notice_once",
            ),
            models.UniqueConstraint(
                fields=["posting", "channel", "source_at"],
                condition=~Q(posting=None),
                name="deliver_posting_once",
            ),
            models.CheckConstraint(
                condition=Q(event__isnull=False, notice=None, posting=None)
                | Q(event=None, notice__isnull=False, posting=None)
                | Q(event=None, notice=None, posting__isnull=False),
                name="delivery_of_one_thing",
            ),
            models.CheckConstraint(
                condition=~Q(state="composed") | ~Q(message=None), name="delivery_composed_into"
            ),
        ]
        indexes = [
            models.Index(  # compose_due: to where there is something to say, over which channels
                fields=["channel_kind", "shard", "destination", "channel", "due_at"],
                condition=Q(state="pending", in_digest=False),
                name="delivery_pending",
            ),
            models.Index(  # compose_due: whose digest is due, however much else waits
                fields=["channel_kind", "shard", "due_at"],
                condition=Q(state="pending", in_digest=True),
                name="delivery_digest",
            ),
            models.Index(  # what is due at all: due_shards, quiet hours, the backlog
                fields=["channel_kind", "shard", "due_at"],
                condition=Q(state="pending"),
                name="delivery_due",
            ),
            models.Index(  # replay: what was kept while a channel was disabled
                fields=["channel"], condition=Q(state="held"), name="delivery_held"
            ),
            models.Index(  # contents: what a message says
                fields=["message"], condition=~Q(message=None), name="delivery_of_message"
            ),
            GinIndex(  # cancel_unwanted: what an edited watch has promised
                fields=["watch_ids"],
                condition=Q(state__in=["pending", "held"]),
                name="delivery_reasons",
            ),
            models.Index(fields=["user", "-id"], name="delivery_of_user"),  # a user's log
        ]

    def __str__(self) -> str:
        return f"{self.event or self.notice or self.posting} to {self.channel}"


class Told(models.Model):
    """What a channel was told of a work; never pruned, so never told again."""

    work = models.ForeignKey(Work, models.PROTECT, related_name="told")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="told")
    audiobook = models.ForeignKey(
        Audiobook, models.CASCADE, null=True, related_name="told", help_text="Watches by edition."
    )
    kind = models.CharField(max_length=16, choices=ReleaseEvent.Kind)
    value = models.TextField(help_text="ReleaseEvent.value", blank=True)
    event = models.ForeignKey(ReleaseEvent, models.CASCADE, related_name="told")
    told_at = models.DateTimeField()
    retold_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "told"
        verbose_name_plural = "told"
        constraints = [
            models.UniqueConstraint(
                fields=["work", "channel", "audiobook", "kind", "value"],
                nulls_distinct=False,
                name="told_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}".strip()


class Refan(models.Model):
    """An event whose fan-out runs once more for one user: what was given back, another watch may want."""

    event = models.ForeignKey(ReleaseEvent, models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)

    class Meta:
        db_table = "refans"
        constraints = [models.UniqueConstraint(fields=["event", "user"], name="refan_once")]

    def __str__(self) -> str:
        return f"{self.event_id} for {self.user_id}"
