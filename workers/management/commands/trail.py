"""`manage.py trail`: the way of one piece of news, from the visit that saw it to its last message."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from stalkerr import tracing
from workers.trail import Step, follow, trace_of


class Command(BaseCommand):
    help = "Shows what came of a visit, a piece of news or a message, in order. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "named",
            metavar="ID",
            help="A trace id of the log, an event's public number, or a message's wire id.",
        )
        parser.add_argument("--json", action="store_true", help="One object a line.")

    def handle(self, *args: Any, **options: Any) -> None:
        trace_id = tracing.known(trace_of(options["named"]))
        steps = follow(trace_id) if trace_id else []
        if not steps:
            raise CommandError(
                "Nothing goes by that name: give a trace id (32 hexadecimal digits, of a line of the"
                " log), the number of a published event, or the wire id of a message."
            )
        if not options["json"]:
            self.stdout.write(f"trace {trace_id}\n")
        for step in steps:
            self.stdout.write(_json(step) if options["json"] else _line(step))


def _line(step: Step) -> str:
    facts = "  ".join(f"{name} {fact}" for name, fact in step.facts.items())
    return f"{step.at:%Y-%m-%d %H:%M:%S.%f}  {step.what:<8}  {facts}"


def _json(step: Step) -> str:
    return json.dumps({"at": step.at.isoformat(), "what": step.what, **step.facts}, default=str)
