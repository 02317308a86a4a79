"""How new what is read of each store is: numbered in PostgreSQL, said in Redis.

Triggers note every transaction that changes what anybody may read (catalog/models/revision.py).
`publish` numbers what was noted and says the numbers in Redis, where caches compare them: at once,
after the transaction that brought the change (`announce`), and again by every tick and every web
process, so that a hint that was lost costs seconds. It says the database's time beside them.
"""

from functools import cache
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from redis import Redis
from redis.exceptions import RedisError

from catalog.marketplaces import MARKETPLACES
from stalkerr import clock, sql
from stalkerr.locks import lock

PLACE: Final = "stalkerr:revisions"
SHIFT: Final = "shift"  # by so many ms the database's clock is ahead of Redis's
_PATIENCE: Final = 0.5  # seconds

_NUMBER: Final = """
WITH changed AS (
    DELETE FROM store_changes RETURNING marketplace
)
INSERT INTO store_revisions AS r (marketplace, revision)
SELECT code, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM unnest(%s::text[]) AS code ORDER BY code
ON CONFLICT (marketplace) DO UPDATE SET revision = greatest(r.revision + 1, EXCLUDED.revision)
WHERE r.marketplace IN (SELECT marketplace FROM changed)
"""
# A number that comes late does not take back a later one. The text is what readers ask for.
_SAY: Final = """
local time = redis.call('TIME')
local redis_now = time[1] * 1000 + math.floor(time[2] / 1000)
local said = KEYS[1] .. ':each'
for i = 2, #ARGV, 2 do
  local known = redis.call('HGET', said, ARGV[i])
  if not known or tonumber(ARGV[i + 1]) > tonumber(known) then
    redis.call('HSET', said, ARGV[i], ARGV[i + 1])
  end
end
redis.call('HSET', said, 'shift', string.format('%d', ARGV[1] - redis_now))
redis.call('SET', KEYS[1], table.concat(redis.call('HGETALL', said), ' '))
"""

_log = structlog.get_logger(__name__)


def announce() -> None:
    """Publish once this transaction is committed; if that fails, it is committed all the same."""
    transaction.on_commit(publish, robust=True)


def publish() -> None:
    """Number what has been changed since, and say so; who can't be told now is told by the tick."""
    said: list[Any] = [int(clock.now().timestamp() * 1000)]
    for code, revision in number():
        said += [code, revision]
    try:
        _redis(settings.BUCKETS_URL).register_script(_SAY)(keys=[PLACE], args=said)
    except (RedisError, OSError) as error:
        _log.warning("revisions_not_said", error=type(error).__name__)


def note_all() -> None:
    """All that is read of every store may be another: what caches hold was of another database."""
    sql.rows(
        "INSERT INTO store_changes (marketplace, transaction) "
        "SELECT code, pg_current_xact_id()::text::bigint FROM unnest(%s::text[]) AS code "
        "ON CONFLICT DO NOTHING",
        [list(MARKETPLACES)],
    )


def number() -> list[tuple[str, int]]:
    """The revision of each store, risen where something has changed."""
    with transaction.atomic():
        lock("revisions")  # a statement of its own: what it waited for must be seen
        sql.rows(_NUMBER, [list(MARKETPLACES)])
        return sql.rows("SELECT marketplace, revision FROM store_revisions")


@cache
def _redis(url: str) -> "Redis":
    return Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
