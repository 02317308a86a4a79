"""The project's own checks: content with a good deployment, and each with one setting refused."""

import datetime as dt
import os
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from django.core import checks
from django.core.checks import CheckMessage
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from stalkerr.celery import app
from stalkerr.celeryconfig import LONGEST_JOB, LONGEST_TASK, QUEUES, broker_transport_options
from stalkerr.processes import ROOT
from workers import tasks
from workers.checks import hard_limit
from workers.jobs import RENEW
from workers.schedule import jobs

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {
    "PUBLIC_URL": "https://stalkerr.example",
    "ALLOWED_HOSTS": ["stalkerr.example"],
    "BROKER_URL": os.environ["BROKER_URL"],
    "CACHE_URL": os.environ["CACHE_URL"],
    "BUCKETS_URL": os.environ["BROKER_URL"],
}


def found(*, servers: bool = False) -> list[CheckMessage]:
    """What our own checks of a deployment say."""
    databases = ["default"] if servers else None
    said = checks.run_checks(include_deployment_checks=True, databases=databases)
    ours = ("stalkerr", "scraping", "workers")
    return [each for each in said if str(each.id).startswith(ours)]


@pytest.fixture(autouse=True)
def good(settings: Settings) -> Settings:
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


BAD: dict[str, list[dict[str, Any]]] = {
    "stalkerr.E002": [{"CHANNEL_KEYS": ["short"]}],
    "stalkerr.E003": [{"JWT_KEY": "short"}, {"JWT_KEY": ""}, {"METRICS_TOKEN": "short"}],
    "stalkerr.E004": [{"VAPID_KEY": "short"}],
    "stalkerr.E005": [{"VAPID_CONTACT": "you"}],
    "stalkerr.E006": [{"TRUSTED_PROXIES": ["0.0.0.0/0"]}, {"TRUSTED_PROXIES": ["proxy"]}],
    "stalkerr.E007": [{"CORS_ALLOWED_ORIGINS": ["*"]}],
    "stalkerr.E008": [{"JWT_KEY": "s" * 50, "SECRET_KEY": "s" * 50}],
    "stalkerr.E009": [{"FLOWER_PASSWORD": ""}, {"FLOWER_PASSWORD": "short"}],
    "stalkerr.E010": [{"PUBLIC_URL": "http://stalkerr.example"}],
    "stalkerr.E011": [{"ALLOWED_HOSTS": ["*"]}, {"ALLOWED_HOSTS": ["other.example"]}],
    "stalkerr.E012": [{"BROKER_URL": "redis://h/1", "CACHE_URL": "redis://:secret@h:6379/1"}],
    "stalkerr.W001": [{"BUCKETS_URL": "redis://h", "CACHE_URL": "redis://h/0"}],
    "stalkerr.E014": [{"DATABASE_POOLER": True}],
    "scraping.E001": [{"STORE_BURSTS": ["us=many"]}],
    "workers.E001": [
        {"TELL_LEASE": dt.timedelta(seconds=45)},
        {"VISIT_LEASE": dt.timedelta(seconds=30)},
    ],
    "workers.E002": [{"SCHEDULE": ["workers.prune=soon"]}, {"SCHEDULE": ["workers.rest=60"]}],
    "workers.E003": [{"BACKUP_RECIPIENTS": ["age1nonsense"]}],
}
# These ask the servers: with `check --database default`, and before every upgrade.
ASKING: dict[str, dict[str, Any]] = {
    "stalkerr.E001": {"EDGE_POOL_MAX": 10_000},
    "stalkerr.E013": {"BROKER_URL": urlsplit(GOOD["CACHE_URL"])._replace(path="/15").geturl()},
}
CASES = [(id, bad) for id, cases in BAD.items() for bad in cases]


@pytest.mark.parametrize(("id", "bad"), CASES, ids=[f"{id} {bad}" for id, bad in CASES])
def test_each_check_refuses_one_setting_and_no_other_speaks(
    settings: Settings, id: str, bad: dict[str, Any]
) -> None:
    assert found() == []
    for name, value in bad.items():
        setattr(settings, name, value)
    (message,) = found()
    assert message.id == id
    assert message.hint


@pytest.mark.parametrize(("id", "bad"), ASKING.items(), ids=ASKING)
def test_each_check_of_the_servers_refuses_one_setting_and_no_other_speaks(
    settings: Settings, id: str, bad: dict[str, Any]
) -> None:
    assert found(servers=True) == []
    for name, value in bad.items():
        setattr(settings, name, value)
    assert found() == [], "nobody is asked but where the servers are meant to be there"
    (message,) = found(servers=True)
    assert message.id == id
    assert message.hint


def test_a_half_migrated_database_is_named_by_its_half(ledger: sa.Engine) -> None:
    assert found(servers=True) == []
    with ledger.begin() as other:
        before = other.scalar(sa.text("SELECT version_num FROM jobs.alembic_version"))
        other.execute(sa.text("UPDATE jobs.alembic_version SET version_num = '0001'"))
    try:
        (message,) = found(servers=True)
        assert (message.id, "job ledger" in message.msg) == ("workers.W001", True)
    finally:
        with ledger.begin() as other:
            other.execute(
                sa.text("UPDATE jobs.alembic_version SET version_num = :it"), {"it": before}
            )
    MigrationRecorder.Migration.objects.filter(app="catalog").latest("id").delete()
    (message,) = found(servers=True)
    assert (message.id, "Django" in message.msg) == ("workers.W001", True)


def test_every_check_of_ours_has_a_case_here() -> None:
    code = "".join(
        path.read_text()
        for name in ("stalkerr", "workers", "workers/backups", "scraping")
        for path in (ROOT / name).glob("*checks.py")
    )
    ids = set(re.findall(r'id="((?:stalkerr|workers|scraping)\.[EW]\d+)"', code))
    assert ids == {*BAD, *ASKING, "workers.W001"}
    numbers = sorted(id for id in ids if id.startswith("stalkerr.E"))
    assert numbers == [f"stalkerr.E{number:03}" for number in range(1, len(numbers) + 1)]


# -- limits ----------------------------------------------------------------------------------------

assert tasks  # they are known from here on
TASKS = sorted(name for name in app.tasks if not name.startswith(("celery.", "tests.")))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_ends_by_itself_before_it_is_ended(task: str) -> None:
    """Softly first, so that it may write down what came of it; and before its broker gives it away."""
    soft = float(app.tasks[task].soft_time_limit or app.conf.task_soft_time_limit)
    hard = hard_limit(task)
    assert 0 < soft < hard
    if app.tasks[task].acks_late is False:  # its message is gone, and its slot brings it back
        assert hard <= LONGEST_JOB
        return
    assert hard <= LONGEST_TASK
    assert LONGEST_TASK < 30 * 60, "RabbitMQ's consumer_timeout"
    assert hard < broker_transport_options.get("visibility_timeout", 30 * 60)


@pytest.mark.parametrize("job", jobs(), ids=lambda job: job.task)
def test_every_job_keeps_its_slot_over_two_renewals_that_failed(job: Any) -> None:
    assert job.lease.total_seconds() >= 3 * RENEW
    assert job.queue in QUEUES


@pytest.mark.parametrize("task", TASKS)
def test_every_task_says_in_a_sentence_what_it_does(task: str) -> None:
    """It is what Flower shows."""
    sentence = (app.tasks[task].__doc__ or "").strip().splitlines()[0]
    assert re.fullmatch(r"[A-Z].{10,100}\.", sentence)


def test_what_makes_news_waits_behind_no_visit() -> None:
    queues = {job.task: job.queue for job in jobs()}
    assert queues["scraping.mark_out_by_date"] == queues["catalog.remind"] == "tick"


def test_no_child_of_a_worker_grows_for_ever() -> None:
    assert 0 < app.conf.worker_max_memory_per_child <= 500_000  # KiB
    assert 0 < app.conf.worker_max_tasks_per_child <= 10_000
