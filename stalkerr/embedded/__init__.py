"""PostgreSQL and Valkey out of Python wheels, run by a small guardian of our own.

Nothing here knows Django: it runs before the settings are read.
"""

from stalkerr.embedded.client import Servers, ensure, nowhere
from stalkerr.embedded.errors import EmbeddedError

__all__ = ["EmbeddedError", "Servers", "ensure", "nowhere"]
