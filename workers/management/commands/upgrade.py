"""`manage.py upgrade`: both schemas, Django's and the ledger's, brought up to date."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from notifications.partitions import make_months
from stalkerr import clock
from workers import schedule
from workers.ledger import by_hand, migrate, months


class Command(BaseCommand):
    help = "Brings the database up to date: Django's tables, then the job ledger."

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:  # several replicas may start at once: one upgrades
            cursor.execute("SELECT pg_advisory_lock(hashtext('stalkerr upgrade'))")
            # Whoever waits for a table makes all others wait behind it: rather not now, and again.
            cursor.execute("SET lock_timeout TO '10s'")
            try:
                call_command("migrate", verbosity=0, interactive=False)
                migrate.upgrade()
                now = clock.now()
                make_months(now=now)
                months.make_months(now=now)
                by_hand.enter([job.task for job in schedule.jobs()])
                # A machine that vanishes inside a transaction must not keep its locks until
                # TCP gives up.
                database = connection.ops.quote_name(connection.settings_dict["NAME"])
                cursor.execute(
                    f"ALTER ROLE CURRENT_USER IN DATABASE {database} "
                    "SET idle_in_transaction_session_timeout TO '60s'"
                )
            finally:
                cursor.execute("RESET lock_timeout")
                cursor.execute("SELECT pg_advisory_unlock(hashtext('stalkerr upgrade'))")
