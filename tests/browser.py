"""A real browser: what a page says in its console, and what it looks like. Chromium, by its DevTools."""

import asyncio
import base64
import itertools
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
_PATIENCE: Final = 60  # seconds, on a busy machine
_FLAGS: Final = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--remote-debugging-port=0", "--window-size=1200,900"),
)
_NOT_THERE: Final = "Failed to load resource: the server responded"  # a 404 is one on purpose


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of opening a page: complaints of the console, what is to be read, a picture."""

    complaints: list[str]
    text: str
    picture: bytes


@dataclass(slots=True)
class _Tab:
    """One page over DevTools."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=itertools.count)

    async def ask(self, method: str, **params: Any) -> Any:
        """The result of a command; what happens meanwhile is noted."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while (message := await self.socket.receive_json()).get("id") != number:
            self._note(message)
        assert "error" not in message, message
        return message["result"]

    async def wait_for(self, script: str) -> None:
        """Until that is true in the page."""
        while not (await self.value_of(script)):
            await asyncio.sleep(0.05)

    async def value_of(self, script: str) -> Any:
        return (await self.ask("Runtime.evaluate", expression=script))["result"].get("value")

    def _note(self, message: Mapping[str, Any]) -> None:
        params = message.get("params", {})
        if message["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            text = params["entry"]["text"]
            self.complaints += [] if text.startswith(_NOT_THERE) else [text]
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))


def visit(urls: Mapping[str, str], *, session: str, folder: Path) -> dict[str, Visit]:
    """Open each url with that session's cookie, until its selector is there; by url."""
    return asyncio.run(asyncio.wait_for(_visit(urls, session, folder), _PATIENCE * 3))


async def _visit(urls: Mapping[str, str], session: str, folder: Path) -> dict[str, Visit]:
    async with _chromium(folder) as port, aiohttp.ClientSession() as http:
        return {
            url: await _opened(http, port, url, selector, session) for url, selector in urls.items()
        }


async def _opened(
    http: aiohttp.ClientSession, port: int, url: str, selector: str, session: str
) -> Visit:
    async with http.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
        address = (await answer.json())["webSocketDebuggerUrl"]
    async with http.ws_connect(address, max_msg_size=0) as socket:
        tab = _Tab(socket)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.ask(f"{domain}.enable")
        if session:
            await tab.ask("Network.setCookie", name="sessionid", value=session, url=url)
        await tab.ask("Page.navigate", url=url)
        await tab.wait_for(f"document.readyState === 'complete' && !!{_found(selector)}")
        text = await tab.value_of("document.body.innerText")
        picture = (await tab.ask("Page.captureScreenshot"))["data"]
    return Visit(tab.complaints, text, base64.b64decode(picture))


def _found(selector: str) -> str:
    return f"document.querySelector({selector!r})"


@asynccontextmanager
async def _chromium(folder: Path) -> AsyncIterator[int]:
    """A running browser; its port."""
    command: Sequence[str] = [str(CHROMIUM), *_FLAGS, f"--user-data-dir={folder}"]
    browser = await asyncio.create_subprocess_exec(
        *command,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(folder)},
    )
    try:
        yield await asyncio.wait_for(_port(browser), _PATIENCE)
    finally:
        browser.kill()
        await browser.wait()


async def _port(browser: asyncio.subprocess.Process) -> int:
    assert browser.stderr
    async for line in browser.stderr:
        if found := re.search(rb"ws://127\.0\.0\.1:(\d+)/", line):
            return int(found[1])
    raise AssertionError("the browser did not start")
