"""What goes over the wire. The states and what moves them: docs/explanation/deliveries.md."""

from django.db import models
from django.db.models import F, Q

from notifications.models.channel import Channel, Destination

SHARDS = 8  # of the channels of a kind; each is told by at most one waiting task


def shard_of(column: str) -> models.GeneratedField:
    """The shard of a channel's rows, kept by the database."""
    return models.GeneratedField(
        expression=F(column) % SHARDS, output_field=models.SmallIntegerField(), db_persist=True
    )


class Message(models.Model):
    """One thing on the wire, with an id that never changes and a set of news that never changes.

    The table is partitioned by the month of `created_at`, so every unique key holds it.
    """

    class State(models.TextChoices):
        SENDING = "sending"  # somebody holds the lease
        DUE = "due"  # to be tried again at next_attempt_at
        HELD = "held"  # its channel is disabled
        SENT = "sent"
        FAILED = "failed"

    wire_id = models.UUIDField()
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="messages")
    channel_kind = models.CharField(max_length=16)
    shard = shard_of("channel_id")
    digest_date = models.DateField(
        null=True, blank=True, help_text="Of a digest: the day on its owner's calendar."
    )
    destination = models.ForeignKey(Destination, models.PROTECT, related_name="messages")
    state = models.CharField(max_length=16, choices=State, default=State.SENDING)
    claim_no = models.PositiveIntegerField(default=1, help_text="Fencing token of the sender.")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0, help_text="Those that count towards the last.")
    ambiguous = models.PositiveIntegerField(default=0, help_text="Attempts that ended unclear.")
    lost_leases = models.PositiveIntegerField(default=0, help_text="Senders that vanished.")
    refused_at = models.DateTimeField(null=True, blank=True, help_text="First refusal of this run.")
    created_at = models.DateTimeField()
    finalized_at = models.DateTimeField(null=True, blank=True)
    remote_id = models.TextField(blank=True)
    reason = models.TextField(blank=True, help_text="Of the last attempt that was not accepted.")

    class Meta:
        db_table = "messages"
        constraints = [
            models.UniqueConstraint(fields=["wire_id", "created_at"], name="message_wire_id_once"),
            models.CheckConstraint(
                condition=Q(state__in=["sent", "failed"], finalized_at__isnull=False)
                | (~Q(state__in=["sent", "failed"]) & Q(finalized_at=None)),
                name="message_final",
            ),
            models.CheckConstraint(
                condition=Q(state="sending", lease_expires_at__isnull=False)
                | (~Q(state="sending") & Q(lease_expires_at=None)),
                name="message_leased",
            ),
            models.CheckConstraint(
                condition=Q(state="due", next_attempt_at__isnull=False)
                | (~Q(state="due") & Q(next_attempt_at=None)),
                name="message_due",
            ),
        ]
        indexes = [
            models.Index(  # claim_due: a destination's due messages
                fields=["channel_kind", "shard", "destination", "next_attempt_at"],
                condition=Q(state="due"),
                name="message_claim",
            ),
            models.Index(  # claim_due: those whose sender vanished
                fields=["lease_expires_at"], condition=Q(state="sending"), name="message_lost"
            ),
            models.Index(  # a destination's share: how many are under way
                fields=["destination"], condition=Q(state="sending"), name="message_under_way"
            ),
            models.Index(fields=["channel"], name="message_of_channel"),  # hold, replay, log
        ]

    def __str__(self) -> str:
        return str(self.wire_id)


class DigestSlot(models.Model):
    """A channel's digest of one day on its owner's calendar: composed once, whatever happens."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="digest_slots")
    local_date = models.DateField()

    class Meta:
        db_table = "digest_slots"
        constraints = [
            models.UniqueConstraint(fields=["channel", "local_date"], name="digest_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} {self.local_date}"


class Attempt(models.Model):
    """One try of a message. The table is partitioned by the month of its message."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="log", db_constraint=False)
    message_at = models.DateTimeField(editable=False, help_text="Message.created_at")
    claim_no = models.PositiveIntegerField()
    verdict = models.CharField(max_length=16)
    status = models.IntegerField(null=True)
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()

    class Meta:
        db_table = "attempts"
        constraints = [
            models.UniqueConstraint(
                fields=["message", "claim_no", "message_at"], name="attempt_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id} #{self.claim_no} {self.verdict}"
