"""`manage.py apply_tombstones`: after a restore, whoever has left since the backup leaves again."""

from typing import Any

from django.core.management.base import BaseCommand

from stalkerr import clock
from workers.leaving import apply_tombstones, remove_left

AT_ONCE = 100_000


class Command(BaseCommand):
    help = "Removes users who left after the backup that was restored (var/tombstones). Run it before the workers."

    def handle(self, *args: Any, **options: Any) -> None:
        left = apply_tombstones(now=clock.now())
        while remove_left(before=clock.now(), limit=AT_ONCE):
            pass
        self.stdout.write(f"{left} had left since; their rows are removed.")
