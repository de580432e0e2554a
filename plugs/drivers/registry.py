"""Which drivers there are. A new family is one module and one line here."""

from importlib import import_module

from plugs.drivers.base import Endpoint, PlugDriver
from plugs.drivers.errors import DriverMissing

_DRIVERS = {
    "tapo": "plugs.drivers.tapo:TapoDriver",
    "tapo_passthrough": "plugs.drivers.passthrough:PassthroughDriver",
    "tapo_klap": "plugs.drivers.klap:KlapDriver",
    "simulated": "plugs.drivers.simulated:SimulatedDriver",
}


def driver_names() -> tuple[str, ...]:
    """Every name that may stand in `Endpoint.driver`."""
    return tuple(_DRIVERS)


def open_driver(endpoint: Endpoint) -> PlugDriver:
    """The driver for an endpoint; nothing is sent yet.

    `DriverMissing` when there is no such driver or the package it needs is not installed: vendor packages are
    imported here, at the first use, so that one that is missing breaks only its own plugs.
    """
    try:
        module, _, name = _DRIVERS[endpoint.driver].partition(":")
    except KeyError:
        raise DriverMissing(f"there is no plug driver {endpoint.driver!r}") from None
    try:
        driver: type[PlugDriver] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise DriverMissing(f"driver {endpoint.driver} needs the package {error.name}") from None
    return driver(endpoint)
