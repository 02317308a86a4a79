"""What a channel is: it takes one Envelope to one address and says truly how that went."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar, Final, Generic, TypeVar

from notifications.messages import Content, one_line
from stalkerr import retry_after
from stalkerr.addresses import BadUrlError, OutboundError, RefusedAddressError, guard
from stalkerr.outbound import Answer, Client, UnclearError

DETAIL_MAX: Final = 300  # characters
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended."""

    verdict: Verdict
    status: int | None = None  # of HTTP or SMTP, where there was a complete answer
    detail: str = ""  # for the owner: capped, without secrets
    retry_after: dt.timedelta | None = None  # what the other side asked for, already capped
    remote_id: str = ""  # the other side's name for what it accepted
    costs_try: bool = True  # False where we were only told to come back later (429)
    refusal: bool = False  # a clear no to this address; three days of them are for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One Message as a channel sees it."""

    wire_id: str  # the same over all retries: webhook-id, Message-ID, nonce
    contents: tuple[Content, ...]  # one to Channel.groups pieces of news
    created_at: dt.datetime


ConfigT = TypeVar("ConfigT")


class Channel(ABC, Generic[ConfigT]):
    """One kind of channel. Stateless: everything comes with the call."""

    kind: ClassVar[str]  # its name in the registry and in rows
    label: ClassVar[str]
    idempotent: ClassVar[bool]  # the wire id keeps a second copy from being seen
    groups: ClassVar[int]  # pieces of news in one message, at most
    secret_fields: ClassVar[frozenset[str]]  # never shown again once stored

    def completed(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """`data` plus what its owner need not give because the channel makes it (a secret)."""
        return dict(data)

    @abstractmethod
    def parse_config(self, data: Mapping[str, Any]) -> ConfigT:
        """A frozen dataclass of the settings, or ConfigError. Its `asdict` is what to store."""

    @abstractmethod
    def destination(self, config: ConfigT) -> str:
        """What fails as one and is spared as one: a host, a hook. Holds no secret."""

    @abstractmethod
    async def send(
        self, envelope: Envelope, config: ConfigT, client: Client, now: dt.datetime
    ) -> Outcome:
        """One try. Never raises for what the network or the other side does."""


def text_fields(data: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The settings `names`, each some text; ConfigError where one is missing, odd or unknown."""
    texts = {name: data.get(name) for name in names}
    errors = {
        name: "This is required."
        for name, text in texts.items()
        if not isinstance(text, str) or not text.strip()
    }
    errors |= {str(name): "There is no such setting." for name in data if name not in names}
    if errors:
        raise ConfigError(errors)
    return {name: str(text).strip() for name, text in texts.items()}


def checked_url(url: str) -> str:
    """`url`, or ConfigError for the field `url` where nothing may be sent to it."""
    try:
        return str(guard().check_url(url))
    except OutboundError as error:
        raise ConfigError({"url": str(error)}) from error


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
    wait = retry_after.parse(answer.headers.get("Retry-After"), now, RETRY_AFTER_MAX)
    return Outcome(
        verdict=_verdict(answer, gone),
        status=answer.status,
        detail=_detail(answer, secrets),
        retry_after=wait,
        costs_try=answer.status != HTTPStatus.TOO_MANY_REQUESTS,
        refusal=_is_refusal(answer.status),
    )


def _verdict(answer: Answer, gone: Collection[int]) -> Verdict:
    if answer.status in range(200, 300):
        return Verdict.ACCEPTED
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
    text = answer.body.decode(errors="replace")
    for secret in secrets:
        text = text.replace(secret, "***")
    return one_line(f"{answer.status}: {text}", DETAIL_MAX)
