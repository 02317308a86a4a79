"""`python -m stalkerr.embedded <folder> [--fast]`: leave a guardian behind once its servers answer."""

import contextlib
import logging
import os
import sys
from pathlib import Path

from stalkerr.embedded.errors import EmbeddedError
from stalkerr.embedded.folder import Folder
from stalkerr.embedded.guardian import guard

READY, TAKEN = b"ready", b"taken"


def main(arguments: list[str]) -> int:
    """Fork the guardian and wait for its first word; its complaint is our error output."""
    folder = Folder(Path(arguments[0]))
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        os._exit(become_guardian(folder, durable="--fast" not in arguments, writer=writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        words = pipe.read()
    if words in (READY, TAKEN):
        return 0
    sys.stderr.write(words.decode() or f"The embedded servers' guardian died: see {folder.path}.")
    return 1


def become_guardian(folder: Folder, *, durable: bool, writer: int) -> int:
    """Leave the terminal, guard, and report through the pipe `writer`: ready, or what went wrong."""
    os.setsid()
    os.chdir("/")
    log = os.open(folder.log("guardian"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    logging.basicConfig(format="%(asctime)s %(message)s")

    def report(words: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever started us was killed: others wait
            os.write(writer, words)
        os.close(writer)

    try:
        if not guard(folder, durable=durable, ready=lambda: report(READY)):
            report(TAKEN)
    except EmbeddedError as error:
        logging.error("%s", error)
        report(str(error).encode())
        return 1
    except OSError as error:
        logging.exception("the guardian failed")
        report(f"The embedded servers could not be started under {folder.path}: {error}".encode())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
