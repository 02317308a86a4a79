"""A child that does not outlive its parent, not even one that was killed without a warning."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
# Looked up here: between fork and exec is no place to load a library.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with_parent(by: signal.Signals) -> Callable[[], None]:
    """What Popen's `preexec_fn` runs so that the child gets `by` when its parent is gone.

    Linux only (elsewhere it does nothing). The kernel means the parent *thread*: start children
    from one that lasts.
    """
    parent = os.getpid()

    def arrange() -> None:
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, int(by))
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return arrange
