"""docker-compose.yml and Dockerfile against what they wrap; no container engine is asked."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography.fernet import Fernet

from stalkerr.celeryconfig import QUEUES
from stalkerr.embedded import postgres, valkey
from stalkerr.processes import ROOT, read_procfile
from tests.sinks import HttpSink, Reply

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "stalkerr"}
# Beside them, profile large has more of the same.
SMALL = {name: service for name, service in SERVICES.items() if "profiles" not in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ANSWERS = {"PUBLIC_URL": "https://stalkerr.example", "ALLOWED_HOSTS": "stalkerr.example"}


def run(*command: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """A command as in a container: nothing of this process's environment but the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(  # noqa: S603 (the words are ours)
        command, check=False, cwd=ROOT, env={"PATH": path, **env}, capture_output=True, text=True
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder with fresh secrets."""
    folder = tmp_path / "secrets"
    made = run("scripts/make-secrets", str(folder))
    assert (made.returncode, made.stderr) == (0, "")
    return folder


def in_container(service: dict[str, Any], secrets: Path, profile: str = "small") -> dict[str, str]:
    """The environment of a service whose secrets are in a folder here."""
    answers = ANSWERS | {"COMPOSE_PROFILES": profile}
    given = {name: filled_in(value, answers) for name, value in service["environment"].items()}
    return {name: value.replace("/run/secrets", str(secrets)) for name, value in given.items()}


def filled_in(text: Any, answers: Mapping[str, str]) -> str:
    """As Compose does: `${A:-usual}`, `${A:?why}`, `${A:+instead}`."""

    def answer(asked: re.Match[str]) -> str:
        name, kind, words = asked.groups()
        if kind == "+":
            return words if name in answers else ""
        return answers[name] if kind == "?" else answers.get(name, words)

    return re.sub(r"\$\{(\w+):([?+-])([^}]*)\}", answer, str(text))


def test_it_is_what_the_specification_of_compose_says() -> None:
    checked = run(
        "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    broken = dict(COMPOSE, services={"web": {"image": "stalkerr", "restarts": "always"}})
    assert is_refused(broken), "the schema lets everything through"


def is_refused(compose: dict[str, Any]) -> bool:
    with NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(compose, file)
        file.flush()
        words = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file.name)
        return run(*words).returncode == 1


def test_every_process_is_a_container_and_both_mean_the_procfiles_line() -> None:
    commands = {name: service["command"] for name, service in OURS.items() if name in SMALL}
    upgrade = commands.pop("migrate")
    assert upgrade == ["python", "manage.py", "upgrade"]
    assert commands == {name: ["scripts/start", name] for name in read_procfile()}


def test_large_is_small_and_more_of_the_same() -> None:
    more = {name: service for name, service in SERVICES.items() if name not in SMALL}
    assert {"rabbitmq", "pgbouncer", "prometheus", "grafana"} <= set(more)
    assert {tuple(service["profiles"]) for service in more.values()} == {("large",)}
    for name in ("worker", "scraper", "beat"):
        same = {**more[f"{name}-more"]}
        same.pop("profiles")
        same.pop("deploy", None)
        assert same == SMALL[name]


@pytest.mark.parametrize("profile", ["small", "large"])
def test_what_a_profile_names_is_there(profile: str, secrets: Path) -> None:
    there = SMALL if profile == "small" else SERVICES
    env = in_container(SERVICES["worker"], secrets, profile)
    addresses = [Path(env[f"{name}_FILE"]).read_text() for name in ("BROKER_URL", "DATABASE_URL")]
    addresses += [env["CACHE_URL"], env["BUCKETS_URL"]]
    assert {urlsplit(address).hostname for address in addresses} <= set(there)
    pooler = Path(env["DATABASE_POOLER_FILE"]).read_text()
    assert pooler == str("@pgbouncer:" in addresses[1]).lower()
    wanted = {
        name: each
        for service in there.values()
        for name, each in service.get("depends_on", {}).items()
    }
    assert {name for name, each in wanted.items() if each.get("required", True)} <= set(there)


def test_nothing_that_needs_a_session_goes_through_the_pooler(secrets: Path) -> None:
    for name in ("migrate", "keeper"):
        env = in_container(SERVICES[name], secrets, "large")
        assert "@postgres:5432/" in Path(env["DATABASE_URL_FILE"]).read_text()
        assert Path(env["DATABASE_POOLER_FILE"]).read_text() == "false"


def test_folders_that_are_handed_over_are_there_and_every_volume_is_named() -> None:
    mounts = [
        each.split(":") for service in SERVICES.values() for each in service.get("volumes", [])
    ]
    ours = {source for source, *_ in mounts if source.startswith("./")}
    assert {source for source in ours if not (ROOT / source).exists()} == set()
    assert {source for source, *_ in mounts if not source.startswith("./")} == set(
        COMPOSE["volumes"]
    )


def test_every_image_of_others_is_pinned_and_has_a_limit_of_memory() -> None:
    for name, service in SERVICES.items():
        assert service.get("mem_limit") or name == "postgres"  # which is given what there is
        assert service["restart"] in ("unless-stopped", "on-failure")
        if "build" not in service:
            assert re.search(r":v?\d+\.\d+", service["image"]), service["image"]
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [base for base in bases if not re.search(r":(3\.\d+\.\d+-slim-)?trixie", base)] == []


def test_prometheus_reads_metrics_as_a_host_that_is_allowed() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    host, _, port = job["static_configs"][0]["targets"][0].partition(":")
    allowed = filled_in(OURS["web"]["environment"]["ALLOWED_HOSTS"], ANSWERS).split(",")
    assert (host, port) == ("web", "8000")
    assert host in allowed
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_token"


def test_the_pooler_knows_prepared_statements_and_who_asks(secrets: Path) -> None:
    config = ConfigParser(comment_prefixes=(";",))
    config.read(ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini")
    assert config["pgbouncer"]["pool_mode"] == "transaction"
    assert int(config["pgbouncer"]["max_prepared_statements"]) > 0
    password = (secrets / "postgres_password").read_text()
    assert (secrets / "pgbouncer_users").read_text() == f'"stalkerr" "{password}"'
    assert (
        f"default_pass = {(secrets / 'rabbitmq_password').read_text()}"
        in (secrets / "rabbitmq_conf").read_text().splitlines()
    )


def test_every_queue_has_one_process_that_reads_it() -> None:
    read = re.findall(r" -Q (\S+)", (ROOT / "Procfile").read_text())
    assert sorted(",".join(read).split(",")) == sorted(QUEUES)


def test_a_process_takes_the_place_of_the_shell_that_starts_it(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    start = shutil.copy(ROOT / "scripts" / "start", tmp_path / "scripts")
    line = "env A=1 sh -c 'echo $$ $A $0' ${B:-2}"
    (tmp_path / "Procfile").write_text(f"other: false\none: {line}\n")
    with subprocess.Popen(  # noqa: S603 (the words are ours)
        [start, "one"], stdout=subprocess.PIPE, text=True
    ) as started:
        said = started.communicate()[0].split()
    assert said == [str(started.pid), "1", "2"]


def test_a_process_that_is_not_in_the_procfile_is_named() -> None:
    done = run("scripts/start", "cron")
    assert done.returncode == 64
    assert done.stderr.startswith("There is no process cron in the Procfile: it has web worker ")


@pytest.mark.parametrize(("name", "settings"), [("broker", valkey.BROKER), ("cache", valkey.CACHE)])
def test_the_valkeys_are_set_as_the_embedded_ones(name: str, settings: dict[str, str]) -> None:
    program, *words = SERVICES[name]["command"]
    options = {words[i].removeprefix("--"): words[i + 1] for i in range(0, len(words), 2)}
    assert program == "valkey-server"
    assert options == {**settings, "save": ""}


def test_the_database_folds_and_sorts_as_the_embedded_one() -> None:
    image, _, version = SERVICES["postgres"]["image"].partition(":")
    major = version.partition(".")[0]
    assert image == "postgres"
    assert f"postgresql-client-{major}" in DOCKERFILE  # dumps are made by the server's own tool
    assert 17 <= int(major) <= int(postgres.MAJOR)  # 17 is the first with a locale built in
    words = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert {"--locale-provider=builtin", "--builtin-locale=C.UTF-8"} <= set(words)


def test_only_the_web_can_be_reached_and_flower_from_this_machine() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert published == {
        "web": ["${WEB_ADDRESS:-127.0.0.1:8000}:8000"],
        "flower": ["127.0.0.1:5555:5555"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_the_servers_have_no_way_out_or_in() -> None:
    assert COMPOSE["networks"]["servers"] == {"internal": True}
    servers = {name: each["networks"] for name, each in SERVICES.items() if name not in OURS}
    assert servers.pop("grafana") == ["servers", "outside"]  # or it could not be published
    assert len(servers) == 6
    assert all(networks == ["servers"] for networks in servers.values())


def test_every_container_of_ours_may_as_little_as_possible() -> None:
    for service in OURS.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    *_, user = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    assert user not in ("root", "0")


@pytest.mark.parametrize("name", OURS)
def test_every_secret_is_a_file_that_is_made_and_handed_over(name: str, secrets: Path) -> None:
    files = {path.name for path in secrets.iterdir()}
    asked_for = {
        value.removeprefix("/run/secrets/")
        for variable, value in SERVICES[name]["environment"].items()
        if variable.endswith("_FILE")
    }
    given = {
        secret
        for secret in SERVICES[name]["secrets"]
        if "_small" not in secret and "_large" not in secret
    }
    assert {re.sub(r"_(small|\$.*)$", "", secret) for secret in asked_for} == given | {
        "database_url",
        "database_pooler",
        "broker_url",
    }
    assert set(SERVICES[name]["secrets"]) <= set(COMPOSE["secrets"])
    assert set(COMPOSE["secrets"]) | {"rabbitmq_password"} == files


def test_secrets_are_made_once_and_in_a_folder_that_nobody_else_enters(secrets: Path) -> None:
    first = {path.name: path.read_text() for path in secrets.iterdir()}
    assert run("scripts/make-secrets", str(secrets)).returncode == 0
    assert {path.name: path.read_text() for path in secrets.iterdir()} == first
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    lines = {name: len(secret.splitlines()) for name, secret in first.items() if "\n" in secret}
    assert lines == {"rabbitmq_conf": 3}
    assert f":{first['postgres_password']}@postgres:" in first["database_url_small"]
    Fernet(first["channel_keys"])


@pytest.mark.parametrize("profile", ["small", "large"])
def test_the_production_settings_are_content_with_what_compose_gives(
    secrets: Path, profile: str
) -> None:
    env = in_container(SERVICES["web"], secrets, profile)
    checked = run(
        *("python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        DJANGO_SETTINGS_MODULE="stalkerr.settings.production",
        **env,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (503, 1)])
def test_the_health_check_asks_for_health_under_the_public_name(
    status: int, exit_status: int
) -> None:
    found = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    with HttpSink(Reply(status)) as sink:
        checked = run(*json.loads(found[1]), PORT=str(sink.port), **ANSWERS)
        (request,) = sink.requests
    assert checked.returncode == exit_status
    assert (request.path, request.headers["host"]) == ("/health", "stalkerr.example")


@pytest.mark.slow
def test_static_files_can_be_collected_while_the_image_is_built(tmp_path: Path) -> None:
    found = re.search(r"&& ([^&]*?)(python manage.py collectstatic [^\n]*)", DOCKERFILE)
    assert found
    made_up = dict(pair.split("=", 1) for pair in re.findall(r"[A-Z_]+=\S+", found[1]))
    settings = "stalkerr.settings.production"
    collected = run(
        *found[2].split(), **made_up, DJANGO_SETTINGS_MODULE=settings, VAR_DIR=str(tmp_path)
    )
    assert collected.returncode == 0, collected.stderr
    assert (tmp_path / "static" / "admin").is_dir()


def test_the_image_holds_what_the_product_is_made_of_and_nothing_else() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    files = {"manage.py", "Procfile", "requirements/base.txt", "scripts/start", "scripts/ask"}
    files |= {"deploy/pgbouncer/pgbouncer.ini"}
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in rules
    assert {rule[1:] for rule in rules if rule.startswith("!")} == packages | files
