import html
import json
import re

import pytest

from notifications.channels import registry
from notifications.channels.base import Verdict
from tests.contract.channels import Harness, Row, http_rows, replying, send_to, utf16
from tests.news import BOOK
from tests.sinks import HttpSink


def texts_of(sink: HttpSink) -> list[str]:
    said = sink.requests[-1].json()
    assert (said["unfurl_links"], said["unfurl_media"]) == (False, False)
    for block in said["blocks"]:
        assert (block["type"], block["text"]["type"]) == ("section", "mrkdwn")
        assert block["text"]["verbatim"] is True
    return [said["text"], *(block["text"]["text"] for block in said["blocks"])]


def shown(sink: HttpSink) -> str:
    link = re.compile(rf"<{re.escape(html.escape(BOOK.url))}\|([^<>]*)>")
    marked = link.sub(r"\1", "\n".join(texts_of(sink)[1:]))
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", marked), "that would be a link or a mention"
    assert not re.search("[<>]", texts_of(sink)[0])
    return html.unescape(marked)


def within_limits(sink: HttpSink) -> None:
    fallback, *blocks = texts_of(sink)
    assert 1 <= len(blocks) <= 50
    assert all(1 <= utf16(text) <= 3000 for text in blocks)
    assert sum(map(utf16, blocks)) <= 13_000
    assert 1 <= utf16(fallback) <= 4000
    assert not any(re.search(r"&(?!amp;|lt;|gt;)", text) for text in blocks), "half an escape"


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {"url": f"{url}/services/T0AB1/B0CD2/s3cretOfTheHook"},
    rows=(
        *http_rows(404, 410),
        *(
            Row(
                f"{status} {word.decode()}",
                replying(status, body=word),
                verdict,
                status,
                refusal=True,
            )
            for status, word, verdict in (
                (403, b"invalid_token", Verdict.REFUSED),
                (400, b"no_team", Verdict.REFUSED),
                (403, b"action_prohibited", Verdict.NOT_ACCEPTED),
                (400, b"invalid_payload", Verdict.NOT_ACCEPTED),
            )
        ),
    ),
    bad_configs=tuple(
        {"url": url}
        for url in (
            *("", "x", "https://hooks.slack.com/", "https://hooks.slack.com/services/T1/B1", None),
            *("http://hooks.slack.com/services/T1/B1/x", "https://evil.example/services/T1/B1/x"),
            "https://hooks.slack.com.evil.example/services/T1/B1/x",
            "https://hooks.slack.com/workflows/T1/A1/1/x",
            "https://hooks.slack.com/services/T1/B1/x/../../../y",
            "https://127.0.0.1/services/T1/B1/x",
        )
    ),
    shown=shown,
    within_limits=within_limits,
)


def test_each_piece_of_news_is_a_block_that_leads_to_the_store() -> None:
    with HttpSink() as sink:
        send_to("slack", HARNESS, sink, BOOK, BOOK)
        (request,) = sink.requests
    assert request.path == "/services/T0AB1/B0CD2/s3cretOfTheHook"
    first, second = (block["text"]["text"] for block in request.json()["blocks"])
    assert first == second
    assert first.startswith(f"*<{BOOK.url}|New: The Long Way>*\nA Novel\n")
    assert first.endswith("\n_You hear of it because of: author A. Writer_")
    assert request.json()["text"] == "New: The Long Way and 1 more"


@pytest.mark.parametrize("host", ["hooks.slack.com", "hooks.slack-gov.com"])
def test_its_destination_is_the_hook_without_its_secret(host: str) -> None:
    channel = registry.get("slack")
    config = channel.parse_config({"url": f"https://{host}/services/T1A/B2B/cCc"})
    assert channel.destination(config) == "T1A/B2B"
    assert "cCc" not in json.dumps(list(channel.paces(config)))
