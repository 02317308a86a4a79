"""/api/admin/jobs/schedule: how each job stands, and a hand on it."""

import pytest
import sqlalchemy as sa
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient

from accounts.models import User
from tests.integration.api.conftest import ClientOf
from tests.slots import PRUNE, give_up
from workers.ledger import history, slots
from workers.schedule import jobs

SCHEDULE = "/api/admin/jobs/schedule"


@pytest.fixture
def failed(ledger: sa.Engine) -> int:
    """The id of a slot that was given up."""
    return give_up(PRUNE, error="ValueError: no")


def of(client: APIClient, job: str) -> dict[str, object]:
    rows = client.get(SCHEDULE).json()["results"]
    (found,) = [row for row in rows if row["job"] == job]
    return dict(found)


def test_every_job_is_there_with_how_it_stands(operator: APIClient, failed: int) -> None:
    rows = operator.get(SCHEDULE).json()["results"]
    assert [row["job"] for row in rows] == [job.task for job in jobs()]
    prune = of(operator, PRUNE)
    assert (prune["failed"], prune["last_outcome"]) == (1, "failed")
    assert (prune["last_error"], prune["timing"]) == ("ValueError: no", "every 1:00:00")
    assert prune["next_at"] is not None


def test_run_now_clicked_twice_is_one_slot(operator: APIClient, ledger: sa.Engine) -> None:
    first, second = (operator.post(f"{SCHEDULE}/{PRUNE}/run") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["slot"] == second.json()["slot"]
    assert (first.json()["opened_by"], first.json()["state"]) == ("staff", "due")
    assert len(history.slots(job=PRUNE, limit=9)) == 1
    assert LogEntry.objects.get().object_id == PRUNE


def test_run_now_under_one_key_is_answered_alike(operator: APIClient, ledger: sa.Engine) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = (operator.post(f"{SCHEDULE}/{PRUNE}/run", headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.content == second.content


def test_a_slot_given_up_is_replayed_once(operator: APIClient, failed: int) -> None:
    path = f"/api/admin/jobs/slots/{failed}/replay"
    replayed = operator.post(path)
    assert (replayed.status_code, replayed.json()["state"]) == (200, "due")
    assert (replayed.json()["tries"], replayed.json()["claim_no"]) == (0, slots.MAX_ATTEMPTS)
    again = operator.post(path)
    assert again.status_code == 409
    assert "given up" in again.json()["detail"]
    assert LogEntry.objects.count() == 1


def test_a_job_is_paused_and_resumed(operator: APIClient, ledger: sa.Engine) -> None:
    paused = operator.post(f"{SCHEDULE}/{PRUNE}/pause").json()
    assert (paused["job"], paused["paused"], paused["next_at"]) == (PRUNE, True, None)
    assert of(operator, PRUNE)["paused"]
    assert not operator.post(f"{SCHEDULE}/{PRUNE}/resume").json()["paused"]
    assert not of(operator, PRUNE)["paused"]


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_what_finds_lost_work_is_not_paused(
    operator: APIClient, ledger: sa.Engine, act: str
) -> None:
    answer = operator.post(f"{SCHEDULE}/notifications.sweep/{act}")
    assert answer.status_code == 409
    assert "SWEEP_INTERVAL" in answer.json()["detail"]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        *(f"{SCHEDULE}/nothing/{act}" for act in ("run", "pause", "resume")),
        *(f"/api/admin/jobs/slots/{number}/replay" for number in (0, 99, 10**30)),
    ],
)
def test_what_is_not_there_is_404(operator: APIClient, ledger: sa.Engine, path: str) -> None:
    assert operator.post(path).status_code == 404


def test_staff_need_the_scope(staff: User, client_of: ClientOf, ledger: sa.Engine) -> None:
    client = client_of(staff)  # which may write, and is no operator
    assert client.post(f"{SCHEDULE}/{PRUNE}/run").status_code == 403
    assert not history.slots(limit=9)
