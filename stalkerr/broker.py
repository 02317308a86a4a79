"""What a worker believes of its broker: a message that can't be read is dropped, and ends nobody.

Celery refuses pickles and tasks it does not know. But what is no message at all, or one whose parts
are of other kinds than they should be, would end the worker that reads it; and be given to the
next one.
"""

from collections.abc import Callable
from types import NoneType
from typing import Any, Final

import structlog
from celery.bootsteps import StartStopStep
from celery.worker.consumer import Consumer
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.transport.virtual import Empty

LARGEST: Final = 64 * 1024  # characters of a body; a hint has a few hundred
DEAD: Final = "dead"  # RabbitMQ's queue of what was refused, and of what killed its workers
DELIVERIES: Final = 3  # again, of a message whose worker died
_KEPT: Final = {"x-max-length": 1000, "x-message-ttl": 7 * 24 * 3600 * 1000}
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "task": (str,),
    "id": (str,),
    "retries": (int, NoneType),
    "eta": (str, NoneType),
    "expires": (str, int, float, NoneType),
    "timelimit": (list, tuple, NoneType),
}

_log = structlog.get_logger(__name__)


class HostileMessageError(ValueError):
    """A message that none of ours would have sent."""


class Message(virtual.Message):
    """A message of Redis, before anything in it is unpacked."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        if payload["headers"].get("compression"):  # a few bytes may unpack to all memory
            raise HostileMessageError("compressed")
        if len(payload["body"]) > LARGEST:
            raise HostileMessageError("larger than any hint")
        super().__init__(payload, channel=channel, **options)


class Channel(redis.Channel):
    """Reads on after what is no message; whoever pushed it into Redis need not speak Celery."""

    Message = Message
    connection: Any
    connection_errors: Any

    def _brpop_read(self, **options: Any) -> Any:
        read: Any = super()
        return self._read(lambda: read._brpop_read(**options))

    def _receive_one(self, c: Any) -> Any:
        read: Any = super()
        return self._read(lambda: read._receive_one(c))

    def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (Empty, *self.connection_errors, *self.connection.channel_errors):
            raise
        except Exception as error:  # noqa: BLE001 (there is no end to what can be wrong with it)
            _dropped(error)
            return True


class Transport(redis.Transport):
    Channel = Channel


class Reader(Consumer):
    """Refuses a task's message whose parts can't be read, whatever broker it came by."""

    connection_errors: Any
    channel_errors: Any

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        handle = super().create_task_handler(*args, **options)

        def handle_or_refuse(message: Any) -> Any:
            try:
                check_headers(message.headers)
                return handle(message)
            except (*self.connection_errors, *self.channel_errors):
                raise
            except Exception as error:  # noqa: BLE001 (as above)
                _dropped(error)
                # Never back into the queue: the next worker would read it.
                return message.reject_log_error(_log, self.connection_errors)

        return handle_or_refuse


class DeadLetters(StartStopStep):
    """RabbitMQ drops dead letters where nobody has declared a queue for them."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        if parent.connection.transport.driver_type != "amqp":
            return
        with parent.connection.channel() as channel:
            Queue(DEAD, queue_arguments=_KEPT)(channel).declare()


def check_headers(headers: Any) -> None:
    """Raise HostileMessageError where a header is not of its kind.

    Celery would find out with a child's place already taken, and never give it back.
    """
    for name, kinds in _KINDS.items():
        if not isinstance(headers.get(name), kinds):
            raise HostileMessageError(f"header {name}")
    limits = headers.get("timelimit") or (None, None)
    if len(limits) != 2 or not all(isinstance(each, (int, float, NoneType)) for each in limits):
        raise HostileMessageError("header timelimit")


def read_carefully() -> None:
    """From here on, `redis://` means the transport above."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))


def _dropped(error: Exception) -> None:
    _log.warning("message_dropped", error=type(error).__name__, detail=str(error)[:200])
