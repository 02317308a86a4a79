"""`manage.py upgrade`: both schemas, Django's and the ledger's, brought up to date."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from workers.ledger import migrate


class Command(BaseCommand):
    help = "Brings the database up to date: Django's tables, then the job ledger."

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:  # several replicas may start at once: one upgrades
            cursor.execute("SELECT pg_advisory_lock(hashtext('stalkerr upgrade'))")
            try:
                call_command(
                    "migrate", verbosity=min(options["verbosity"], 1) - 1, interactive=False
                )
                migrate.upgrade()
            finally:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('stalkerr upgrade'))")
