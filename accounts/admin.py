"""Users as staff see them."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import ApiKey, FeedToken, Notice, RefreshToken, User
from accounts.refreshing import end_families
from stalkerr import clock

admin.site.unregister(Group)


class ReadOnlyAdmin(ModelAdmin):
    """For rows that only the product itself writes."""

    show_full_result_count = False  # a second count over a whole table

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    ordering = ("email",)
    list_display = (
        "email",
        "time_zone",
        "is_active",
        "is_staff",
        "alarms",
        "created_at",
        "left_at",
    )
    list_filter = ("is_active", "is_staff", "alarms", ("left_at", admin.EmptyFieldListFilter))
    search_fields = ("email",)
    readonly_fields = ("last_login", "created_at", "left_at")
    fieldsets = (
        (None, {"fields": ("email", "password", "time_zone")}),
        (
            "May",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("As operator", {"fields": ("alarms",)}),
        ("Since", {"fields": ("created_at", "last_login", "left_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "time_zone", "usable_password", "password1", "password2")}),
    )


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("subject", "user", "created_at", "fanned_out_at")
    list_select_related = ("user",)
    search_fields = ("subject", "=dedupe_key")
    ordering = ("-id",)


class DoorAdmin(ReadOnlyAdmin):
    """What opens a user's doors: no page shows the secret, or what is kept of it."""

    list_select_related = ("user",)
    ordering = ("-id",)
    actions = ("revoke",)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the user may use the action: the rows themselves can't be edited here."""
        return request.user.has_perm(f"accounts.delete_{self.opts.model_name}")

    @admin.action(description="Revoke: it opens nothing from now on", permissions=["act"])
    def revoke(self, request: HttpRequest, doors: QuerySet[Any]) -> None:
        self.log_deletions(request, doors)
        count, _ = doors.delete()
        self.message_user(request, f"{count} are revoked.")


@admin.register(ApiKey)
class ApiKeyAdmin(DoorAdmin):
    list_display = ("name", "prefix", "user", "scope", "created_at", "expires_at", "last_used_at")
    list_filter = ("scope", ("last_used_at", admin.EmptyFieldListFilter))
    search_fields = ("user__email", "=prefix", "name")
    fields = list_display


@admin.register(FeedToken)
class FeedTokenAdmin(DoorAdmin):
    list_display = ("__str__", "user", "watch_id", "created_at", "rotated_at")
    search_fields = ("user__email", "name")
    fields = ("name", "user", "watch_id", "remind_days", "created_at", "rotated_at")


@admin.register(RefreshToken)
class RefreshTokenAdmin(DoorAdmin):
    """Tokens by sign-in: all of one family end together."""

    list_display = (
        *("family", "user", "scope", "created_at", "expires_at", "spent_at", "revoked_at"),
    )
    list_filter = (
        "scope",
        ("spent_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("user__email", "=family")
    fields = list_display

    @admin.action(description="End the whole sign-in: sign in anew", permissions=["act"])
    def revoke(self, request: HttpRequest, doors: QuerySet[RefreshToken]) -> None:
        for token in doors:
            self.log_change(request, token, "ended its sign-in")
        families = {token.family for token in doors}
        count = end_families(families=families, now=clock.now())
        self.message_user(request, f"{count} sign-ins are ended.")


@admin.register(LogEntry)
class LogAdmin(ReadOnlyAdmin):
    """What staff did, by these pages or by the API."""

    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_select_related = ("user", "content_type")
    list_filter = ("action_flag",)
    search_fields = ("user__email", "object_repr")
    ordering = ("-id",)
    fields = (*list_display, "object_id", "action_flag")
