"""Sees every task: its trace, its line in the log, its share of the figures."""

import time
from functools import partial
from typing import Any, Final

import structlog
from celery import Task
from celery.signals import (
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)
from structlog.contextvars import bind_contextvars, unbind_contextvars

from stalkerr import figures, telemetry, tracing

SENT_AT: Final = "stalkerr_sent_at"  # of a message to the broker; seconds since 1970
OUTCOMES: Final = {"SUCCESS": "done", "FAILURE": "failed", "RETRY": "retried"}
# Such as run all the time and say nothing but that they do: only for those who ask for all.
QUIET: Final = ("workers.tick", "workers.canary.")
_TELL_EVERY: Final = 1.0  # seconds

_log = structlog.get_logger("stalkerr.tasks")
_begun: dict[str, float] = {}
_told_at = 0.0


def headers() -> dict[str, Any]:
    """What goes along with a hint; nothing depends on it."""
    return {SENT_AT: time.time(), **tracing.headers()}


@task_prerun.connect
def begin(task_id: str, task: Task[Any, Any], **_: Any) -> None:
    _begun[task_id] = time.monotonic()
    trace_id = tracing.known(_header(task, tracing.HEADER)) or tracing.new_id()
    bind_contextvars(task_id=task_id, task=task.name, trace_id=trace_id)
    sent_at = _header(task, SENT_AT)
    if isinstance(sent_at, int | float):  # by another machine's clock, perhaps
        figures.TASK_WAIT.labels(task.name).observe(max(0.0, time.time() - sent_at))


@task_postrun.connect
def end(task_id: str, task: Task[Any, Any], state: str | None = None, **_: Any) -> None:
    outcome = OUTCOMES.get(state or "", "ignored")
    runtime = time.monotonic() - _begun.pop(task_id, time.monotonic())
    figures.TASKS.labels(task.name, outcome).inc()
    figures.TASK_SECONDS.labels(task.name).observe(runtime)
    telemetry.tell(
        task.name, runtime, {"task_id": task_id, "outcome": outcome}, failed=outcome == "failed"
    )
    is_quiet = outcome == "done" and task.name.startswith(QUIET)
    say = _log.debug if is_quiet else _log.warning if outcome == "failed" else _log.info
    say("task", outcome=outcome, runtime=round(runtime, 6))
    unbind_contextvars("task_id", "task", "trace_id")
    _tell()


def _header(task: Task[Any, Any], name: str) -> Any:
    return (task.request.get("headers") or {}).get(name) or task.request.get(name)


def _tell() -> None:
    global _told_at
    if time.monotonic() - _told_at >= _TELL_EVERY:
        figures.tell()
        _told_at = time.monotonic()


worker_process_init.connect(partial(lambda **_: figures.begin_anew()), weak=False)
worker_process_shutdown.connect(partial(lambda **_: figures.tell()), weak=False)
worker_process_shutdown.connect(partial(lambda **_: telemetry.finish()), weak=False)
