"""The admin's pages of jobs: what they show, what they cost, what staff do there."""

from typing import Any

import pytest
import sqlalchemy as sa
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.slots import PRUNE, SLOT, give_up
from workers import schedule, timetable
from workers.ledger import by_hand, history, slots
from workers.models import JobRun, JobSetting, JobSlot

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert('no')</script>"


def page(model: Any, name: str, *keys: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=keys)


@pytest.fixture
def office(staff: User, client: Client, ledger: sa.Engine) -> Client:
    """A browser in which staff are signed in; every job has its row, one slot was given up."""
    by_hand.enter([job.task for job in schedule.jobs()])
    give_up(PRUNE, error=HOSTILE)
    client.force_login(staff)
    return client


def act(office: Client, model: Any, action: str, *keys: Any) -> str:
    asked = {"action": action, "_selected_action": keys}
    return office.post(page(model, "changelist"), asked, follow=True).content.decode()


def is_paused(name: str) -> bool:
    (job,) = [job for job in timetable.jobs() if job.task == name]
    return job.paused


def test_jobs_are_shown_with_how_they_stand(office: Client) -> None:
    text = office.get(page(JobSetting, "changelist")).content.decode()
    assert all(job.task in text for job in schedule.jobs())
    assert "every 1:00:00" in text
    assert "alert(" in text
    assert HOSTILE not in text
    (run, *_) = history.runs(limit=1)
    for path in (
        page(JobSetting, "change", PRUNE),
        page(JobRun, "changelist") + f"?job={PRUNE}",
        page(JobRun, "change", run["id"]),
        page(JobSlot, "changelist") + "?state=failed",
    ):
        answer = office.get(path)
        assert answer.status_code == 200, path
        assert PRUNE in answer.content.decode()
        assert HOSTILE not in answer.content.decode()


def test_a_list_asks_the_ledger_once_however_many_jobs(office: Client, ledger: sa.Engine) -> None:
    asked: list[str] = []
    sa.event.listen(ledger, "before_cursor_execute", lambda *said: asked.append(said[2]))
    office.get(page(JobSetting, "changelist"))
    assert len([statement for statement in asked if "LATERAL" in statement]) == 1


def test_a_job_is_run_now_and_two_clicks_are_one(office: Client) -> None:
    for _ in range(2):
        act(office, JobSetting, "run_now", PRUNE)
    opened = [row for row in history.slots(limit=9) if row["opened_by"] == "staff"]
    assert [row["job"] for row in opened] == [PRUNE]
    assert LogEntry.objects.get().object_id == PRUNE


def test_a_job_is_paused_and_resumed_and_a_vital_one_is_not(office: Client) -> None:
    text = act(office, JobSetting, "pause", PRUNE, "notifications.sweep")
    assert "SWEEP_INTERVAL" in text
    assert (is_paused(PRUNE), is_paused("notifications.sweep")) == (True, False)
    act(office, JobSetting, "resume", PRUNE)
    assert not is_paused(PRUNE)


def test_a_slot_given_up_is_replayed_and_no_other(office: Client) -> None:
    slots.open_slots(slots=[("j", SLOT)])
    ids = [row["id"] for row in history.slots(limit=9)]
    act(office, JobSlot, "replay", *ids)
    assert {row["state"] for row in history.slots(limit=9)} == {"due"}
    replayed = [row["job"] for row in history.slots(limit=9) if row["replayed_at"]]
    assert replayed == [PRUNE]


def test_a_job_is_timed_otherwise_in_words(office: Client) -> None:
    path = page(JobSetting, "change", PRUNE)
    assert office.post(path, {"timing": "04:30 Europe/Berlin"}).status_code == 302
    assert "daily at 04:30 Europe/Berlin" in office.get(path).content.decode()
    refused = office.post(path, {"timing": "whenever"})
    assert refused.status_code == 200
    assert "is no time" in refused.content.decode()
    vital = office.post(page(JobSetting, "change", "notifications.sweep"), {"timing": "60"})
    assert "it runs as it is" in vital.content.decode()


def test_rows_are_not_edited_and_acts_need_the_right(
    office: Client, alice: User, client: Client
) -> None:
    (row,) = history.slots(limit=9)
    for model, key in ((JobSlot, row["id"]), (JobRun, history.runs(limit=1)[0]["id"])):
        assert office.post(page(model, "change", key), {"state": "done"}).status_code == 403
        assert office.get(page(model, "add")).status_code == 403
    alice.is_staff = True
    alice.save()
    alice.user_permissions.set(Permission.objects.filter(codename__startswith="view_job"))
    client.force_login(alice)
    act(client, JobSetting, "pause", PRUNE)
    act(client, JobSlot, "replay", row["id"])
    assert not is_paused(PRUNE)
    assert history.slots(limit=9)[0]["state"] == "failed"
    assert client.post(page(JobSetting, "change", PRUNE), {"timing": "60"}).status_code == 403
