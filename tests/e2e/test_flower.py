"""Flower as we start it: what strangers get, what its user may do, where it lives."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from flower.urls import handlers
from tornado.web import url as named

from stalkerr.processes import ROOT, Supervisor, environment
from tests.brokers import give, redis_broker
from tests.e2e.crew import celery, database_url
from tests.sinks import wait_until
from workers.launch import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.django_db(transaction=True)]

KNOWN = ("stalkerr", "test-flower-password")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATTERNS = [each.regex.pattern if isinstance(each, named) else each[0] for each in handlers]
# Every path that Flower has, whatever its version has more than the last.
PATHS = sorted(
    {"/" + re.sub(r"\(\.[+*]\)|\.\*", "x", each).rstrip("$?").lstrip("/") for each in PATTERNS}
    | {"/static/css/flower.css", "/static/../urls.py", "/favicon.ico", "/robots.txt", "/x/y"}
)


@contextmanager
def flower(logs: Path, *more: str, **env: str) -> Iterator[str]:
    """Its address; beside it a worker with a few tasks in the same broker."""
    port = free_port()
    with redis_broker() as url:
        given = environment(
            DJANGO_SETTINGS_MODULE="stalkerr.settings.test",
            DATABASE_URL=database_url(),
            BROKER_URL=url,
            FLOWER_ADDRESS=f"127.0.0.1:{port}",
            **env,
        )
        worker = celery("worker", "-Q", "tick,tell", "-c", "1", "-n", "one@test", "-E")
        commands = {"flower": [sys.executable, "manage.py", "flower"], "worker": worker}
        chosen = {name: commands[name] for name in ("flower", *more)}
        prefix = f"/{env['FLOWER_URL_PREFIX']}" if "FLOWER_URL_PREFIX" in env else ""
        base = f"http://127.0.0.1:{port}{prefix}"
        with Supervisor(chosen, env=given, logs=logs):
            wait_until(lambda: is_up(base), within=60, every=0.1)
            yield base


def is_up(base: str) -> bool:
    try:
        return ask("GET", f"{base}/healthcheck").text == "OK"
    except requests.ConnectionError:
        return False


def ask(method: str, url: str, **options: Any) -> requests.Response:
    return requests.request(method, url, timeout=10, allow_redirects=False, **options)


def statuses(base: str, **options: Any) -> dict[tuple[str, str], int]:
    return {
        (method, path): ask(method, f"{base}{path}", **options).status_code
        for path in PATHS
        if path != "/healthcheck"
        for method in METHODS
    }


@pytest.mark.parametrize("prefix", ["", "flower"])
def test_a_stranger_gets_nothing_but_the_word_that_it_lives(tmp_path: Path, prefix: str) -> None:
    """Flower itself leaves /metrics, OPTIONS and files open."""
    env = {"FLOWER_URL_PREFIX": prefix} if prefix else {}
    with flower(tmp_path, **env) as base:
        answers = statuses(base)
        open_ones = {
            key: status for key, status in answers.items() if status not in (401, 404, 405)
        }
        assert open_ones == {}
        assert {answers["GET", path] for path in PATHS if path in ("/", "/metrics", "/tasks")} == {
            401
        }
        socket = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        for path in ("/", "/tasks", "/api/tasks", "/api/task/events/task-succeeded/"):
            key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
            assert ask("GET", f"{base}{path}", headers=socket | key).status_code == 401
        wrong = statuses(base, auth=("stalkerr", "another password"))
        assert set(wrong.values()) <= {401, 404, 405}
        if prefix:  # what is outside it is not there
            root = base.removesuffix(f"/{prefix}")
            assert ask("GET", f"{root}/tasks", auth=KNOWN).status_code == 404


def test_its_user_sees_tasks_by_what_they_do_and_can_change_nothing(tmp_path: Path) -> None:
    """Also that Metrics is left out, for its user too."""
    with flower(tmp_path, "worker", FLOWER_URL_PREFIX="flower", FLOWER_READ_ONLY="true") as base:
        wait_until(lambda: "one@test" in ask("GET", f"{base}/workers", auth=KNOWN).text, within=60)
        broker = environment()["BROKER_URL"]
        give(broker, "workers.tick")
        wait_until(lambda: "workers.tick" in rows(base), within=30)
        assert "Write the slots that are due, hint at what is unfinished" in rows(base)
        page = ask("GET", f"{base}/workers", auth=KNOWN)
        files = re.findall(r'(?:href|src)="(/flower/static/[^"]+\.css[^"]*)"', page.text)
        root = base.removesuffix("/flower")
        assert files
        assert {ask("GET", f"{root}{file}", auth=KNOWN).status_code for file in files} == {200}
        assert ask("GET", f"{base}/metrics", auth=KNOWN).status_code == 404
        answers = statuses(base, auth=KNOWN)
        changed = {
            key
            for key, status in answers.items()
            if key[0] not in ("GET", "HEAD", "OPTIONS") and status not in (403, 404, 405)
        }
        assert changed <= {("POST", "/tasks/datatable")}  # a question, with much to say


def rows(base: str) -> str:
    """The table of tasks, as the page asks for it."""
    asked = {"draw": 1, "start": 0, "length": 10, "search[value]": ""}
    order = {"order[0][column]": 0, "order[0][dir]": "asc", "columns[0][data]": "name"}
    return ask("GET", f"{base}/tasks/datatable", auth=KNOWN, params=asked | order).text


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"FLOWER_PASSWORD": ""}, "open to anybody: set FLOWER_PASSWORD or FLOWER_AUTH"),
        ({"FLOWER_AUTH": "ada@example.org"}, "needs FLOWER_CLIENT_ID and FLOWER_CLIENT_SECRET"),
    ],
)
def test_it_does_not_start_without_a_door(env: dict[str, str], said: str) -> None:
    given = environment(
        DJANGO_SETTINGS_MODULE="stalkerr.settings.production",
        **dict.fromkeys(("SECRET_KEY", "JWT_KEY", "METRICS_TOKEN", "CHANNEL_KEYS"), "x"),
        **{"ALLOWED_HOSTS": "h", "PUBLIC_URL": "https://h", "FLOWER_PASSWORD": "x"} | env,
    )
    given["FLOWER_ADDRESS"] = f"127.0.0.1:{free_port()}"
    done = subprocess.run(
        [sys.executable, "manage.py", "flower", "--skip-checks"],
        env=given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert said in done.stderr


def test_a_provider_of_identities_takes_the_place_of_the_password(tmp_path: Path) -> None:
    known = {"FLOWER_AUTH": "ada@example.org", "FLOWER_OIDC_URL": "https://id.example/oauth2"}
    client = {"FLOWER_CLIENT_ID": "stalkerr", "FLOWER_CLIENT_SECRET": "a secret"}
    back = {"FLOWER_REDIRECT_URL": "https://stalkerr.example/flower/login"}
    with flower(tmp_path, FLOWER_URL_PREFIX="flower", **known, **client, **back) as base:
        for path in ("/", "/tasks", "/api/tasks", "/metrics", "/static/css/flower.css"):
            answer = ask("GET", f"{base}{path}", auth=KNOWN)
            assert answer.status_code == 302
            assert answer.headers["location"].startswith("/flower/login?")
        assert ask("POST", f"{base}/api/worker/shutdown/x").status_code == 403
        away = ask("GET", f"{base}/login").headers["location"]
        assert away.startswith("https://id.example/oauth2/v1/authorize?")
        assert "a+secret" not in away


def test_options_of_flowers_own_in_the_environment_change_nothing(tmp_path: Path) -> None:
    """FLOWER_UNAUTHENTICATED_API would open the API, FLOWER_DEBUG would show sources."""
    odd = {"FLOWER_UNAUTHENTICATED_API": "true", "FLOWER_DEBUG": "true", "FLOWER_BASIC_AUTH": "a:b"}
    with flower(tmp_path, **odd) as base:
        assert ask("GET", f"{base}/api/tasks").status_code == 401
        assert ask("GET", f"{base}/tasks", auth=("a", "b")).status_code == 401
        assert ask("GET", f"{base}/tasks", auth=KNOWN).status_code == 200
