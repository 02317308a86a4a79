"""`manage.py parse`: what recorded answers and pages of a store yield, without a server."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.marketplaces import MARKETPLACES
from scraping.recordings import Reading, describe, read
from scraping.sources.registry import SOURCES

_STDIN = "-"


class Command(BaseCommand):
    help = "Shows what recorded answers or pages of the store hold. Asks nobody, stores nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help='Paths; "-" is the input.')
        parser.add_argument("--marketplace", required=True, choices=list(MARKETPLACES))
        parser.add_argument(
            "--source", choices=list(SOURCES), help="Default: by what each file looks like."
        )
        parser.add_argument(
            "--json", action="store_true", help="One object a line: the file, then its titles."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            broken = [name for name in options["files"] if self._show(name, options)]
        except BrokenPipeError:
            # Whoever read us has seen enough; nothing may be flushed to them at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        if broken:
            raise CommandError(f"{len(broken)} of {len(options['files'])} could not be read.")

    def _show(self, name: str, options: dict[str, Any]) -> bool:
        """Print what one file holds; whether it is broken."""
        try:
            reading = read(_body(name), options["marketplace"], options["source"])
        except OSError as error:
            reading = Reading("failed", error=error.strerror or str(error), broken=True)
        lines = _objects(name, reading) if options["json"] else _table(name, reading)
        for line in lines:
            self.stdout.write(_as_taken(line, getattr(self.stdout, "encoding", None)))
        self.stdout.flush()
        if reading.broken:
            self.stderr.write(f"{name}: {reading.error}")
        return reading.broken


def _as_taken(line: str, encoding: str | None) -> str:
    """What the output can show of a line; some terminals know no letters but the plainest."""
    encoding = encoding or "utf-8"
    return line.encode(encoding, "replace").decode(encoding)


def _body(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()


def _objects(name: str, reading: Reading) -> Iterable[str]:
    error = {"error": reading.error} if reading.error else {}
    yield json.dumps({"file": name, "outcome": reading.outcome, **error})
    for listing in reading.page.listings:
        yield json.dumps({"file": name, **describe(listing)})


def _table(name: str, reading: Reading) -> Iterable[str]:
    """For people: a line for the file, a line for each title."""
    count = len(reading.page.listings)
    said = reading.error or f"{count} title{'' if count == 1 else 's'}"
    yield f"{name}: {reading.outcome}, {said}"
    for facts in map(describe, reading.page.listings):
        kind = facts["kind"] if facts["voice"] == "human" else f"{facts['kind']}, {facts['voice']}"
        date, language = facts["release_date"] or "-", facts["language"] or "-"
        title, people = facts["title"] or "(untitled)", ", ".join(facts["authors"]) or "-"
        yield f"  {facts['asin']}  {date:<10}  {language:<10}  {kind:<20}  {title}: {people}"
    for asin in reading.page.stubs:
        yield f"  {asin}  not sold here, or withdrawn"
