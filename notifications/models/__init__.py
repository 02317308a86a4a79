from notifications.models.channel import Channel, Destination, Route, Timing
from notifications.models.delivery import Delivery, Posting, Refan, Told
from notifications.models.message import SHARDS, Attempt, DigestSlot, Message

__all__ = [
    "SHARDS",
    "Attempt",
    "Channel",
    "Delivery",
    "Destination",
    "DigestSlot",
    "Message",
    "Posting",
    "Refan",
    "Route",
    "Timing",
    "Told",
]
