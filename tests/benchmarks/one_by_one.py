"""The way that `tell` is measured against: a Celery task and a `requests.post` for each message."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import Popen

import requests
from celery import Celery

from stalkerr.processes import environment
from tests.benchmarks.responder import Sent, answered
from tests.sinks import wait_until

APP = "tests.benchmarks.one_by_one"
QUEUE = "one_by_one"

app = Celery(APP, broker=os.environ.get("BROKER_URL", ""), set_as_current=False)
app.conf.update(task_ignore_result=True, task_default_queue=QUEUE, worker_hijack_root_logger=False)


@app.task(name="post")
def post(url: str, headers: dict[str, str], body: str) -> None:
    requests.post(url, data=body.encode(), headers=headers, timeout=15).raise_for_status()


@contextmanager
def worker(url: str) -> Iterator[None]:
    """A worker with one child, which has already posted to `url` once."""
    command = [sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "-A", APP, "worker"]
    options = ["--concurrency=1", "-Q", QUEUE, "--without-gossip", "--without-mingle"]
    with tempfile.TemporaryFile() as log:
        process = Popen([*command, *options], env=environment(), stdout=log, stderr=log)  # noqa: S603
        try:
            send([(url, {}, "{}")], url)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def send(messages: Sequence[Sent], url: str) -> float:
    """Seconds from the first task given to the last request answered at `url`."""
    before = answered(url)
    begun = time.perf_counter()
    for message in messages:
        post.delay(*message)
    wait_until(lambda: answered(url) >= before + len(messages), within=120, every=0.01)
    return time.perf_counter() - begun
