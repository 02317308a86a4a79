"""What several requests of a process want at once is done once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Flights(Generic[Result]):
    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Result]] = {}

    async def join(
        self, name: Hashable, begin: Callable[[], Coroutine[Any, Any, Result]]
    ) -> Result:
        """What `begin` comes to, begun by whoever wants it first; who leaves stops nobody's."""
        task = self._under_way.get(name)
        if task is None:
            task = self._under_way[name] = asyncio.create_task(begin())
            task.add_done_callback(lambda _: self._under_way.pop(name))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is under way: whoever wanted it is gone."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
