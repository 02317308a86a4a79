"""`python -m stalkerr.embedded <folder> [--fast]`: leave a guardian behind once its servers answer."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from stalkerr.embedded.errors import EmbeddedError
from stalkerr.embedded.folder import Folder, is_left
from stalkerr.embedded.guardian import guard

READY, TAKEN = b"ready", b"taken"


def main(arguments: list[str]) -> int:
    """Start guardian and watcher, and wait for the first word; a complaint is our error output."""
    folder = Folder(Path(arguments[0]))
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        leave_terminal(folder.log("guardian"))
        watch(folder, durable="--fast" not in arguments, writer=writer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        words = pipe.read()
    if words in (READY, TAKEN):
        return 0
    sys.stderr.write(words.decode() or f"The embedded servers' guardian died: see {folder.path}.")
    return 1


def leave_terminal(log: Path) -> None:
    """Whatever is typed there does not reach us; what we print goes to the log."""
    os.setsid()
    os.chdir("/")
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    logging.basicConfig(format="%(asctime)s %(message)s")


def watch(folder: Folder, *, durable: bool, writer: int) -> None:
    """Have a guardian; put another in the place of one that was killed while somebody needs it."""
    report = first_word(writer)
    while True:
        guardian = os.fork()
        if guardian == 0:
            os._exit(become_guardian(folder, durable=durable, report=report))
        report(b"")
        report = ignore
        _, status = os.waitpid(guardian, 0)
        if not os.WIFSIGNALED(status) or is_left(folder.clients_lock):
            return


def first_word(writer: int) -> Callable[[bytes], None]:
    """Says its word through the pipe and closes this process's end."""

    def report(words: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever started us was killed: others wait
            os.write(writer, words)
        os.close(writer)

    return report


def ignore(words: bytes) -> None:
    """Nobody waits for the word of a replacement."""


def become_guardian(folder: Folder, *, durable: bool, report: Callable[[bytes], None]) -> int:
    """Guard, and report: ready, or what went wrong."""
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
