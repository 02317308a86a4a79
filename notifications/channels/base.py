"""What a channel is: it takes one Envelope to one address and says truly how that went."""

import datetime as dt
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from yarl import URL

from notifications.messages import Content, one_line
from stalkerr import retry_after
from stalkerr.addresses import BadUrlError, OutboundError, RefusedAddressError, guard
from stalkerr.outbound import Answer, Client, UnclearError

DETAIL_MAX: Final = 300  # characters
REMOTE_ID_MAX: Final = 100
RETRY_AFTER_MAX: Final = dt.timedelta(hours=24)


class ConfigError(Exception):
    """A channel's settings are not usable; `errors` has a sentence per field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {words}" for field, words in errors.items()))
        self.errors = dict(errors)


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"  # provably not: nothing was sent, or a complete answer said no
    AMBIGUOUS = "ambiguous"  # something was sent and no complete answer came
    REFUSED = "refused"  # for good: this address will never take anything again


class Outcome(NamedTuple):
    """How one attempt ended."""

    verdict: Verdict
    status: int | None = None  # of HTTP or SMTP, where there was a complete answer
    detail: str = ""  # for the owner: capped, without secrets
    retry_after: dt.timedelta | None = None  # what the other side asked for, already capped
    remote_id: str = ""  # the other side's name for what it accepted
    costs_try: bool = True  # False where we were only told to come back later (429)
    refusal: bool = False  # a clear no to this address; three days of them are for good
    is_ours: bool = False  # our own code broke over it: no wait makes that better


class Envelope(NamedTuple):
    """One Message as a channel sees it."""

    wire_id: str  # the same over all retries: webhook-id, Message-ID, nonce
    contents: tuple[Content, ...]  # one to Channel.groups pieces of news
    created_at: dt.datetime
    heading: str = ""  # of a digest: "Your digest of 9 June 2027"; one clean line
    unsubscribe_url: str = ""  # switches this channel off, for those that can show such a link


@dataclass(frozen=True, slots=True)
class Pace:
    """What a provider allows: at most `count` messages in any `seconds`, over all workers."""

    count: int
    seconds: float


ConfigT = TypeVar("ConfigT")


class Channel(ABC, Generic[ConfigT]):
    """One kind of channel. Stateless: everything comes with the call."""

    kind: ClassVar[str]  # its name in the registry and in rows
    label: ClassVar[str]
    idempotent: ClassVar[bool]  # the wire id keeps a second copy from being seen
    groups: ClassVar[int]  # pieces of news in one message, at most
    fields: ClassVar[Mapping[str, str]]  # its settings, each in words for who fills them in
    secret_fields: ClassVar[frozenset[str]]  # never shown again once stored
    pace: ClassVar[Pace | None] = None  # of one destination; None: as fast as it takes them
    confirmed_by_link: ClassVar[bool] = False  # no news before its owner followed a link sent there
    unsubscribes: ClassVar[bool] = False  # shows Envelope.unsubscribe_url

    def completed(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """`data` plus what its owner need not give because the channel makes it (a secret)."""
        return dict(data)

    @abstractmethod
    def parse_config(self, data: Mapping[str, Any]) -> ConfigT:
        """A frozen dataclass of the settings, or ConfigError. Its `asdict` is what to store."""

    @abstractmethod
    def destination(self, config: ConfigT) -> str:
        """What fails as one and is spared as one: a host, a hook. Holds no secret."""

    def public_facts(self) -> dict[str, str]:
        """What a program must know to make such a channel, beside its settings; no secret."""
        return {}

    def paces(self, config: ConfigT) -> dict[str, Pace]:
        """The buckets that a message takes a turn from, by a name without secrets."""
        return {self.destination(config): self.pace} if self.pace else {}

    @abstractmethod
    async def send(
        self, envelope: Envelope, config: ConfigT, client: Client, now: dt.datetime
    ) -> Outcome:
        """One try. Never raises for what the network or the other side does."""


def text_fields(data: Mapping[str, Any], *names: str, **defaults: str) -> dict[str, str]:
    """The settings `names`, each some text, and those with `defaults`, which may be left blank.

    ConfigError where one is missing, odd or unknown.
    """
    texts = {name: data.get(name, "") for name in (*names, *defaults)}
    errors = {name: "This is required." for name in names if _is_blank(texts[name])}
    errors |= {
        name: "This must be text, or be left out."
        for name in defaults
        if not isinstance(texts[name], str)
    }
    errors |= {str(name): "There is no such setting." for name in data if name not in texts}
    if errors:
        raise ConfigError(errors)
    return {name: text.strip() or defaults[name] for name, text in texts.items()}


def _is_blank(text: object) -> bool:
    return not isinstance(text, str) or not text.strip()


def check_forms(texts: Mapping[str, str], **forms: tuple[re.Pattern[str], str]) -> None:
    """ConfigError for each of `texts` that is not of its form, with the sentence beside it."""
    errors = {
        name: words for name, (form, words) in forms.items() if not form.fullmatch(texts[name])
    }
    if errors:
        raise ConfigError(errors)


def checked_url(url: str) -> str:
    """`url`, or ConfigError for the field `url` where nothing may be sent to it."""
    try:
        return str(guard().check_url(url))
    except OutboundError as error:
        raise ConfigError({"url": str(error)}) from error


def server_url(url: str, *hosts: str) -> str:
    """As checked_url, of a server that paths are appended to: it has no slash at its end.

    Where there are `hosts`, it is at one of them, or the operator vouches for it.
    """
    checked = URL(checked_url(url))
    if checked.query_string or checked.fragment:
        raise ConfigError({"url": "This must be the address of the server alone, without ? or #."})
    if hosts and not is_at(str(checked), hosts):
        raise ConfigError({"url": "The operator must allow this host by OUTBOUND_ALLOW."})
    return str(checked).rstrip("/")


def is_at(url: str, hosts: Collection[str]) -> bool:
    """Whether `url` is a provider's own, by https; or one that the operator vouches for."""
    parsed = URL(url)
    known = parsed.scheme == "https" and parsed.host in hosts
    return known or guard().vouches(parsed.raw_host or "")


async def ask(
    client: Client,
    url: str,
    *,
    body: bytes | Mapping[str, Any],
    now: dt.datetime,
    secrets: Collection[str],
    headers: Mapping[str, str] = MappingProxyType({}),
    gone: Collection[int] = frozenset({HTTPStatus.GONE}),
    method: str = "POST",
) -> tuple[Outcome, bytes]:
    """One request: how it ended, and what the answer's body said (nothing where there was none).

    A `body` of fields is sent as JSON. Statuses in `gone` are refusals for good.
    """
    if not isinstance(body, bytes):
        headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(body, ensure_ascii=False).encode()
    try:
        answer = await client.request(method, url, headers=headers, body=body)
    except OutboundError as error:
        return unanswered(error), b""
    return answered(answer, now, gone=gone, secrets=secrets), answer.body


def fields_of(body: bytes) -> dict[str, Any]:
    """The JSON object in an answer's body; empty where it is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):  # the latter: nested as deep as the body is long
        return {}
    return said if isinstance(said, dict) else {}


def with_words(
    outcome: Outcome,
    now: dt.datetime,
    *,
    remote_id: object = "",
    wait: object = "",
    gone: bool = False,
) -> Outcome:
    """`outcome` with what the answer's body says.

    remote_id: its name for the message. wait: seconds, heard where they are more than the header
    asks for. gone: whether it makes a clear no one for good.
    """
    waits = [outcome.retry_after, retry_after.parse(str(wait), now, RETRY_AFTER_MAX)]
    return outcome._replace(
        verdict=Verdict.REFUSED if gone and outcome.refusal else outcome.verdict,
        remote_id=one_line(str(remote_id or ""), REMOTE_ID_MAX),
        retry_after=max((wait for wait in waits if wait is not None), default=None),
    )


def unanswered(error: OutboundError) -> Outcome:
    """The outcome of a request that got no answer."""
    return Outcome(
        verdict=Verdict.AMBIGUOUS if isinstance(error, UnclearError) else Verdict.NOT_ACCEPTED,
        detail=str(error),
        refusal=isinstance(error, (RefusedAddressError, BadUrlError)),
    )


def answered(
    answer: Answer, now: dt.datetime, *, gone: Collection[int], secrets: Collection[str]
) -> Outcome:
    """The outcome of a request that got an answer; statuses in `gone` are refusals for good."""
    detail = _detail(answer, secrets)
    if answer.status in range(200, 300):
        return Outcome(verdict=Verdict.ACCEPTED, status=answer.status, detail=detail)
    return Outcome(
        verdict=_verdict(answer, gone),
        status=answer.status,
        detail=detail,
        retry_after=retry_after.parse(answer.headers.get("Retry-After"), now, RETRY_AFTER_MAX),
        costs_try=answer.status != HTTPStatus.TOO_MANY_REQUESTS,
        refusal=_is_refusal(answer.status),
    )


def _verdict(answer: Answer, gone: Collection[int]) -> Verdict:
    if answer.status in gone:
        return Verdict.REFUSED
    if answer.status in range(500, 600) and not answer.complete:
        return Verdict.AMBIGUOUS
    return Verdict.NOT_ACCEPTED


def _is_refusal(status: int) -> bool:
    """A clear no: it moved away, or does not want this. Others ask for another time."""
    later = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
    return status in range(300, 500) and status not in later


def _detail(answer: Answer, secrets: Collection[str]) -> str:
    if not answer.body:
        return str(answer.status)
    text = answer.body.decode(errors="replace")
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return one_line(f"{answer.status}: {text}", DETAIL_MAX)
