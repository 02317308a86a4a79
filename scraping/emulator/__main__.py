"""`python -m scraping.emulator --port 8010 --seed 7`: the emulated store until Ctrl-C."""

import argparse
import signal
import sys
import threading

from catalog.marketplaces import MARKETPLACES
from scraping.emulator.server import Emulator


def main() -> int:
    """Serve until a signal asks to stop; 1 where the port is taken."""
    options = _options()
    emulator = Emulator(
        seed=options.seed, marketplaces=options.marketplaces, authors=options.authors
    )
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        base_url = emulator.start(options.port)
    except OSError as error:
        sys.stderr.write(f"The emulator cannot listen on port {options.port}: {error.strerror}.\n")
        return 1
    sys.stdout.write(f"The emulated store answers at {base_url} (seed {options.seed}).\n")
    sys.stdout.flush()
    asked_to_stop.wait()
    emulator.stop()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An audiobook store that does what it is told.")
    parser.add_argument("--port", type=int, default=8010, help="0: any free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--authors", type=int, default=8, help="on every shelf")
    parser.add_argument(
        "--marketplaces", nargs="+", choices=MARKETPLACES, default=list(MARKETPLACES)
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
