"""`manage.py upgrade`."""

import pytest
from django.core.management import call_command
from django.db import connection

from stalkerr import clock
from workers import schedule
from workers.ledger import by_hand
from workers.models import JobSetting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


def test_upgrading_twice_is_fine_and_ends_transactions_that_nobody_finishes() -> None:
    for _ in range(2):
        call_command("upgrade")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
            "WHERE d.datname = current_database()"
        )
        assert cursor.fetchall() == [(["idle_in_transaction_session_timeout=60s"],)]


def test_upgrading_enters_every_job_and_keeps_what_staff_set() -> None:
    by_hand.change(job="workers.prune", now=clock.now(), paused=True)
    call_command("upgrade")
    entered = dict(JobSetting.objects.values_list("job", "paused"))
    assert entered == {job.task: job.task == "workers.prune" for job in schedule.jobs()}
