"""deploy/proxy, run for real before two receivers that stand for the web and for Flower.

Skipped where the proxy is not installed; its ports, names of files and addresses are those of here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from stalkerr.processes import ROOT
from tests.sinks import HttpSink, Request, certificate, wait_until
from workers.launch import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

HOST = "stalkerr.example"
LIES = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "ftp", "Forwarded": "for=6.6.6.6"}


def nginx(folder: Path, http: int, https: int, pem: Path) -> list[str]:
    """The site as it is shipped, in the smallest nginx there can be."""
    site = (ROOT / "deploy" / "proxy" / "nginx.conf").read_text()
    site = re.sub(r"listen \[::\]:.*\n", "", site)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{http};")
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{https} ssl")
    site = re.sub(r"(ssl_certificate(?:_key)?) \S+;", rf"\1 {pem};", site)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(
        f"{as_root()}pid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}"
        f"include {folder}/site.conf;\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


def as_root() -> str:
    """Else its workers would be somebody who may not enter this test's folder."""
    return "user root;\n" if os.getuid() == 0 else ""


def caddy(folder: Path, http: int, https: int, pem: Path) -> list[str]:
    """The same for Caddy, which is not to ask anybody for certificates here."""
    site = (ROOT / "deploy" / "proxy" / "Caddyfile").read_text()
    ours = f"{{\n\tadmin off\n\thttp_port {http}\n\thttps_port {https}\n\tskip_install_trust\n"
    site = site.replace("{\n", ours, 1)
    site = site.replace(f"{HOST} {{", f"{HOST} {{\n\ttls {pem} {pem}")
    (folder / "Caddyfile").write_text(site)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES: dict[str, Callable[[Path, int, int, Path], list[str]]] = {"nginx": nginx, "caddy": caddy}


class Place:
    """A proxy that runs, and what is behind it."""

    def __init__(self, web: HttpSink, flower: HttpSink, http: int, https: int) -> None:
        self.web, self.flower = web, flower
        self.plain = urllib3.HTTPConnectionPool("127.0.0.1", http)
        self.secure = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            https,
            ca_certs=str(certificate((HOST,)).with_suffix(".crt")),
            server_hostname=HOST,
            assert_hostname=HOST,
        )

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        given = {"Host": HOST, **(headers or {})}
        return self.secure.request(method, path, body=body, headers=given, retries=False).status

    def is_up(self) -> bool:
        try:
            return self.ask("/") == 200
        except urllib3.exceptions.HTTPError:
            return False

    def last(self) -> Request:
        return self.web.requests[-1]


@pytest.fixture(params=PROXIES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if not shutil.which(request.param):
        pytest.skip(f"there is no {request.param} here")
    http, https = free_port(), free_port()
    pem = certificate((HOST,))
    with HttpSink() as web, HttpSink() as flower:
        command = PROXIES[request.param](tmp_path, http, https, pem)
        for path in tmp_path.iterdir():
            text = path.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{web.port}")
            path.write_text(text.replace("127.0.0.1:5555", f"127.0.0.1:{flower.port}"))
        with running(command, tmp_path):
            place = Place(web, flower, http, https)
            wait_until(place.is_up, within=30, every=0.05)
            yield place


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[None]:
    env = {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)  # noqa: S603 (ours)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_what_a_client_says_of_itself_is_not_passed_on(place: Place) -> None:
    """The web believes its proxy, so that must not repeat lies."""
    assert place.ask("/api/upcoming?limit=1", headers=LIES) == 200
    headers = place.last().headers
    assert place.last().path == "/api/upcoming?limit=1"
    assert (headers["host"], headers["x-forwarded-proto"]) == (HOST, "https")
    assert headers["x-forwarded-for"].split(",")[-1].strip() == "127.0.0.1"
    assert "6.6.6.6" not in headers["x-forwarded-for"]


def test_plain_http_leads_to_tls(place: Place) -> None:
    answer = place.plain.request("GET", "/api/upcoming", headers={"Host": HOST}, redirect=False)
    assert answer.status == 308
    assert answer.headers["location"].startswith(f"https://{HOST}")
    assert all(request.path == "/" for request in place.web.requests)


INSIDE = ("/metrics", "/metrics/", "/health", "/health/", "/health/live", "/health/ready")
TRICKS = ("//metrics", "/%6detrics", "/x/../metrics", "/./health")
FLOWERS = ("/flower/metrics", "/flower/healthcheck", "/flower//metrics")


@pytest.mark.parametrize("path", [*INSIDE, *TRICKS, *FLOWERS])
def test_what_is_for_the_inside_is_not_there(place: Place, path: str) -> None:
    """Proves the guard @inside of the Caddyfile."""
    before = len(place.web.requests), len(place.flower.requests)
    assert place.ask(path) == 404
    assert (len(place.web.requests), len(place.flower.requests)) == before


def test_flower_lives_under_its_prefix(place: Place) -> None:
    assert place.ask("/flower/tasks?x=1") == 200
    assert [request.path for request in place.flower.requests] == ["/flower/tasks?x=1"]
    assert place.ask("/flowers") == 200
    assert place.last().path == "/flowers"


def test_an_import_fits_and_a_flood_does_not(place: Place) -> None:
    """IMPORT_MAX_BYTES is 10,000,000."""
    assert place.ask("/api/imports", "POST", b"x" * 10_100_000) == 200
    before = len(place.web.requests)
    # Caddy hands on until it is too much, and an old one then calls it the web's fault.
    assert place.ask("/api/imports", "POST", b"x" * 13_000_000) in (413, 502)
    assert len(place.web.requests) == before
