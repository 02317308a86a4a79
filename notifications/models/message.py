"""What goes over the wire. The states and what moves them: docs/explanation/deliveries.md."""

from django.db import models
from django.db.models import Q

from notifications.models.channel import Channel, Destination


class Message(models.Model):
    """One thing on the wire, with an id that never changes and a set of news that never changes."""

    class State(models.TextChoices):
        SENDING = "sending"  # somebody holds the lease
        DUE = "due"  # to be tried again at next_attempt_at
        HELD = "held"  # its channel is disabled
        SENT = "sent"
        FAILED = "failed"

    wire_id = models.UUIDField(unique=True)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="messages")
    channel_kind = models.CharField(max_length=16)
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
                fields=["channel_kind", "destination", "next_attempt_at"],
                condition=Q(state="due"),
                name="message_claim",
            ),
            models.Index(  # claim_due: those whose sender vanished
                fields=["lease_expires_at"], condition=Q(state="sending"), name="message_lost"
            ),
            models.Index(fields=["channel"], name="message_of_channel"),  # hold, replay, log
        ]

    def __str__(self) -> str:
        return str(self.wire_id)


class Attempt(models.Model):
    """One try of a message."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="log")
    claim_no = models.PositiveIntegerField()
    verdict = models.CharField(max_length=16)
    status = models.IntegerField(null=True)
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()

    class Meta:
        db_table = "attempts"
        constraints = [models.UniqueConstraint(fields=["message", "claim_no"], name="attempt_once")]

    def __str__(self) -> str:
        return f"{self.message_id} #{self.claim_no} {self.verdict}"
