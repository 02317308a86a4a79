"""/api/admin/jobs/schedule: how each job stands; run one now, pause it, run a failed slot again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.http import Http404
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ConflictError
from api.rest.admin.jobs import SlotSerializer
from api.rest.admin.operators import ID_MAX, OperatorsView, described, log
from stalkerr import clock
from workers import operating, timetable
from workers.ledger import history
from workers.ledger.overview import JobState, overview
from workers.models import JobSetting, JobSlot
from workers.operating import NotFailedError
from workers.timetable import VitalError


class JobSerializer(serializers.Serializer[Any]):
    job = serializers.CharField()
    queue = serializers.CharField()
    timing = serializers.CharField(help_text="When it runs, in words.")
    missed = serializers.ChoiceField(
        choices=("once", "skip", "each"), help_text="What becomes of slots that were missed."
    )
    paused = serializers.BooleanField()
    next_at = serializers.DateTimeField(allow_null=True, help_text="Null: paused.")
    running = serializers.IntegerField(help_text="Slots that run now.")
    waiting = serializers.IntegerField(help_text="Slots that are due.")
    waits_since = serializers.DateTimeField(allow_null=True, help_text="The oldest of them.")
    failed = serializers.IntegerField(help_text="Slots that were given up and wait for a person.")
    last_run = serializers.IntegerField(allow_null=True, help_text="By id.")
    last_started_at = serializers.DateTimeField(allow_null=True)
    last_finished_at = serializers.DateTimeField(allow_null=True)
    last_outcome = serializers.CharField(allow_null=True, help_text="Null: it runs, or never ran.")
    last_duration = serializers.SerializerMethodField(help_text="Seconds.")
    last_error = serializers.CharField(
        allow_null=True, help_text="Of the last run that failed or was lost."
    )
    last_error_at = serializers.DateTimeField(allow_null=True)
    last_error_run = serializers.IntegerField(allow_null=True)

    def get_last_duration(self, state: JobState) -> float | None:
        return state.last_duration.total_seconds() if state.last_duration else None


class ScheduleSerializer(serializers.Serializer[Any]):
    results = JobSerializer(many=True)


class ScheduleView(OperatorsView):
    """Every job: when it ran and will run, what runs, what waits, what failed and why."""

    @described("jobs_schedule", ScheduleSerializer)
    def get(self, _request: Request) -> Response:
        states = overview(jobs=timetable.jobs(), now=clock.now())
        return Response({"results": JobSerializer(states, many=True).data})


class RunJobView(OperatorsView):
    """Run a job now, between its slots, paused or not.

    Whoever asks again while that run is unfinished, or within ten seconds, gets the same slot.
    """

    @described("jobs_run_now", {201: SlotSerializer, 200: SlotSerializer})
    def post(self, request: Request, job: str) -> Response:
        with _found():
            slot, is_new = operating.run_now(task=job, now=clock.now())
        if is_new:
            log(request, JobSetting(job=job), f"run now: {slot.isoformat()}")
        row = history.slot_of(job=job, slot=slot)
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(SlotSerializer(row).data, status=code)


class PauseJobView(OperatorsView):
    """No slot of it is opened from now on; what runs goes on. It can still be run by hand."""

    @described("jobs_pause", JobSerializer)
    def post(self, request: Request, job: str) -> Response:
        return _changed(request, job, timetable.pause, "paused")


class ResumeJobView(OperatorsView):
    """It goes on with its next slot; none that was missed meanwhile is run."""

    @described("jobs_resume", JobSerializer)
    def post(self, request: Request, job: str) -> Response:
        return _changed(request, job, timetable.resume, "resumed")


class ReplaySlotView(OperatorsView):
    """A slot that was given up is due again, with all its tries. 409 where it was not."""

    @described("jobs_replay", SlotSerializer)
    def post(self, request: Request, pk: int) -> Response:
        if pk > ID_MAX:
            raise Http404
        try:
            with _found(), transaction.atomic():
                log(request, JobSlot(pk=pk, **_name(pk)), "replayed")
                operating.replay(slot_id=pk, now=clock.now())
        except NotFailedError as error:
            raise ConflictError(str(error)) from error
        return Response(SlotSerializer(history.slot(pk)).data)


def _name(slot_id: int) -> dict[str, Any]:
    row = history.slot(slot_id)
    if row is None:
        raise KeyError(slot_id)
    return {name: row[name] for name in ("job", "slot")}


@contextmanager
def _found() -> Iterator[None]:
    """There is no such job, or slot: 404."""
    try:
        yield
    except KeyError as error:
        raise Http404 from error


def _changed(request: Request, job: str, do: Callable[..., None], words: str) -> Response:
    now = clock.now()
    try:
        with _found(), transaction.atomic():
            log(request, JobSetting(job=job), words)
            do(task=job, now=now)
    except VitalError as error:
        raise ConflictError(str(error)) from error
    jobs = [each for each in timetable.jobs() if each.task == job]
    (state,) = overview(jobs=jobs, now=now)
    return Response(JobSerializer(state).data)
