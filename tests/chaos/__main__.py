"""`python -m tests.chaos [NAME] [--json]`: drills with real processes; exit 1 if one did not hold."""

import argparse
import importlib
import inspect
import json
import sys
from typing import Any

from tests.database import scratch_database

DRILLS = {
    "kill_senders": "tests.chaos.senders",
    "wipe_broker": "tests.chaos.senders",
    "broker_outage": "tests.chaos.brokers",
    "rabbitmq_outage": "tests.chaos.brokers",
    "slow_postgres": "tests.chaos.databases",
    "crash_postgres": "tests.chaos.databases",
    "poison": "tests.chaos.poison",
    "stalled_sender": "tests.chaos.stalls",
    "stop_anywhere": "tests.chaos.stalls",
    "hung_consumer": "tests.chaos.stalls",
    "full_disk": "tests.chaos.disks",
    "skewed_clock": "tests.chaos.clocks",
    "drop_replies": "tests.chaos.receivers",
    "bad_gateway": "tests.chaos.receivers",
    "polite": "tests.chaos.polite",
    "ssrf": "tests.chaos.ways",
    "three_beats": "tests.chaos.beats",
    "dead_beats": "tests.chaos.beats",
    "fuzz_api": "tests.chaos.fuzz",
    "restore_backup": "tests.chaos.restores",
}
SIZES = ("messages", "kills", "seconds", "cases", "audiobooks")


def main() -> int:
    """Run one drill or all, each in a database of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("name", nargs="?", choices=DRILLS, help="all of them by default")
    parser.add_argument("--messages", type=int, help="of the drills on telling")
    parser.add_argument("--kills", type=int, help="of the drills that kill")
    parser.add_argument("--seconds", type=float, help="of politeness, and of a fault")
    parser.add_argument("--cases", type=int, help="of the drill on the API's description")
    parser.add_argument("--audiobooks", type=int, help="of the drill on backups")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    held = True
    for name in DRILLS:
        if options.name in (None, name):
            figures = run(name, options)
            sys.stdout.write(f"{json.dumps(figures) if options.json else in_words(figures)}\n")
            sys.stdout.flush()
            held = held and figures["held"]
    return 0 if held else 1


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One drill's figures; what was not said of its size is as the drill has it."""
    with scratch_database():
        drill = getattr(importlib.import_module(DRILLS[name]), name)
        taken = inspect.signature(drill).parameters
        said = {size: value for size, value in vars(options).items() if size in SIZES and value}
        figures: dict[str, Any] = drill(**{size: said[size] for size in said if size in taken})
        return figures


def in_words(figures: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())
