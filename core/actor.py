"""Who acts, and through which surface."""

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """The surface a change came through."""

    WEB = "web"
    ADMIN = "admin"
    API = "api"
    COMMAND = "command"
    SCHEDULER = "scheduler"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Actor:
    """``user_id`` is None when the system acts by itself."""

    user_id: int | None
    channel: Channel

    @property
    def is_system(self) -> bool:
        """True for the scheduler and devices: nobody to ask for rights."""
        return self.user_id is None


SYSTEM = Actor(user_id=None, channel=Channel.SCHEDULER)
