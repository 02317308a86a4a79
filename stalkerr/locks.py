"""Locks that all processes share and that end with the transaction, so PgBouncer is no trouble."""

import hashlib

from stalkerr import sql


def lock(*name: object, shared: bool = False) -> None:
    """Wait for the advisory lock `name`, hold it until the transaction ends.

    Its own statement: one that also reads would read what was true before the wait.
    """
    suffix = "_shared" if shared else ""
    sql.rows(f"SELECT pg_advisory_xact_lock{suffix}(%s)", [_number(name)])


def lock_each(*names: tuple[object, ...]) -> None:
    """As `lock`, for several, one after the other in the order given."""
    sql.rows(
        "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number",
        [[_number(name) for name in names]],
    )


def _number(name: tuple[object, ...]) -> int:
    digest = hashlib.blake2b(repr(name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
