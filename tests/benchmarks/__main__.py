"""`python -m tests.benchmarks [NAME] [--json]`: what things cost, as ratios of one interleaved run."""

import argparse
import importlib
import json
import sys

from tests.database import scratch_database

BENCHMARKS = (
    *("fan_out", "match", "tell", "dead_endpoint", "ingest", "visit"),
    *("api", "graphql_abuse", "simulate"),
)


def main() -> int:
    """Run one benchmark or all, each in a database of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, help="all of them by default")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for name in BENCHMARKS:
        if options.name in (None, name):
            with scratch_database():
                figures = importlib.import_module(f"tests.benchmarks.{name}").measure()
            words = "  ".join(f"{key} {value}" for key, value in figures.items())
            sys.stdout.write(f"{json.dumps(figures) if options.json else words}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
