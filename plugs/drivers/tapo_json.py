"""What a P110 says, turned into readings. Every generation carries the same JSON."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core import clock
from plugs.drivers.base import PlugReading
from plugs.drivers.errors import (
    AuthFailed,
    BadReply,
    DeviceRejected,
    DriverError,
    ProtocolMismatch,
    SessionLost,
)

CLOCK_UNSET = -1003  # "JSON error": what a plug without the time of day answers when asked for energy


def error_from_code(code: int) -> DriverError:
    """Our error for the number a plug gave."""
    if code == -1501:
        return AuthFailed("the plug refused user name or password")
    if code == 9999:
        return SessionLost("the plug ended the session")
    if code == 1003:
        return ProtocolMismatch("the plug speaks another protocol")
    return DeviceRejected(code)


def reading_from_info(info: Mapping[str, Any]) -> PlugReading:
    """The relay's state from `get_device_info`. `BadReply` when that is not in it."""
    on, identity = info.get("device_on"), info.get("device_id")
    if not isinstance(on, bool) or not isinstance(identity, str):
        raise BadReply("the plug's answer names no relay state")
    return PlugReading(
        on=on,
        read_at=clock.now(),
        on_seconds=_whole(info.get("on_time")),
        rssi=_whole(info.get("rssi")),
        device_id=identity,
        firmware=str(info.get("fw_ver", "")),
    )


def with_usage(reading: PlugReading, usage: Mapping[str, Any]) -> PlugReading:
    """Add `get_energy_usage`: power in mW, energy in Wh. The device keeps no total."""
    milliwatts = _number(usage.get("current_power"))
    return replace(
        reading,
        power_w=None if milliwatts is None else milliwatts / 1000,
        energy_today_wh=_number(usage.get("today_energy")),
        energy_month_wh=_number(usage.get("month_energy")),
    )


def with_power(reading: PlugReading, power: Mapping[str, Any]) -> PlugReading:
    """Add `get_current_power`, in W: all there is while the plug's clock is unset."""
    return replace(reading, power_w=_number(power.get("current_power")))


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]  # the line above has made sure


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
