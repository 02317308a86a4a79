"""/api/admin/jobs: what ran when, and what came of it. To look at only; a hand on it: job_acts.py."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from api.rest.admin.operators import ID_MAX, OperatorsView, described
from api.rest.paging import SIZE, SIZE_MAX
from workers.ledger import history
from workers.ledger.history import Row
from workers.ledger.tables import OUTCOMES, STATES
from workers.schedule import jobs

ASKED: Final = (*OUTCOMES, "open")


class RunSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    job = serializers.CharField()
    slot = serializers.DateTimeField(help_text="When it was due.")
    attempt = serializers.IntegerField(help_text="1, 2, 3 … of its slot.")
    queue = serializers.CharField(allow_null=True)
    worker = serializers.CharField()
    task_id = serializers.CharField()
    trace_id = serializers.CharField(
        allow_null=True, help_text="In every line that was logged of it; else the task's id."
    )
    queued_at = serializers.DateTimeField(
        allow_null=True, help_text="When a worker was last told of it."
    )
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(
        allow_null=True, help_text="Null: it runs, or its worker died."
    )
    duration = serializers.SerializerMethodField(help_text="Seconds; null: it is not over.")
    outcome = serializers.ChoiceField(
        choices=OUTCOMES, allow_null=True, help_text="lost: its worker died, others took over."
    )
    rows = serializers.IntegerField(allow_null=True, help_text="How many it touched.")
    error = serializers.CharField(allow_null=True)

    def get_duration(self, row: Row) -> float | None:
        return row["duration"].total_seconds() if row["duration"] else None


class SlotSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    job = serializers.CharField()
    slot = serializers.DateTimeField(help_text="When it is due.")
    state = serializers.ChoiceField(choices=STATES)
    claim_no = serializers.IntegerField(help_text="How often it was begun.")
    tries = serializers.IntegerField(help_text="How often since it was opened, or replayed.")
    opened_by = serializers.ChoiceField(
        choices=("beat", "worker", "staff"),
        help_text="worker: no beat was there; staff: it is to run now.",
    )
    published_at = serializers.DateTimeField(allow_null=True, help_text="The last hint of it.")
    lease_expires_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    replayed_at = serializers.DateTimeField(allow_null=True, help_text="Staff wanted it again.")


class WholeRunSerializer(RunSerializer):
    of_slot = SlotSerializer(allow_null=True, help_text="Null: forgotten since.")
    attempts = RunSerializer(many=True, help_text="All runs of the slot, this one too.")


class PageSerializer(serializers.Serializer[Any]):
    page_size = serializers.IntegerField(min_value=1, max_value=SIZE_MAX, default=SIZE)
    job = serializers.CharField(max_length=100, required=False, help_text="By name.")

    def validate_job(self, name: str) -> str:
        """A name that nothing has is a mistake, not a job that never ran."""
        names = sorted(job.task for job in jobs())
        if name not in names:
            raise serializers.ValidationError(f"There are {', '.join(names)}.")
        return name


class RunsAskedSerializer(PageSerializer):
    outcome = serializers.ChoiceField(
        choices=ASKED, required=False, help_text="open: it runs, or its worker died just now."
    )
    cursor = serializers.IntegerField(
        min_value=1, max_value=ID_MAX, required=False, help_text="From `next` of the page before."
    )


class SlotsAskedSerializer(PageSerializer):
    state = serializers.ChoiceField(choices=STATES, required=False)
    cursor = serializers.CharField(
        max_length=200, required=False, help_text="From `next` of the page before."
    )

    def validate_cursor(self, text: str) -> tuple[dt.datetime, str]:
        moment, _, job = text.partition(" ")
        try:
            slot = dt.datetime.fromisoformat(moment)
            slot.astimezone(dt.UTC)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError("This is no cursor of ours.") from error
        if slot.tzinfo is None or not job:
            raise serializers.ValidationError("This is no cursor of ours.")
        return slot, job


class RunPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="The next page; null on the last.")
    results = RunSerializer(many=True)


class SlotPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="The next page; null on the last.")
    results = SlotSerializer(many=True)


class RunsView(OperatorsView):
    """What ran, the newest first."""

    @described("jobs_runs", RunPageSerializer, parameters=[RunsAskedSerializer])
    def get(self, request: Request) -> Response:
        asked = _asked(RunsAskedSerializer, request)
        size, before = asked.pop("page_size"), asked.pop("cursor", None)
        rows = history.runs(**asked, before=before, limit=size + 1)
        return _page(request, rows, size, RunSerializer, lambda row: str(row["id"]))


class SlotsView(OperatorsView):
    """What was due, the newest first, whether it ran or not."""

    @described("jobs_slots", SlotPageSerializer, parameters=[SlotsAskedSerializer])
    def get(self, request: Request) -> Response:
        asked = _asked(SlotsAskedSerializer, request)
        size, before = asked.pop("page_size"), asked.pop("cursor", None)
        rows = history.slots(**asked, before=before, limit=size + 1)
        return _page(request, rows, size, SlotSerializer, _place)


def _place(row: Row) -> str:
    return f"{row['slot'].isoformat()} {row['job']}"


class RunView(OperatorsView):
    """One run, what became of its slot, and the slot's other runs."""

    @described("jobs_run", WholeRunSerializer)
    def get(self, request: Request, pk: int) -> Response:
        row = history.run(pk) if pk <= ID_MAX else None
        if row is None:
            raise Http404
        of = {name: row[name] for name in ("job", "slot")}
        whole = {**row, "of_slot": history.slot_of(**of), "attempts": history.runs_of(**of)}
        return Response(WholeRunSerializer(whole).data)


def _asked(serializer: type[PageSerializer], request: Request) -> dict[str, Any]:
    asked = serializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _page(
    request: Request, rows: Sequence[Row], size: int, serializer: Any, cursor: Any
) -> Response:
    """The first `size` of `rows`, and where the next page is, if there are more."""
    following = None
    if len(rows) > size:
        url = request.build_absolute_uri()
        following = replace_query_param(url, "cursor", cursor(rows[size - 1]))
    return Response({"next": following, "results": serializer(rows[:size], many=True).data})
