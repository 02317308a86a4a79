"""Jobs as staff see them: how each stands, what ran, and a hand on what is to run."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin import ReadOnlyAdmin
from stalkerr import clock
from workers import operating, schedule, timetable
from workers.backups.admin import BackupAdmin
from workers.ledger.overview import JobState, overview
from workers.models import JobRun, JobSetting, JobSlot
from workers.timetable import VitalError
from workers.timing import TimingError

__all__ = ["BackupAdmin", "JobAdmin"]


class TimingForm(forms.ModelForm):  # type: ignore[type-arg]
    """When a job runs, in words."""

    class Meta:
        model = JobSetting
        fields = ("timing",)
        widgets = {"timing": UnfoldAdminTextInputWidget}

    def clean_timing(self) -> str:
        words: str = self.cleaned_data["timing"].strip()
        try:
            timetable.timed(schedule.find(self.instance.job), words)
        except (TimingError, KeyError) as error:
            raise forms.ValidationError(str(error)) from error
        return words


class JobList(ChangeList):
    """Rows that know how their jobs stand: asked once for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        states = _states()
        for row in self.result_list:
            row.state = states.get(row.job)


def _states() -> dict[str, JobState]:
    return {state.job: state for state in overview(jobs=timetable.jobs(), now=clock.now())}


def _shown(name: str, words: str) -> Callable[[Any, JobSetting], Any]:
    """A column out of a row's state; empty where the job is gone."""

    @admin.display(description=words)
    def column(_admin: Any, row: JobSetting) -> Any:
        return getattr(row.state, name, None)  # type: ignore[attr-defined]

    return column


@admin.register(JobSetting)
class JobAdmin(ReadOnlyAdmin):
    """Every job of the schedule: when it ran and will run, what waits, what failed and why."""

    form = TimingForm
    list_display = (
        *("job", "when", "missed", "paused", "last_run", "outcome", "next_run"),
        *("waiting", "running", "failed", "last_error"),
    )
    readonly_fields = (
        *("job", "paused", "since", "when", "missed", "last_run", "outcome", "next_run", "waiting"),
        *("running", "failed", "last_error", "last_error_at"),
    )
    fields = ("job", "timing", *readonly_fields[1:])
    ordering = ("job",)
    actions = ("run_now", "pause", "resume")

    when = _shown("timing", "runs")
    missed = _shown("missed", "missed slots run")
    last_run = _shown("last_started_at", "last run")
    outcome = _shown("last_outcome", "ended")
    next_run = _shown("next_at", "next run")
    waiting = _shown("waiting", "waiting")
    running = _shown("running", "running")
    failed = _shown("failed", "given up")
    last_error = _shown("last_error", "last error")
    last_error_at = _shown("last_error_at", "at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobSetting]:
        """The jobs that there are: a row may be left of one that is gone."""
        rows: QuerySet[JobSetting] = super().get_queryset(request)
        return rows.filter(job__in=[job.task for job in schedule.jobs()])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.state = _states().get(row.job)
        return row

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_act_permission(request)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("workers.change_jobsetting"))

    def save_model(
        self,
        request: HttpRequest,
        obj: JobSetting,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        timetable.retime(task=obj.job, words=obj.timing, now=clock.now())

    @admin.action(description="Run now, once", permissions=["act"])
    def run_now(self, request: HttpRequest, rows: QuerySet[JobSetting]) -> None:
        for row in rows:
            _, is_new = operating.run_now(task=row.job, now=clock.now())
            if is_new:
                self.log_change(request, row, "run now")
        self.message_user(request, "They run now, or as soon as a worker is free.")

    @admin.action(description="Pause: open no more slots", permissions=["act"])
    def pause(self, request: HttpRequest, rows: QuerySet[JobSetting]) -> None:
        self._each(request, rows, timetable.pause, "paused")

    @admin.action(description="Resume with the next slot", permissions=["act"])
    def resume(self, request: HttpRequest, rows: QuerySet[JobSetting]) -> None:
        self._each(request, rows, timetable.resume, "resumed")

    def _each(
        self, request: HttpRequest, rows: QuerySet[JobSetting], do: Callable[..., None], words: str
    ) -> None:
        for row in rows:
            try:
                do(task=row.job, now=clock.now())
            except VitalError as error:
                self.message_user(request, f"{row.job}: {error}", messages.ERROR)
            else:
                self.log_change(request, row, words)


class OfJob(admin.SimpleListFilter):
    """By job, as the schedule names them: the table is not read for its names."""

    title = parameter_name = "job"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(job.task, job.task) for job in schedule.jobs()]

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(job=self.value()) if self.value() else rows


@admin.register(JobSlot)
class SlotAdmin(ReadOnlyAdmin):
    list_display = (
        *("job", "slot", "state", "claim_no", "opened_by", "published_at", "finished_at"),
    )
    list_filter = ("state", OfJob, "replayed_at")
    ordering = ("-slot", "job")
    actions = ("replay",)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("workers.change_jobslot"))

    @admin.action(description="Replay what was given up", permissions=["act"])
    def replay(self, request: HttpRequest, rows: QuerySet[JobSlot]) -> None:
        count, now = 0, clock.now()
        for row in rows:
            with suppress(operating.NotFailedError, KeyError):  # or its job is gone
                operating.replay(slot_id=row.pk, now=now)
                self.log_change(request, row, "replayed")
                count += 1
        self.message_user(request, f"{count} run again; the others were not given up.")


@admin.register(JobRun)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        *("job", "slot", "attempt", "outcome", "started_at", "duration", "rows", "worker"),
        *("error",),
    )
    list_filter = ("outcome", OfJob)
    search_fields = ("=task_id", "=trace_id")
    ordering = ("-id",)
