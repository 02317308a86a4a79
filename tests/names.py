"""A name server on 127.0.0.1 that says what its zones say, for no longer than one answer lasts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset

from tests.sinks import Served

Record = tuple[str, str]  # a type and its data: ("A", "192.0.2.1"), ("CNAME", "other.example.")
Zone = Callable[[int], Sequence[Record]]  # what it says when asked for the n-th time, from 0


class NameServer(Served):
    """`zones`: by name, without the last dot; "*" stands for all others, which else lead nowhere."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._zones = zones
        self.asked: Counter[str] = Counter()  # for A, by name

    async def resolve(self, host: str) -> list[str]:
        """The addresses of `host`, of both families, as a stub resolver finds them."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.port
        try:
            found = await resolver.resolve_name(host)
        except dns.resolver.NoAnswer as error:
            raise OSError(str(error)) from error
        return list(found.addresses())

    async def _serve(self, ready: Callable[[], None]) -> None:
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: _Listener(self._answer), local_addr=("127.0.0.1", 0)
        )
        self.port = transport.get_extra_info("sockname")[1]
        ready()
        await self._stop.wait()
        transport.close()

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        (asked,) = question.question
        name, kind = asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype)
        self.asked[name] += kind == "A"
        self._add(answer, name, kind)
        return answer

    def _add(self, answer: dns.message.Message, name: str, kind: str) -> None:
        """What is said of `name`, and of the names it stands for."""
        zone = self._zones.get(name) or self._zones.get("*", _nothing)
        for rtype, data in zone(max(self.asked[name] - 1, 0)):
            if rtype in (kind, "CNAME"):
                answer.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", rtype, data))
            if rtype == "CNAME":
                self._add(answer, data.rstrip("."), kind)


def _nothing(_number: int) -> Sequence[Record]:
    return ()


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[dns.message.Message], dns.message.Message]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str | Any, int]) -> None:
        self._transport.sendto(self._answer(dns.message.from_wire(data)).to_wire(), peer)
