"""How far a promise came, from the delivery to the wire."""

import datetime as dt
from typing import Literal

from catalog.steps import Step, counted, moment
from notifications.models import Delivery, Message

Outcome = Literal["told", "waiting", "stopped", "unknown"]


def progress(delivery: Delivery, now: dt.datetime) -> tuple[Step, Outcome]:
    """Where a delivery stands; its channel and message are loaded."""
    if delivery.message:
        return _of_message(delivery.message, _channel(delivery))
    return _of_promise(delivery, now)


def _channel(delivery: Delivery) -> str:
    return f'{delivery.channel_kind} channel "{delivery.channel}"'


def _of_promise(delivery: Delivery, now: dt.datetime) -> tuple[Step, Outcome]:
    channel = _channel(delivery)
    if delivery.state == Delivery.State.PENDING:
        due = f"due {moment(delivery.due_at)}" if delivery.due_at > now else "with the next batch"
        return Step("delivery", "passed", f"promised to {channel}, {due}"), "waiting"
    if delivery.state == Delivery.State.HELD:
        why = delivery.channel.disabled_reason or "by its owner"
        text = f"held: {channel} was disabled ({why}); kept to be replayed"
        return Step("delivery", "stopped", text), "stopped"
    text = f"cancelled before it went to {channel}: its last reason went"
    return Step("delivery", "stopped", text), "stopped"


def _of_message(message: Message, channel: str) -> tuple[Step, Outcome]:
    said = f": {message.reason}" if message.reason else ""
    tried = f"after {counted(message.claim_no, 'attempt')}"
    if message.state == Message.State.SENT and message.finalized_at:
        text = f"sent to {channel} on {moment(message.finalized_at)} {tried}"
        return Step("message", "passed", text), "told"
    if message.state == Message.State.FAILED:
        return Step("message", "stopped", f"failed for {channel} {tried}{said}"), "stopped"
    if message.state == Message.State.HELD:
        text = f"held {tried}: {channel} is disabled{said}"
        return Step("message", "stopped", text), "stopped"
    again = f", again {moment(message.next_attempt_at)}" if message.next_attempt_at else ""
    text = f"on its way to {channel}, {tried}{again}{said}"
    return Step("message", "passed", text), "waiting"
