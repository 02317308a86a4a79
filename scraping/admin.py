"""Where we look, and what came of it."""

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from scraping.models import Target, Visit


@admin.register(Target)
class TargetAdmin(ReadOnlyAdmin):
    list_display = (
        *("query", "kind", "marketplace", "next_visit_at", "visited_at", "completed_at"),
        *("failures", "blind_visits", "products_total"),
    )
    list_filter = ("kind", "marketplace", ("completed_at", admin.EmptyFieldListFilter))
    search_fields = ("query",)
    ordering = ("-id",)


@admin.register(Visit)
class VisitAdmin(ReadOnlyAdmin):
    list_display = (
        *("target", "outcome", "complete", "source", "started_at", "seconds"),
        *("pages", "products", "total_results", "others", "new", "changed", "events", "detail"),
    )
    list_select_related = ("target",)
    list_filter = ("outcome", "complete", "capped", "braked", "source", "target__marketplace")
    search_fields = ("target__query",)
    ordering = ("-id",)

    @admin.display(description="seconds")
    def seconds(self, visit: Visit) -> str:
        return f"{visit.duration.total_seconds():.1f}"
