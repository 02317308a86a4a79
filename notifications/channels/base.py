"""What a channel is: it takes one Envelope to one address and says truly how that went."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from notifications.messages import Content

if TYPE_CHECKING:
    from stalkerr.outbound import Client

DETAIL_MAX = 300


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
    refusal: bool = False  # the answer was a clear no; three days of them are for good


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
        """`data` plus what the owner need not give because the channel makes it (a secret)."""
        return dict(data)

    @abstractmethod
    def parse_config(self, data: Mapping[str, Any]) -> ConfigT:
        """Settings as given or stored (`dataclasses.asdict` of the result), or ConfigError."""

    @abstractmethod
    def destination(self, config: ConfigT) -> str:
        """What fails as one and is spared as one: a host, a hook. Holds no secret."""

    @abstractmethod
    async def send(
        self, envelope: Envelope, config: ConfigT, client: "Client", now: dt.datetime
    ) -> Outcome:
        """One try. Never raises for what the other side or the network does."""
