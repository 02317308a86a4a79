"""What each container of ours runs, run here with what it is given there, until it does its work."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from redis import Redis

from stalkerr.processes import ROOT, Supervisor, environment
from tests.brokers import PREFIX, redis_broker, waiting
from tests.e2e.crew import database_url
from tests.sinks import wait_until
from tests.unit.test_compose import OURS, filled_in, in_container, secrets
from workers.launch import free_port

__all__ = ["secrets"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

COMMANDS = {" ".join(service["command"]): name for name, service in OURS.items()}


def environment_of(name: str, folder: Path, broker: str, port: int) -> dict[str, str]:
    """As the container has it; servers and ports are those of the tests."""
    env = in_container(OURS[name], folder)
    for server in ("BROKER_URL", "DATABASE_URL"):
        del env[f"{server}_FILE"]
    here = {
        "DJANGO_SETTINGS_MODULE": "stalkerr.settings.production",
        "BROKER_URL": broker,
        "BUCKETS_URL": broker,
        "CACHE_URL": environment()["CACHE_URL"],
        "DATABASE_URL": database_url(),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "FLOWER_ADDRESS": f"127.0.0.1:{port}",
    }
    return environment(**env | here)


@pytest.mark.parametrize("name", [name for name in COMMANDS.values() if name != "migrate"])
def test_the_command_of_a_container_does_its_work(name: str, secrets: Path, tmp_path: Path) -> None:
    port = free_port()
    with redis_broker() as broker:
        env = environment_of(name, secrets, broker, port)
        with Supervisor({name: OURS[name]["command"]}, env=env, logs=tmp_path) as running:
            wait_until(lambda: SIGNS[name](broker, port), within=90, every=0.2)
            assert running.starts() == {name: 1}
            _, *asked = OURS[name].get("healthcheck", {}).get("test", [""])
            if asked:
                asked = [filled_in(word, {}).replace("5555", str(port)) for word in asked]
                assert subprocess.run(asked, cwd=ROOT, env=env, check=False).returncode == 0  # noqa: S603 (the words are ours)


def test_the_command_that_upgrades_ends_well(secrets: Path) -> None:
    env = environment_of("migrate", secrets, environment()["BROKER_URL"], free_port())
    done = subprocess.run(  # noqa: S603 (the words are ours)
        OURS["migrate"]["command"], cwd=ROOT, env=env, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def answers(_broker: str, port: int) -> bool:
    """Any word at all: /health says no where nobody else runs."""
    try:
        host = {"Host": "stalkerr.example"}
        answer = requests.get(f"http://127.0.0.1:{port}/health", headers=host, timeout=10)
    except requests.ConnectionError:
        return False
    return bool(answer.json()["checks"]["database"] == "healthy")


def ticks(broker: str, _port: int) -> bool:
    return waiting(broker, "tick") > 0


def reads(queue: str) -> Callable[[str, int], bool]:
    """A worker takes what is in its queue, even what it does not know."""

    def is_empty(broker: str, _port: int) -> bool:
        with Redis.from_url(broker) as redis:
            asked = redis.set(f"{PREFIX}asked", 1, nx=True)
            if asked:
                redis.lpush(f"{PREFIX}{queue}", "no message")
        return waiting(broker, queue) == 0

    return is_empty


def is_flower(_broker: str, port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthcheck", timeout=10).text == "OK"
    except requests.ConnectionError:
        return False


SIGNS = {
    "web": answers,
    "worker": reads("tell"),
    "scraper": reads("scrape"),
    "keeper": reads("backup"),
    "beat": ticks,
    "flower": is_flower,
}
for _name in ("worker", "scraper", "beat"):
    SIGNS[f"{_name}-more"] = SIGNS[_name]
