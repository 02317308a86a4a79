"""Row 44: whatever is logged, however it is nested, quoted or encoded, no secret is in the line."""

import json
import logging
import sys
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from stalkerr.logging import _formatter
from stalkerr.redaction import redacted

CANARY = "cAnArY" + "0123456789abcdefghijklmnopqrstuvw"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWNhbmFyeQ"
ADDRESSES = [
    f"https://discord.com/api/webhooks/123456/{CANARY}",
    f"https://discordapp.com/api/v10/webhooks/123456/{CANARY}?wait=true",
    f"https://hooks.slack.com/services/T000/B000/{CANARY}",
    f"https://hooks.slack.com/workflows/T000/{CANARY}/7",
    f"https://api.telegram.org/bot123456789:{CANARY}/sendMessage",
    f"https://someone:{CANARY}@matrix.example/x",
    f"smtp://user%40example.org:{CANARY}@mail.example:587",
    f"redis://:{CANARY}@cache:6379/0",
    f"https://ntfy.example/topic?auth={CANARY}&token={CANARY}",
    f"https://gotify.example/message?token={CANARY}",
    f"https://stalkerr.example/feeds/private/{CANARY}.rss",
    f"https://stalkerr.example/feeds/lists/{CANARY}.atom?x=1",
    f"https://stalkerr.example/lists/{CANARY}{'x' * 4}",
    f"https://stalkerr.example/api/lists/shared/{CANARY}{'x' * 4}/copy",
    f"https://stalkerr.example/confirm/17:{CANARY}",
    f"https://stalkerr.example/unsubscribe/{CANARY}",
]
TEXTS = [
    *ADDRESSES,
    f"Authorization: Bearer {CANARY}",
    f"authorization=Basic {CANARY}=",
    f"'HTTP_AUTHORIZATION': 'Bearer {CANARY}'",
    f"Cookie: sessionid={CANARY}; csrftoken={CANARY}",
    f'{{"password": "{CANARY}", "x": 1}}',
    f'{{"password": "two words and \\"quotes\\", {CANARY}"}}',
    json.dumps(json.dumps({"api_key": CANARY})),
    f"{{'client_secret': b'{CANARY}'}}",
    f"(password='{CANARY}')",
    f"PGPASSWORD={CANARY} pg_dump",
    f"SMTP_PASSWORD: {CANARY}",
    f"stk_0123456789ab_{CANARY}",
    f"whsec_{CANARY}",
    f"a key stk_0123456789ab_{CANARY} was refused",
    f"xoxb_{CANARY} tk_{CANARY}",
    f"bot token 123456789:{CANARY}",
]


def lines(event: str, **values: Any) -> list[str]:
    """As both kinds of log show it."""
    logger = logging.getLogger("test.redaction")
    record = logger.makeRecord(
        "x", logging.WARNING, __file__, 1, {"event": event, **values}, (), None
    )
    record._logger = structlog.get_logger("x")
    record._name = "warning"
    plain = logger.makeRecord("x", logging.WARNING, __file__, 1, f"{event} {values}", (), None)
    return [
        _formatter(json=json).format(each) for json in (True, False) for each in (record, plain)
    ]


def assert_gone(said: str) -> None:
    for piece in (CANARY, CANARY[6:30], JWT, JWT.rpartition(".")[2]):
        assert piece not in said, said


@pytest.mark.parametrize("text", TEXTS)
def test_no_secret_survives_in_a_text(text: str) -> None:
    """Proves the guards _SHAPES."""
    for said in (redacted(text), *lines(text), *lines("x", detail=text, deep={"a": [{"b": text}]})):
        assert_gone(said)
        assert "***" in said


@pytest.mark.parametrize("text", ADDRESSES)
@pytest.mark.parametrize("times", [1, 2])
def test_no_secret_survives_encoded(text: str, times: int) -> None:
    for _ in range(times):
        text = quote(text, safe="")
    assert_gone(redacted(f"GET /x?next={text} 404"))


def test_a_jwt_is_known_by_its_shape() -> None:
    for said in lines("refused", of=JWT, why=f"token {JWT} is old"):
        assert_gone(said)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "new_password", "Authorization", "HTTP_AUTHORIZATION", "api_key", "api-key"),
        *("access_token", "refreshToken", "client_secret", "cookie", "p256dh", "private_key"),
        *("sealed_config", "signing_key", "JWT_KEY", "SECRET_KEY", "tokens"),
    ],
)
def test_what_goes_by_the_name_of_a_secret_is_starred_out_whatever_it_is(name: str) -> None:
    """Proves the guard without_secrets: such a value may hold blanks, quotes and lines."""
    odd = f'{CANARY} "with", {{all}} \n of it'
    for value in (odd, odd.encode(), [odd], {"deep": odd}, {"deep": [{"er": (odd, 1)}]}):
        for said in lines("x", config={"list": [{name: value}]}, **{name.replace("-", "_"): value}):
            assert_gone(said)


def test_bytes_and_what_lies_deep_are_looked_at() -> None:
    deep: Any = f"Bearer {CANARY}"
    for _ in range(30):
        deep = {"a": [deep]}
    for said in lines("x", body=f"token={CANARY}".encode(), deep=deep):
        assert_gone(said)


@pytest.mark.parametrize("json", [True, False])
def test_no_secret_survives_in_an_exception(json: bool) -> None:
    try:
        try:
            raise OSError(f"can't reach https://discord.com/api/webhooks/1/{CANARY}")
        except OSError as error:
            raise ValueError({"password": f"a b {CANARY}"}) from error
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "broke", None, sys.exc_info())
    said = _formatter(json=json).format(record)
    assert "test_no_secret_survives_in_an_exception" in said
    assert_gone(said)


def test_the_secrets_of_this_process_go_by_their_letters() -> None:
    """Proves the guard _known: whoever names them however."""
    for secret in (settings.SECRET_KEY, settings.METRICS_TOKEN, settings.CHANNEL_KEYS[0]):
        for spelt in (secret, quote(secret, safe=""), f"x{secret}y"):
            assert secret not in redacted(f"something {spelt} else")


def test_a_mailbox_is_nobodys_and_a_workers_name_stays() -> None:
    text = redacted(
        "to alice.b+news@mail.example.org (alice%40example.org) from tell@host.example.org"
    )
    assert "alice" not in text
    assert "***@mail.example.org" in text
    assert "tell@host.example.org" in text


@pytest.mark.parametrize(
    "text",
    [
        "watch 17 of author brandon sanderson, 3 new, 2 tokens left",
        "secretary of the author; a passwordless sign-in",
        "2026-11-28T16:02:19.000000Z [info     ] request route=feeds/private/<str:token>.<format:extension>",
        '{"route": "lists/<str:token>", "process_time": 0.0012, "trace_id": "0af7651916cd43dd8448eb211c80319c"}',
        "GET https://api.audible.com/1.0/catalog/products?author=x 200",
        "12:30:45 took 1.5 s",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text(max_size=200))
def test_twice_is_as_once_and_lines_stay_json(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once
    for said in lines(text, detail=text, deep={"token": text, "b": [text]})[:2]:
        json.loads(said)


@pytest.mark.parametrize("piece", ["a-", "a.", "password", "://", "bot1", "token='", "%25", "@a."])
def test_a_long_line_is_no_burden(piece: str) -> None:
    """Of a megabyte of it: in time that grows with its square this would not end."""
    assert redacted(piece * (1_000_000 // len(piece)))
