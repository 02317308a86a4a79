"""Thousands of people for drills and benchmarks, in a few statements.

One is made as the product makes them; the others are copies of that one's rows, whatever columns
they have. This is the one place where drills and benchmarks write the product's tables by hand.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.db import models

from accounts.models import User
from catalog.models import Watch, WatchKey, WatchQuery
from notifications.models import Channel, Route
from stalkerr import crypto, sql
from tests.factories import make_channel, make_watch
from tests.people import make_user

AUTHOR = "Ada Example"
SECRET = "whsec_" + "A" * 32


def make_crowd(
    *,
    people: int,
    now: dt.datetime,
    name: str = "crowd",
    author: str = AUTHOR,
    kind: str = "webhook",
    address: str = "127.0.0.1",
    config_of: Callable[[int], Mapping[str, Any]],
) -> None:
    """So many people, each with a watch of one author and a channel called `name` and a number.

    Channel number n, from 0 on, has the settings `config_of(n)`.
    """
    user = make_user(f"{name}0")
    config = dict(config_of(0))
    channel = make_channel(user, kind=kind, config=config, address=address, name=f"{name}0")
    watch = make_watch(user, author, now=now)
    copy_user(user, name, people - 1)
    others = f"""(SELECT id, substring(email FROM '^{name}([0-9]+)@') AS number FROM accounts_user
                  WHERE email ~ '^{name}[0-9]+@' AND id <> {user.id})"""  # noqa: S608 (ours)
    copy(Channel, f"t.id = {channel.id}", others, user_id="n.id", name=f"'{name}' || n.number")
    _seal(name, [dict(config_of(number)) for number in range(people)])
    copy(
        Route,
        f"t.channel_id = {channel.id}",
        f"(SELECT * FROM channels WHERE name ~ '^{name}[0-9]+$' AND id <> {channel.id})",  # noqa: S608 (ours)
        user_id="n.user_id",
        channel_id="n.id",
    )
    copy_watch(watch, others)
    sql.rows("ANALYZE")


def copy_user(user: User, name: str, times: int) -> None:
    """People with the addresses `name`1@example.org, `name`2 …"""
    numbers = f"(SELECT g AS number FROM generate_series(1, {times}) g)"
    copy(User, f"t.id = {user.id}", numbers, email=f"'{name}' || n.number || '@example.org'")


def copy_watch(watch: Watch, users: str) -> None:
    """The same watch, with its keys and queries, for all `users`: SQL with their `id`."""
    copy(Watch, f"t.id = {watch.id}", users, user_id="n.id")
    copies = f"(SELECT w.* FROM watches w JOIN {users} u ON u.id = w.user_id)"  # noqa: S608 (ours)
    copy(WatchKey, f"t.watch_id = {watch.id}", copies, user_id="n.user_id", watch_id="n.id")
    copy(WatchQuery, f"t.watch_id = {watch.id}", copies, watch_id="n.id")


def copy(model: type[models.Model], template: str, source: str, **columns: str) -> None:
    """Insert a copy of the rows `t` that fulfil `template` for each row `n` of `source`.

    `columns` are the expressions in which the copies differ. All of it is SQL.
    """
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names = [str(field.column) for field in fields if not getattr(field, "generated", False)]
    values = [columns.get(name, f't."{name}"') for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    table = model._meta.db_table
    sql.rows(
        f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} "  # noqa: S608 (ours)
        f"FROM {table} t CROSS JOIN {source} n WHERE {template}"
    )


def _seal(name: str, configs: list[dict[str, Any]]) -> None:
    """Give each channel its own settings; equal ones are encrypted once."""
    sealed: dict[str, str] = {}
    texts = []
    for config in configs:
        key = repr(config)
        sealed[key] = sealed.get(key) or crypto.encrypt(config)
        texts.append(sealed[key])
    sql.rows(
        """
        UPDATE channels c SET sealed_config = s.text
        FROM unnest(%s::text[]) WITH ORDINALITY AS s(text, place)
        WHERE c.name = %s || (s.place - 1)
        """,
        [texts, name],
    )
