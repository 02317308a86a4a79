from notifications.models.channel import Channel, Destination, Route
from notifications.models.delivery import Delivery, Refan, Told
from notifications.models.message import Attempt, Message

__all__ = [
    "Attempt",
    "Channel",
    "Delivery",
    "Destination",
    "Message",
    "Refan",
    "Route",
    "Told",
]
