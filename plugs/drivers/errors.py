"""What can go wrong with a plug, in our own words.

Every error says by itself whether trying again at once makes sense (`retryable`) and whether a command may have
reached the relay although no answer came (`may_have_happened`). No message ever carries a credential.
The names say what happened, without the suffix `Error`: `except Unreachable` reads as it is meant.
"""

from datetime import datetime
from typing import ClassVar


class DriverError(Exception):
    """A plug did not do what was asked. `sent_at` is when a command was on its way, None when none was."""

    code: ClassVar[str] = "driver_error"
    retryable: bool = False
    may_have_happened: bool = False
    sent_at: datetime | None = None
    # True when what is known about the connection is worthless afterwards
    breaks_session: ClassVar[bool] = True
    # True when the plug may have carried out a command that failed in this way
    is_ambiguous: ClassVar[bool] = False


class Unreachable(DriverError):  # noqa: N818
    """Nobody answers at the address, or the connection broke."""

    code = "unreachable"
    retryable = True
    is_ambiguous = True


class TimedOut(DriverError):  # noqa: N818
    """The deadline passed."""

    code = "timed_out"
    retryable = True
    is_ambiguous = True


class AuthFailed(DriverError):  # noqa: N818
    """User name or password are wrong, or the plug is locked. Never retried: a plug locks itself."""

    code = "auth_failed"


class AccessDisabled(DriverError):  # noqa: N818
    """The plug forbids third-party access (HTTP 403): switch the compatibility on in the vendor's app."""

    code = "access_disabled"


class ProtocolMismatch(DriverError):  # noqa: N818
    """The plug speaks another generation of the protocol: probe again once."""

    code = "protocol_mismatch"


class BadReply(DriverError):  # noqa: N818
    """The answer makes no sense."""

    code = "bad_reply"
    retryable = True
    is_ambiguous = True


class SessionLost(BadReply):
    """The plug does not know our session (any more). Drivers log in again once; it shows only when that is no help."""

    code = "session_lost"


class DeviceRejected(DriverError):  # noqa: N818
    """The plug understood and refused. `device_code` is its own number."""

    code = "device_rejected"
    breaks_session = False
    # the plug's own "not now": busy, transport, unspecific
    PASSING: ClassVar[frozenset[int]] = frozenset({-1001, 1002, 1112})

    def __init__(self, device_code: int) -> None:
        super().__init__(f"the plug refused with code {device_code}")
        self.device_code = device_code
        self.retryable = device_code in self.PASSING


class VerifyFailed(DriverError):  # noqa: N818
    """The plug said yes, and its relay is not where it should be."""

    code = "verify_failed"
    may_have_happened = True
    breaks_session = False
    is_ambiguous = True

    def __init__(self, wanted: bool, got: bool) -> None:
        super().__init__(f"wanted {_word(wanted)}, the relay is {_word(got)}")
        self.wanted = wanted
        self.got = got


class IdentityMismatch(DriverError):  # noqa: N818
    """Another plug answers at this address. Raised before anything is switched."""

    code = "identity_mismatch"

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected plug {expected}, found {got}")
        self.expected = expected
        self.got = got


class DriverMissing(DriverError):  # noqa: N818
    """The package a driver needs is not installed, or there is no such driver."""

    code = "driver_missing"


def _word(on: bool) -> str:
    return "on" if on else "off"
