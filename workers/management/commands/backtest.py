"""`manage.py backtest`: how well the next release would have been forecast from a table of dates."""

import os
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from workers.insights.tables import Table, TableError, read_table

NEEDED = ("numpy", "scipy", "lightgbm", "sklearn")
WIDTH = 150


class Command(BaseCommand):
    help = "Back-tests forecasts on tables of dates. Needs requirements/ml.txt, and no server."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files",
            nargs="+",
            type=Path,
            metavar="FILE.csv",
            help="Columns entity,date; or Audible's, with name,author,releasedate,language.",
        )
        parser.add_argument("--json", action="store_true", help="One object a line.")

    def handle(self, *args: Any, **options: Any) -> None:
        if missing := [name for name in NEEDED if find_spec(name) is None]:
            raise CommandError(
                f"Forecasts need packages that are not installed ({', '.join(missing)}):"
                " .venv/bin/python -m pip install --require-hashes -r requirements/ml.txt"
            )
        # Several threads on few cores spin: fits take five to fifteen times as long.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        for path in options["files"]:
            self._show(path, _read(path), as_json=options["json"])

    def _show(self, path: Path, table: Table, *, as_json: bool) -> None:
        # Only here: what starts with the product must not need these packages.
        from workers.insights import report
        from workers.insights.backtest import backtest
        from workers.insights.protocol import TooSmallError

        if table.blank:
            self.stderr.write(
                f"{path.name}: {table.blank} lines without a name or a date, left out."
            )
        try:
            done = backtest(table.rows, today=timezone.now().date())
        except TooSmallError as error:
            raise CommandError(f"{path.name}: {error}") from None
        if as_json:
            self.stdout.write("\n".join(report.json_lines(path.name, done)))
            return
        self.stdout.write(_printed(report.table_of(path.name, done)))
        self.stdout.write(report.verdict(done))


def _printed(table: Any) -> str:
    """In a width of its own: a table that is folded to a terminal's can't be read."""
    lines = StringIO()
    Console(file=lines, width=WIDTH).print(table)
    return "\n".join(line.rstrip() for line in lines.getvalue().splitlines())


def _read(path: Path) -> Table:
    try:
        return read_table(path)
    except TableError as error:
        raise CommandError(str(error)) from None
