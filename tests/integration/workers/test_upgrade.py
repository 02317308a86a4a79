"""`manage.py upgrade`."""

import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db


def test_upgrading_twice_is_fine_and_ends_transactions_that_nobody_finishes() -> None:
    for _ in range(2):
        call_command("upgrade")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
            "WHERE d.datname = current_database()"
        )
        assert cursor.fetchall() == [(["idle_in_transaction_session_timeout=60s"],)]
