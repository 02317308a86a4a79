"""Backups as staff see them. None can be had here: they lie in the storage, for whoever may go there."""

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from workers.models import Backup


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    list_display = (
        *("name", "state", "taken_at", "bytes", "encrypted", "drill", "drilled_at"),
        *("drill_detail", "detail"),
    )
    list_filter = ("state", "drill", "encrypted")
    ordering = ("-taken_at",)
