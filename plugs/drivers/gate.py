"""Lets a bounded number of conversations begin, so that a whole workshop at once does not outrun the processor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """At most `places` conversations are busy at a time.

    Without it 200 cold plugs on a slow machine share the processor so thinly that every one of them runs into its
    deadline, and again at the next attempt. A conversation that takes longer than `longest` seconds is waiting for
    its plug, not for the processor: it goes on, but its place is given to the next one.
    """

    def __init__(self, places: int, longest: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._longest = longest

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, in the order of arrival, and hold it."""
        await self._free.acquire()
        has_left = False

        def leave() -> None:
            nonlocal has_left
            if not has_left:
                has_left = True
                self._free.release()

        timer = asyncio.get_running_loop().call_later(self._longest, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()
