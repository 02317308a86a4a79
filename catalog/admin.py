"""What exists, what was news, who cares."""

from typing import Any

from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin import ReadOnlyAdmin
from catalog import brake
from catalog.models import (
    Audiobook,
    Contributor,
    Credit,
    Import,
    ImportItem,
    ReleaseEvent,
    Series,
    SeriesEntry,
    Watch,
    WatchQuery,
)
from catalog.watching import end_watch, save_watch
from stalkerr import clock


class ReadOnlyInline(TabularInline):
    """Rows beside a row, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CreditInline(ReadOnlyInline):
    model = Credit
    fields = ("role", "contributor")
    ordering = ("position",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credit]:
        rows: QuerySet[Credit] = super().get_queryset(request)
        return rows.select_related("contributor")


class PlaceInline(ReadOnlyInline):
    model = SeriesEntry
    fields = ("series", "sequence")
    verbose_name_plural = "series"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SeriesEntry]:
        rows: QuerySet[SeriesEntry] = super().get_queryset(request)
        return rows.select_related("series")


class EventInline(ReadOnlyInline):
    model = ReleaseEvent
    fields = ("revision", "kind", "seen_at", "old_date", "new_date", "found_late", "unconfirmed")
    ordering = ("revision",)


@admin.register(Audiobook)
class AudiobookAdmin(ReadOnlyAdmin):
    list_display = ("title", "marketplace", "asin", "release_date", "language", "first_seen_at")
    list_filter = ("marketplace", "language", ("hidden_at", admin.EmptyFieldListFilter))
    search_fields = ("title", "=asin")
    ordering = ("-id",)
    inlines = (CreditInline, PlaceInline, EventInline)
    fields = (
        *("marketplace", "asin", "title", "subtitle", "language", "release_date", "url"),
        *("publisher", "runtime_minutes", "format_type", "content_type", "delivery_type"),
        *("kind", "voice", "traits", "provenance", "work", "work_pinned"),
        *("summary", "isbn", "sku", "cover_url", "genres", "publication_at", "launched_at"),
        *("first_seen_at", "fetched_at", "last_checked_at", "out_at", "withdrawn_at", "metadata"),
        *("corrections", "hidden_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Audiobook]:
        rows: QuerySet[Audiobook] = super().get_queryset(request)
        return rows.select_related("check_row").defer("search_vector", "match_keys", "folded")

    @admin.display(description="last checked")
    def last_checked_at(self, audiobook: Audiobook) -> Any:
        return audiobook.check_row.last_checked_at if hasattr(audiobook, "check_row") else None


@admin.register(Contributor)
class ContributorAdmin(ReadOnlyAdmin):
    list_display = ("name", "asin")
    search_fields = ("name", "=asin")
    ordering = ("-id",)


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin):
    list_display = ("title", "marketplace", "asin")
    list_filter = ("marketplace",)
    search_fields = ("title", "=asin")
    ordering = ("-id",)


class HeldFilter(admin.SimpleListFilter):
    """News that a visit brought too much of, or that a restore may have forgotten."""

    title = "held"
    parameter_name = "held"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "waits for a person")]

    def queryset(
        self, _request: HttpRequest, events: QuerySet[ReleaseEvent]
    ) -> QuerySet[ReleaseEvent]:
        return events.exclude(braked_at=None) if self.value() else events


@admin.register(ReleaseEvent)
class ReleaseEventAdmin(ReadOnlyAdmin):
    list_display = (
        *("kind", "audiobook", "old_date", "new_date", "seen_at", "fanned_out_at", "braked_at"),
    )
    list_select_related = ("audiobook",)
    list_filter = (
        HeldFilter,
        "kind",
        "unconfirmed",
        "found_late",
        ("fanned_out_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("audiobook__title", "=audiobook__asin")
    ordering = ("-id",)
    actions = ("tell", "drop")

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the user may use the actions: the rows themselves can't be edited here."""
        return request.user.has_perm("catalog.change_releaseevent")

    @admin.action(description="Tell what is held: it is true", permissions=["act"])
    def tell(self, request: HttpRequest, events: QuerySet[ReleaseEvent]) -> None:
        count = brake.tell_braked(event_ids=events.values_list("id", flat=True))
        self.message_user(request, f"{count} held pieces of news are told now.")

    @admin.action(description="Let what is held count as told", permissions=["act"])
    def drop(self, request: HttpRequest, events: QuerySet[ReleaseEvent]) -> None:
        ids = events.values_list("id", flat=True)
        count = brake.drop_braked(event_ids=ids, now=clock.now())
        self.message_user(request, f"{count} held pieces of news are told to nobody.")


class QueryInline(ReadOnlyInline):
    model = WatchQuery
    fields = ("marketplace", "kind", "query", "active_from")


@admin.register(Watch)
class WatchAdmin(ModelAdmin):
    """Saved and ended by the same services as everywhere."""

    list_display = ("query", "kind", "user", "marketplaces", "muted", "snoozed_until", "ended_at")
    list_select_related = ("user",)
    list_filter = ("kind", "muted", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("query", "=asin", "user__email")
    autocomplete_fields = ("user",)
    ordering = ("-id",)
    show_full_result_count = False
    # A query and lists of words fit on one line.
    formfield_overrides = {
        models.TextField: {"widget": UnfoldAdminTextInputWidget},
        ArrayField: {"widget": UnfoldAdminTextInputWidget},
    }
    actions = ("end",)
    fields = (
        *("user", "kind", "query", "asin", "aliases", "marketplaces", "languages", "hidden"),
        "excluded_words",
        *("event_kinds", "include_announced", "per_edition", "muted", "snoozed_until"),
    )

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Watch | None:
        """The row; locked until the commit where it is to be written, or an edit revives one that ends."""
        watch: Watch | None = super().get_object(request, *args, **kwargs)
        if watch is None or request.method != "POST":
            return watch
        return Watch.objects.select_for_update(no_key=True).filter(pk=watch.pk).first()

    def get_inlines(self, request: HttpRequest, obj: Watch | None) -> tuple[type, ...]:
        return (QueryInline,) if obj else ()

    def get_readonly_fields(
        self, request: HttpRequest, obj: Watch | None = None
    ) -> tuple[str, ...]:
        return ("user",) if obj else ()  # its keys and promises are that user's

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # ended, so that its promises are taken back

    def has_change_permission(self, request: HttpRequest, obj: Watch | None = None) -> bool:
        may: bool = super().has_change_permission(request, obj)
        return may and (obj is None or obj.ended_at is None)

    def save_model(
        self,
        request: HttpRequest,
        obj: Watch,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        save_watch(watch=obj, now=clock.now())

    @admin.action(description="End the selected watches", permissions=["change"])
    def end(self, request: HttpRequest, watches: QuerySet[Watch]) -> None:
        now = clock.now()
        for watch in watches.filter(ended_at=None):
            end_watch(watch=watch, now=now)
        self.message_user(request, "They are ended; what they had promised is taken back.")


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ("kind", "user", "state", "marketplaces", "known", "created_at", "applied_at")
    list_select_related = ("user",)
    list_filter = ("kind", "state")
    search_fields = ("user__email",)
    ordering = ("-id",)


@admin.register(ImportItem)
class ImportItemAdmin(ReadOnlyAdmin):
    list_display = ("title", "kind", "watch_kind", "titles", "is_chosen", "done_at", "reason")
    list_filter = ("kind", "is_chosen")
    search_fields = ("title", "=imported__user__email")
    ordering = ("-id",)
    fields = (
        *("imported", "kind", "title", "watch_kind", "asin", "titles", "audiobook", "reason"),
        *("is_chosen", "done_at"),
    )
