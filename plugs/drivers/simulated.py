"""A plug that exists only as a small file: for trying the product without any device or second process."""

import json
import os
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core import clock
from plugs.drivers.base import PlugDriver, PlugReading
from plugs.drivers.errors import BadReply, Unreachable

DIRECTORY = "MYP_SIMULATED_DIR"
IDLE_FOR = 60  # seconds after switching on before the printer behind the plug starts to print
IDLE_W = 8.0
PRINTING_W = 110.0


class SimulatedDriver(PlugDriver):
    """State is one JSON file per address, replaced whole, so several processes see one plug."""

    needs_credentials = False
    generation = "simulated"

    def reset(self) -> None:
        """There is no session."""

    async def _state(self) -> PlugReading:
        state, now = self._load(), clock.now()
        since = state["on_since"]
        return PlugReading(
            on=since is not None,
            read_at=now,
            on_seconds=int(_seconds(since, now)) if since else 0,
            device_id=f"SIMULATED-{self.endpoint.address}",
            firmware="simulated",
        )

    async def _with_energy(self, reading: PlugReading) -> PlugReading:
        state, now = self._load(), clock.now()
        since = state["on_since"]
        power = 0.0
        if since:
            power = IDLE_W if _seconds(since, now) < IDLE_FOR else PRINTING_W
        return replace(reading, power_w=power, energy_total_wh=state["total_wh"] + _used_wh(since, now))

    async def _switch(self, on: bool) -> None:
        state, now = self._load(), clock.now()
        total = state["total_wh"] + _used_wh(state["on_since"], now)
        self._save({"on_since": now.isoformat() if on else None, "total_wh": total})

    def _load(self) -> dict[str, Any]:
        try:
            state = json.loads(self._file().read_text())
            return {"on_since": _instant(state["on_since"]), "total_wh": float(state["total_wh"])}
        except FileNotFoundError:
            return {"on_since": None, "total_wh": 0.0}
        except OSError as error:
            raise Unreachable(f"the simulated plug's file: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise BadReply("the simulated plug's file holds something else") from None

    def _save(self, state: dict[str, Any]) -> None:
        file = self._file()
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(state))
            fresh.replace(file)
        except OSError as error:
            raise Unreachable(f"the simulated plug's file: {error.strerror}") from None

    def _file(self) -> Path:
        return _directory() / f"{quote(self.endpoint.address, safe='')}.json"


def _directory() -> Path:
    """Where the plugs live: MYP_SIMULATED_DIR, or a directory of this user alone in the temporary one."""
    named = os.environ.get(DIRECTORY)
    place = Path(named) if named else Path(tempfile.gettempdir()) / f"myp-simulated-{os.getuid()}"
    try:
        place.mkdir(mode=0o700, parents=bool(named), exist_ok=True)
        is_ours = bool(named) or place.lstat().st_uid == os.getuid()
    except OSError as error:
        raise Unreachable(f"{place}: {error.strerror}") from None
    if not is_ours:
        raise Unreachable(f"{place} belongs to somebody else")
    return place


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()


def _used_wh(since: datetime | None, now: datetime) -> float:
    """What went through the meter since the plug was switched on."""
    if since is None:
        return 0.0
    seconds = _seconds(since, now)
    idle = min(seconds, IDLE_FOR)
    return (idle * IDLE_W + (seconds - idle) * PRINTING_W) / 3600
