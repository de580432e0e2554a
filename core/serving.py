"""The server's side of a connection: who does not get round to a request in time is cut."""

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.h11_impl import H11Protocol


class HurriedProtocol(H11Protocol):
    """uvicorn's own protocol waits for the headers of a first request for ever; this one does not.

    Bodies have their own deadline (``core.asgi``), and between two requests ``timeout_keep_alive`` counts.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The time runs from here."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Bytes came; if they begin a later request, its time runs from now."""
        super().data_received(data)
        if self._is_under_way():
            self._forget()
        elif self._patience is None:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody to wait for."""
        self._forget()
        super().connection_lost(exc)

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_headers(self) -> None:
        self._patience = self.loop.call_later(settings.REQUEST_SECONDS, self._cut)

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self) -> None:
        self._patience = None
        if not self._is_under_way() and not self.transport.is_closing():
            self.transport.close()
