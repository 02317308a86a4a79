#!/usr/bin/env python
"""Django's commands, with servers found or started for them."""

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

# Importing the rest takes a second; until main() knows better, Ctrl-C just ends this.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from django.core.management import execute_from_command_line  # noqa: E402

from stalkerr.embedded import EmbeddedError, ensure, nowhere  # noqa: E402
from workers.demo.place import move_in  # noqa: E402

# These read files and no rows: they start nothing, and wait for nothing.
SERVERLESS = ("parse", "backtest")
VAR_DIR = Path(os.environ.get("VAR_DIR") or Path(__file__).resolve().parent / "var")


def main() -> int:
    """Run the command; the exit status."""
    # The demo empties what it uses: it never sees the product's folder and servers.
    var = move_in(VAR_DIR) if sys.argv[1:2] == ["demo"] else VAR_DIR
    settings = os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.local")
    # So that a polite end (systemd, docker stop) also lets the servers go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        # A shell starts background jobs with SIGINT ignored; here it always means "stop".
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with _servers(var, settings):
            execute_from_command_line(sys.argv)
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _servers(var: Path, settings: str) -> AbstractContextManager[object]:
    if sys.argv[1:2] and sys.argv[1] in SERVERLESS:
        return nowhere()
    # In production servers have addresses of their own; a missing one is a mistake.
    return nullcontext() if settings == "stalkerr.settings.production" else ensure(var)


if __name__ == "__main__":
    sys.exit(main())
