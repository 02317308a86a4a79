"""The two kinds of broker, each with room of its own, and what is put into them by hand."""

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from redis import Redis

PREFIX = "stalkerr:"
RABBITMQ = ("127.0.0.1", 5672)


@contextmanager
def redis_broker() -> Iterator[str]:
    """The test run's own, without what others left there."""
    url = os.environ["BROKER_URL"]
    if not url.startswith("redis"):
        pytest.skip("BROKER_URL is no Redis")
    _forget(url)
    yield url
    _forget(url)


def _forget(url: str) -> None:
    with Redis.from_url(url) as redis:
        for key in redis.scan_iter(f"{PREFIX}*", count=1000):
            redis.delete(key)


@contextmanager
def rabbitmq() -> Iterator[str]:
    """A virtual host of RabbitMQ on its standard port, made for one test."""
    name = f"stalkerr-test-{uuid.uuid4().hex[:8]}"
    reason = why_no_rabbitmq()
    if reason:
        pytest.skip(reason)
    _ctl("add_vhost", name)
    try:
        _ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield f"amqp://guest:guest@{RABBITMQ[0]}:{RABBITMQ[1]}/{name}"
    finally:
        _ctl("delete_vhost", name)


def why_no_rabbitmq() -> str:
    """Why there is none to be had here; nothing where there is."""
    with socket.socket() as probe:
        if probe.connect_ex(RABBITMQ):
            return "no RabbitMQ listens on port 5672"
    if not shutil.which("rabbitmqctl"):
        return "there is no rabbitmqctl to make a virtual host with"
    if _ctl("list_vhosts", check=False).returncode:
        return "rabbitmqctl may not make a virtual host: it needs the server's cookie"
    return ""


def _ctl(*words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 (the words are ours)
        [shutil.which("rabbitmqctl") or "", "--quiet", *words],
        check=check,
        capture_output=True,
        text=True,
        timeout=60,
    )


BROKERS = {"redis": redis_broker, "rabbitmq": rabbitmq}


def connect(url: str) -> Connection:
    options = {"global_keyprefix": PREFIX} if url.startswith("redis") else {}
    return Connection(url, transport_options=options)


def give(url: str, task: str, *, queue: str = "tick", **arguments: Any) -> None:
    """A hint, as Celery writes it, into a queue that a worker has made."""
    message = Celery(set_as_current=False).amqp.as_task_v2(
        str(uuid.uuid4()), task, args=(), kwargs=arguments
    )
    put(url, message.body, queue=queue, headers=message.headers, serializer="json")


def put(url: str, body: Any, *, queue: str = "tick", **options: Any) -> None:
    """A message of any sort."""
    with connect(url) as connection:
        connection.Producer().publish(body, routing_key=queue, **options)


def waiting(url: str, queue: str) -> int:
    """Messages in a queue that no worker holds; amqp.NotFound where RabbitMQ knows none."""
    if url.startswith("redis"):
        with Redis.from_url(url) as redis:
            return int(redis.llen(f"{PREFIX}{queue}"))
    with connect(url) as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue, passive=True).message_count)
