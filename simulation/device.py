"""The methods of a P110, with the fields the real one sends. Both protocols carry the same JSON."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulation.plug import ZONE, SimulatedPlug

JSON_ERROR = -1003
BAD_PARAMS = -1008
UNKNOWN_METHOD = 1002
TOO_MANY_REQUESTS = -1301

Json = dict[str, Any]


@dataclass(slots=True)
class Quirks:
    """Misbehaviour that shows in the answers, switchable while the plug runs."""

    rejects_commands: bool = False


def answer(plug: SimulatedPlug, quirks: Quirks, request: Mapping[str, Any]) -> Json:
    """The device's answer to one decrypted request: `error_code`, and `result` when there is one."""
    plug.counters.requests += 1
    if request.get("method") == "multipleRequest":
        return _answer_several(plug, quirks, request)
    if request.get("method") == "set_device_info":
        return _set_device_info(plug, quirks, request)
    question = _QUESTIONS.get(str(request.get("method")))
    return question(plug) if question else {"error_code": UNKNOWN_METHOD}


def component_nego() -> Json:
    """The answer to `component_nego`, which older firmware gives without a login."""
    names = (
        "device",
        "quick_setup",
        "time",
        "countdown",
        "schedule",
        "energy_monitoring",
        "power_protection",
    )
    return _ok({"component_list": [{"id": name, "ver_code": 2} for name in names]})


def _ok(result: Json | None = None) -> Json:
    return {"result": result if result is not None else {}, "error_code": 0}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _set_device_info(plug: SimulatedPlug, quirks: Quirks, request: Mapping[str, Any]) -> Json:
    wanted = (request.get("params") or {}).get("device_on")
    if quirks.rejects_commands:
        return {"error_code": TOO_MANY_REQUESTS}
    if not isinstance(wanted, bool):
        return {"error_code": BAD_PARAMS}
    plug.switch(wanted)
    return {"error_code": 0}


def _answer_several(plug: SimulatedPlug, quirks: Quirks, request: Mapping[str, Any]) -> Json:
    several = (request.get("params") or {}).get("requests", [])
    return _ok({"responses": [{"method": one.get("method"), **answer(plug, quirks, one)} for one in several]})


def _device_info(plug: SimulatedPlug) -> Json:
    identity = plug.device_id
    mac = identity[-12:].rjust(12, "0")
    info: Json = {
        "device_id": identity,
        "fw_ver": plug.firmware,
        "hw_ver": "1.0",
        "type": "SMART.TAPOPLUG",
        "model": "P110",
        "mac": "-".join(mac[i : i + 2] for i in range(0, 12, 2)),
        "hw_id": "2FB30EF5BF920C44099401D396C6B55B",
        "fw_id": "00000000000000000000000000000000",
        "oem_id": "18BDC6C734AF8407B3EF871EACFCECF5",
        "ip": "127.0.0.1",
        "time_diff": 60,
        "ssid": _b64("workshop"),
        "rssi": plug.rssi,
        "signal_level": 3,
        "auto_off_status": "off",
        "auto_off_remain_time": 0,
        "latitude": 0,
        "longitude": 0,
        "lang": "de_DE",
        "avatar": "plug",
        "region": "Europe/Berlin",
        "specs": "",
        "nickname": _b64(plug.spec.name),
        "has_set_location_info": True,
        "device_on": plug.on,
        "on_time": plug.on_seconds,
        "default_states": {"type": "last_states", "state": {}},
        "overheat_status": "normal",
        "overcurrent_status": "normal",
        "power_protection_status": "normal",
    }
    if plug.spec.generation == "klap":
        info["charging_status"] = "normal"  # firmware before 1.3.0 leaves it out
    return _ok(info)


def _energy_usage(plug: SimulatedPlug) -> Json:
    if not plug.clock_is_set:
        return {"error_code": JSON_ERROR}
    local = plug.advance().astimezone(ZONE)
    meter = plug.meter
    return _ok(
        {
            "today_runtime": int(meter.today_s // 60),
            "month_runtime": int(meter.month_s // 60),
            "today_energy": int(meter.today_wh),
            "month_energy": int(meter.month_wh),
            "local_time": local.strftime("%Y-%m-%d %H:%M:%S"),
            "electricity_charge": [0, 0, 0],
            "current_power": round(plug.power_w * 1000),
        }
    )


def _current_power(plug: SimulatedPlug) -> Json:
    return _ok({"current_power": round(plug.power_w)})


_QUESTIONS: dict[str, Callable[[SimulatedPlug], Json]] = {
    "get_device_info": _device_info,
    "get_energy_usage": _energy_usage,
    "get_current_power": _current_power,
    "component_nego": lambda _plug: component_nego(),
}
