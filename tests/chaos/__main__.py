"""`python -m tests.chaos [NAME] [--json]`: drills with real processes; exit 1 if one did not hold."""

import argparse
import importlib
import json
import sys
from typing import Any

from tests.database import scratch_database

DRILLS = {
    "kill_senders": "tests.chaos.senders",
    "wipe_broker": "tests.chaos.senders",
    "polite": "tests.chaos.polite",
    "ssrf": "tests.chaos.ways",
}


def main() -> int:
    """Run one drill or all, each in a database of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("name", nargs="?", choices=DRILLS, help="all of them by default")
    parser.add_argument("--messages", type=int, default=2000, help="of the drills on senders")
    parser.add_argument("--seconds", type=float, default=75, help="of the drill on politeness")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    held = True
    for name in DRILLS:
        if options.name in (None, name):
            figures = run(name, options)
            sys.stdout.write(f"{json.dumps(figures) if options.json else in_words(figures)}\n")
            held = held and figures["held"]
    return 0 if held else 1


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One drill's figures."""
    length = {"seconds": options.seconds} if name == "polite" else {"messages": options.messages}
    with scratch_database():
        drills = importlib.import_module(DRILLS[name])
        figures: dict[str, Any] = getattr(drills, name)(**length)
        return figures


def in_words(figures: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())
