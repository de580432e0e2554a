"""What one simulated plug is told about itself before it starts."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

Generation = Literal["passthrough", "klap"]
AfterPowerCut = Literal["last", "on", "off"]


@dataclass(frozen=True, slots=True)
class PlugSpec:
    """One plug. `port` 0 means any free port; durations are seconds, power is in W.

    `auto_print_after` None: the printer behind the plug never starts by itself.
    """

    name: str
    port: int = 0
    generation: Generation = "klap"
    username: str = "workshop@example.org"
    password: str = "workshop"  # noqa: S105  a made-up plug with a made-up password
    device_id: str = ""
    idle_w: float = 8.0
    auto_print_after: float | None = None
    print_for: float = 3600.0
    seed: int = 0
    after_power_cut: AfterPowerCut = "last"

    def __post_init__(self) -> None:
        if self.generation not in ("passthrough", "klap"):
            raise ValueError(
                f"plug {self.name}: generation is 'passthrough' or 'klap', not {self.generation!r}"
            )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one entry of a spec file. A key that is not a field is a `ValueError`: it would be a typo."""
        unknown = set(raw) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"plug {raw.get('name', '?')}: unknown keys {sorted(unknown)}")
        return cls(**raw)

    @property
    def identity(self) -> str:
        """The device id: the one given, or one made from the name so that it survives a restart."""
        return self.device_id or "8022" + hashlib.sha256(self.name.encode()).hexdigest()[:36].upper()
