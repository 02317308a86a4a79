"""How people hear it. No page shows a secret."""

from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from accounts.admin import ReadOnlyAdmin, UserAdmin
from accounts.models import User
from catalog.admin import AudiobookAdmin
from catalog.models import Audiobook, Work
from notifications.channels.base import Verdict
from notifications.merging import join_works, split_edition
from notifications.models import Attempt, Channel, Delivery, Destination, Message, Route, Told
from notifications.registration import shown_config
from notifications.replaying import (
    NotReplayableError,
    replay_deliveries,
    replay_held,
    replay_messages,
)
from notifications.services import disable_channel, enable_channel
from notifications.trial import Trial, try_channels
from notifications.wishes import follow_zones
from stalkerr import clock
from stalkerr.crypto import UnreadableSecretError

TESTED_AT_ONCE = 10  # channels: a person waits for the slowest


@admin.register(Channel)
class ChannelAdmin(ReadOnlyAdmin):
    list_display = (
        *("__str__", "kind", "user", "unconfirmed_since", "disabled_at", "disabled_reason"),
        "created_at",
    )
    list_select_related = ("user",)
    list_filter = (
        "kind",
        ("disabled_at", admin.EmptyFieldListFilter),
        ("unconfirmed_since", admin.EmptyFieldListFilter),
    )
    search_fields = ("name", "user__email")
    ordering = ("-id",)
    fields = (
        *("user", "kind", "name", "address", "destination", "timing"),
        *("headline_template", "body_template"),
        *("unconfirmed_since", "disabled_at", "disabled_reason", "created_at"),
    )
    actions = ("disable", "enable", "replay", "test")

    @admin.display(description="settings")
    def address(self, channel: Channel) -> str:
        """What may be shown of its settings."""
        try:
            shown = shown_config(channel)
        except UnreadableSecretError as error:
            return str(error)
        return ", ".join(f"{field}: {value}" for field, value in shown.items()) or "secret"

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the user may use the actions: the rows themselves can't be edited here."""
        return request.user.has_perm("notifications.change_channel")

    @admin.action(description="Disable: hold what is due", permissions=["act"])
    def disable(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        now = clock.now()
        for channel in channels.filter(disabled_at=None):
            disable_channel(channel=channel, reason="Disabled by the operator.", now=now)

    @admin.action(description="Enable", permissions=["act"])
    def enable(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        for channel in channels.exclude(disabled_at=None):
            enable_channel(channel=channel)

    @admin.action(description="Replay what was held (if enabled, confirmed)", permissions=["act"])
    def replay(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        now, count = clock.now(), 0
        for channel in channels:
            with suppress(NotReplayableError):
                count += replay_held(channel=channel, now=now)
        self.message_user(request, f"{count} messages go out now.")

    @admin.action(description=f"Send a test (to {TESTED_AT_ONCE} at most)", permissions=["act"])
    def test(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        chosen = list(channels.order_by("id")[:TESTED_AT_ONCE])
        for channel, trial in zip(
            chosen, try_channels(channels=chosen, now=clock.now()), strict=True
        ):
            accepted = trial.outcome.verdict is Verdict.ACCEPTED
            level = messages.SUCCESS if accepted else messages.ERROR
            self.message_user(request, f"{channel}: {_words(trial)}", level)


def _words(trial: Trial) -> str:
    milliseconds = round(trial.duration.total_seconds() * 1000)
    verdict = trial.outcome.verdict.value.replace("_", " ")
    return f"{verdict} after {milliseconds} ms. {trial.outcome.detail}"


@admin.register(Route)
class RouteAdmin(ReadOnlyAdmin):
    list_display = ("channel", "watch", "user", "event_kinds")
    list_select_related = ("channel", "watch", "user")
    search_fields = ("user__email", "watch__query")
    ordering = ("-id",)


@admin.register(Destination)
class DestinationAdmin(ReadOnlyAdmin):
    list_display = ("address", "kind", "failures", "open_until", "sent_total", "failed_total")
    list_filter = ("kind", ("open_until", admin.EmptyFieldListFilter))
    search_fields = ("address",)
    ordering = ("-id",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("news", "channel", "user", "state", "due_at", "created_at", "message")
    list_select_related = ("event__audiobook", "notice", "channel", "user", "message")
    list_filter = ("state", "channel_kind")
    search_fields = ("user__email", "=event__audiobook__asin", "event__audiobook__title")
    ordering = ("-id",)
    actions = ("replay",)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_delivery")

    @admin.action(description="Replay what is held or failed", permissions=["act"])
    def replay(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        now = clock.now()
        rows = list(deliveries.values_list("id", "message"))
        count = replay_deliveries(ids=[id for id, message in rows if message is None], now=now)
        count += replay_messages(ids=[message for _, message in rows if message], now=now)
        self.message_user(request, f"{count} go out again; the others do not wait for it.")

    @admin.display(description="news")
    def news(self, delivery: Delivery) -> str:
        if delivery.event:
            return f"{delivery.event.kind}: {delivery.event.audiobook.title}"
        return f"notice: {delivery.notice}"


class AttemptInline(TabularInline):
    model = Attempt
    fields = ("claim_no", "started_at", "duration_ms", "verdict", "status", "detail")
    readonly_fields = fields
    ordering = ("claim_no",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, *_: object) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = (
        *("wire_id", "channel", "state", "tries", "created_at", "next_attempt_at"),
        *("finalized_at", "reason"),
    )
    list_select_related = ("channel",)
    list_filter = ("state", "channel_kind")
    search_fields = ("=wire_id", "channel__user__email")
    ordering = ("-id",)
    inlines = (AttemptInline,)
    actions = ("resend",)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_message")

    @admin.action(description="Send failed and held ones again", permissions=["act"])
    def resend(self, request: HttpRequest, chosen: QuerySet[Message]) -> None:
        count = replay_messages(ids=chosen.values_list("id", flat=True), now=clock.now())
        self.message_user(request, f"{count} messages go out again.")


@admin.register(Told)
class ToldAdmin(ReadOnlyAdmin):
    list_display = ("work", "kind", "value", "channel", "told_at", "retold_at")
    list_select_related = ("work", "channel")
    list_filter = ("kind",)
    search_fields = ("work__title", "channel__user__email")
    ordering = ("-id",)


admin.site.unregister(Audiobook)


@admin.register(Audiobook)
class EditionAdmin(AudiobookAdmin):
    """Audiobooks, with what a person may say of their works: what was told of them follows."""

    actions = ("same_book", "another_book")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.change_audiobook")

    @admin.action(description="Same book: one work for all selected", permissions=["act"])
    def same_book(self, request: HttpRequest, audiobooks: QuerySet[Audiobook]) -> None:
        works = list(Work.objects.filter(audiobooks__in=audiobooks).distinct().order_by("id"))
        join_works(into=works[0], works=works)
        self.message_user(request, "Same book: they stay together, whatever the store says.")

    @admin.action(description="Another book: a work of its own for each", permissions=["act"])
    def another_book(self, request: HttpRequest, audiobooks: QuerySet[Audiobook]) -> None:
        for audiobook in audiobooks.order_by("id"):
            split_edition(audiobook=audiobook)
        self.message_user(request, "Another book: each has its own work, whatever the store says.")


admin.site.unregister(User)


@admin.register(User)
class ListenerAdmin(UserAdmin):
    """Users, whose channels' digests and quiet hours follow their clock."""

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        if change:
            follow_zones(users=[obj], now=clock.now())
