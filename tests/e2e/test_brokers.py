"""Workers and their brokers: what is hostile, what kills, and how a worker ends."""

import base64
import json
import pickle
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from amqp import NotFound
from redis import Redis

from stalkerr.broker import DEAD, DELIVERIES
from stalkerr.celeryconfig import QUEUES
from stalkerr.processes import environment, read_procfile
from tests.brokers import BROKERS, PREFIX, give, put, rabbitmq, redis_broker, waiting
from tests.e2e.crew import Crew, celery, database_url
from tests.sinks import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

ONE_CHILD = ["--concurrency=1", "--without-gossip", "--without-mingle", "-I", "tests.e2e.notes"]


@contextmanager
def worker(url: str, logs: Path) -> Iterator[Crew]:
    """One worker with one child for all queues, that is started again when it ends."""
    command = celery("worker", "-Q", ",".join(QUEUES), "-n", "one@test", *ONE_CHILD)
    with crew_of({"worker": command}, url, logs) as crew:
        yield crew


@contextmanager
def crew_of(commands: dict[str, list[str]], url: str, logs: Path) -> Iterator[Crew]:
    env = environment(
        DJANGO_SETTINGS_MODULE="stalkerr.settings.test",
        DATABASE_URL=database_url(),
        BROKER_URL=url,
        LOG_LEVEL="INFO",
    )
    crew = Crew(commands, env=env, logs=logs, delay=0.1)
    crew.start()
    try:
        yield crew
    finally:
        crew.stop(patience=5)


def is_read(url: str, notes: Path, queue: str = "tick") -> None:
    """A hint given now is taken."""
    before = begun(notes)
    wait_until(lambda: has_queue(url, queue), within=60, every=0.1)
    give(url, "tests.note", queue=queue, path=str(notes))
    wait_until(lambda: begun(notes) == before + 1, within=60)


def has_queue(url: str, queue: str) -> bool:
    """On RabbitMQ a queue is there once a worker has made it; on Redis it need not be."""
    try:
        waiting(url, queue)
    except NotFound:
        return False
    return True


def begun(notes: Path) -> int:
    return notes.read_text().count("begun") if notes.exists() else 0


# -- what is hostile -----------------------------------------------------------------------------


class Evil:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def envelope(body: bytes, kind: str = "application/json", **headers: Any) -> dict[str, Any]:
    """A message as kombu lays it into Redis."""
    names = {"lang": "py", "task": "tests.note", "id": "1", "root_id": "1", **headers}
    delivery = {"exchange": "", "routing_key": "tick"}
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": kind,
        "content-encoding": "utf-8",
        "headers": names,
        "properties": {
            "delivery_info": delivery,
            "delivery_tag": "1",
            "body_encoding": "base64",
        },
    }


DEEP = b"[" * 100_000 + b"]" * 100_000
HINT = b"[[], {}, {}]"
# Each is wrong in one way; `tests.note` would leave a note if it were run.
HEADERS: dict[str, dict[str, Any]] = {
    "unknown task": {"task": "os.system"},
    "no task": {"task": None},
    "no retries": {"retries": "x"},
    "no moment": {"eta": "yesterday"},
    "no end": {"expires": {"a": 1}},
    "no limit": {"timelimit": "x"},
    "limits of words": {"timelimit": ["a", "b"]},
}
BODIES = {
    "no arguments": b"7",
    "others' arguments": b'[[1, 2], {"a": 1}, {}]',
    "deep": DEEP,
    "huge": json.dumps([["x" * 20_000_000], {}, {}]).encode(),
    "no JSON": b"\xff\xfe",
}


def hostile(path: Path) -> dict[str, bytes]:
    """What may be pushed into a list of Redis."""
    evil = pickle.dumps(Evil(path))
    messages = {
        "pickle": envelope(evil, "application/x-python-serialize"),
        "YAML": envelope(b"!!python/object/apply:os.abort []", "application/x-yaml"),
        "bomb": envelope(zlib.compress(b"0" * 10_000_000), compression="application/x-gzip"),
        "no base64": envelope(b"") | {"body": "@"},
        "list of headers": envelope(HINT) | {"headers": []},
        "no tag": envelope(HINT) | {"properties": {}},
        "list of properties": envelope(HINT) | {"properties": [1]},
        "no parts": {},
        **{name: envelope(HINT, **headers) for name, headers in HEADERS.items()},
        **{f"body: {name}": envelope(body) for name, body in BODIES.items()},
    }
    raw = {"raw pickle": evil, "raw depth": DEEP, "half a depth": b"[" * 200_000}
    raw |= {"empty": b"", "number": b"5", "null": b"null", "digits": b"1" * 100_000}
    raw |= {"words": b"hello", "bytes": b"\xff\xfe\x00"}
    return raw | {name: json.dumps(message).encode() for name, message in messages.items()}


def test_what_is_pushed_into_redis_runs_no_code_and_ends_no_worker(tmp_path: Path) -> None:
    """Proves the guards Channel._read and check_headers: without the first, a word ends the worker;
    without the other, its only child is never free again."""
    notes, mark = tmp_path / "notes", tmp_path / "mark"
    with redis_broker() as url, worker(url, tmp_path) as crew, Redis.from_url(url) as redis:
        is_read(url, notes)
        for message in hostile(mark).values():
            redis.lpush(f"{PREFIX}tick", message, message)
        is_read(url, notes)
        assert crew.starts() == {"worker": 1}
        # What stays there, the next worker would read again.
        wait_until(lambda: redis.hlen(f"{PREFIX}unacked") == 0)
    assert begun(notes) == 2
    assert not mark.exists()


def test_what_is_published_to_rabbitmq_runs_no_code_and_ends_no_worker(tmp_path: Path) -> None:
    """Proves the guard Reader: without it a body that is a number ends every worker, one by one."""
    notes, mark = tmp_path / "notes", tmp_path / "mark"
    evil = pickle.dumps(Evil(mark))
    names = envelope(b"")["headers"]
    with rabbitmq() as url, worker(url, tmp_path) as crew:
        is_read(url, notes)
        put(
            url,
            evil,
            headers=names,
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )
        for body in BODIES.values():
            put(url, body, headers=names, content_type="application/json", content_encoding="utf-8")
        for headers in HEADERS.values():
            put(
                url,
                HINT,
                headers=names | headers,
                content_type="application/json",
                content_encoding="utf-8",
            )
        put(url, b"hello", content_type="text/plain", content_encoding="utf-8")
        is_read(url, notes)
        assert crew.starts() == {"worker": 1}
        wait_until(lambda: waiting(url, DEAD) >= len(HEADERS))  # refused ones can be looked at
    assert begun(notes) == 2
    assert not mark.exists()


# -- what kills ------------------------------------------------------------------------------------


@pytest.mark.parametrize("broker", BROKERS)
def test_a_task_that_kills_its_child_runs_once(broker: str, tmp_path: Path) -> None:
    """task_reject_on_worker_lost = False: else it would be given again for ever."""
    notes, poison = tmp_path / "notes", tmp_path / "poison"
    with BROKERS[broker]() as url, worker(url, tmp_path) as crew:
        is_read(url, notes)
        give(url, "tests.kill_child", path=str(poison))
        wait_until(lambda: begun(poison) == 1, within=30)
        for _ in range(3):
            is_read(url, notes)
        assert begun(poison) == 1
        assert crew.starts() == {"worker": 1}


@pytest.mark.long
@pytest.mark.parametrize("broker", BROKERS)
def test_a_task_that_kills_its_worker_has_an_end(broker: str, tmp_path: Path) -> None:
    """x-delivery-limit: RabbitMQ gives it to the next worker at once."""
    notes, poison = tmp_path / "notes", tmp_path / "poison"
    again = DELIVERIES if broker == "rabbitmq" else 0
    with BROKERS[broker]() as url, worker(url, tmp_path) as crew:
        is_read(url, notes)
        give(url, "tests.kill_worker", path=str(poison))
        wait_until(lambda: crew.starts()["worker"] == 2 + again, within=120)
        is_read(url, notes)
        assert begun(poison) == 1 + again
        if broker == "rabbitmq":
            assert waiting(url, DEAD) == 1


# -- what takes long -------------------------------------------------------------------------------


@pytest.mark.long
def test_a_job_of_ten_minutes_delays_nothing_and_ends_when_its_process_is_asked_to(
    tmp_path: Path,
) -> None:
    """The Procfile: a keeper of its own, and its REMAP_SIGTERM."""
    notes, long = tmp_path / "notes", tmp_path / "long"
    lines = {
        name: line
        for name, line in read_procfile().items()
        if name in ("worker", "scraper", "keeper")
    }
    commands = {name: [*line[:2], f"{line[2]} -I tests.e2e.notes"] for name, line in lines.items()}
    with redis_broker() as url, crew_of(commands, url, tmp_path) as crew:
        for queue in ("backup", "insights"):
            give(url, "tests.take_ten_minutes", queue=queue, path=str(long))
        wait_until(lambda: begun(long) == 1, within=60)
        for queue in ("tick", "tell", "scrape"):
            is_read(url, notes, queue)
        crew.stop(patience=50)  # of the 60 s that containers and units give
        assert begun(long) == 1
        assert waiting(url, "backup") + waiting(url, "insights") == 2  # for the next keeper
