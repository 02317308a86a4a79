"""What can go wrong before there is a database to complain about."""


class EmbeddedError(Exception):
    """The embedded servers can't run; the message is one sentence saying what to do."""
